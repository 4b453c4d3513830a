"""How revisions tell of answers to surveys, which are kept one by one: a row for each kind, a part for each score of a survey. Pure."""

from decimal import Decimal

KINDS = ("nps", "csat", "ces")
"""Those of which figures are made."""


def row_of(kind: str) -> str:
    """No measure can be called so."""
    return f"answers.{kind}"


def part_of(survey: str, score: Decimal) -> str:
    """The score without needless digits, a space, and the survey, which may be any text."""
    digits = f"{score:f}"
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return f"{digits if score else '0'} {survey}"


def read_part(part: str) -> tuple[str, Decimal]:
    """Survey and score of what `part_of` made."""
    score, survey = part.split(" ", 1)
    return survey, Decimal(score)
