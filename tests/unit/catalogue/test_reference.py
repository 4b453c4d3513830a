"""The page of metrics says what the catalogue says."""

from pathlib import Path

from common.catalogue import load
from common.catalogue.reference import metrics_page

ROOT = Path(__file__).parents[3]


def test_the_page_of_metrics_is_made_from_the_catalogue() -> None:
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    assert page == metrics_page(load(ROOT / "catalogue")), (
        "run: python -m common.catalogue.reference > docs/reference/metrics.md"
    )
