"""The one place where a metric becomes SQL: `parse` a question, `query` its answer."""

from common.figures.model import Answer, Figure, Query
from common.figures.request import parse
from common.figures.run import behind, query

__all__ = ["Answer", "Figure", "Query", "behind", "parse", "query"]
