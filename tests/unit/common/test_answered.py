"""What revisions call a number of answers can be read again."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from common.catalogue import load
from common.catalogue.loading import base_pack
from common.figures.answered import part_of, read_part
from common.figures.formulas import rows_told


@given(st.text(), st.decimals(-1000, 1000, places=4))
def test_a_part_is_read_as_it_was_written(survey: str, score: Decimal) -> None:
    assert read_part(part_of(survey, score)) == (survey, score)
    assert part_of(survey, score) == part_of(survey, score + Decimal("0.00000"))


def test_a_part_is_written_as_people_do() -> None:
    assert part_of("of 5", Decimal("4.50")) == "4.5 of 5"
    assert part_of("q", Decimal("-0.0")) == "0 q"
    assert part_of("q", Decimal("1E+1")) == "10 q"


def test_metrics_made_of_answers_are_told_by_their_kind() -> None:
    catalogue = load(base_pack())
    told = {
        name: rows_told(catalogue, catalogue.metrics[name])
        for name in ("csat", "ces", "onboarding_csat", "nps_wave", "nps")
    }
    assert told == {
        "csat": ["answers.csat"],
        "ces": ["answers.ces"],
        "onboarding_csat": ["answers.csat"],
        "nps_wave": ["answers.nps"],
        "nps": ["nps_answers", "nps_detractors", "nps_promoters"],
    }
