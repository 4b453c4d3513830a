"""What revisions undo, and which days are called silent."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.analysis.test_explaining import metric

from common.analysis.late import Days, Revision, changed, first_day, rows_revised
from common.analysis.reading import EVERYTHING, begins_when_heard_of, forgets, types_read
from common.analysis.request import parse_change, parse_deciles, parse_movers
from common.analysis.silence import LEAST_EXPECTED, missing_share, silence
from common.catalogue import load
from common.catalogue.models import Catalogue, Measure, Metric
from common.errors import Rejected

BASE = Path(__file__).parents[3] / "catalogue"
DAY = timedelta(days=1)
FIRST = date(2026, 3, 1)
MEASURES = {
    "logins": Measure(name="logins", agg="count", event_types=("user.logged_in",), grain="hour", scale=0),
    "spent": Measure(name="spent", agg="sum", event_types=("invoice.paid",), field="data.amount", scale=2),
    "mrr": Measure(name="mrr", agg="mrr"),
    "people": Measure(name="people", agg="distinct", activity=True, windows=(7,)),
}
CATALOGUE = Catalogue(measures=MEASURES)


def of(formula: dict[str, Any]) -> Metric:
    return Metric.model_validate({**metric("complaints").model_dump(mode="json"), "formula": formula})


SIMPLE = of({"type": "simple", "measure": "spent"})
ROLLING = of({"type": "rolling", "measure": "logins", "window_days": 7, "divide_by": 7})
PEOPLE = of({"type": "rolling", "measure": "people", "window_days": 7})
RATIO = of({
    "type": "ratio", "numerator": {"measure": "logins", "window_days": 7},
    "denominator": {"measure": "people", "window_days": 7, "agg": "value"},
})  # fmt: skip
MRR = of({"type": "semi_additive", "measure": "mrr"})
ONBOARDED = of({"type": "entered", "measure": "onboarding", "step": "first_value"})
days = st.integers(0, 29).map(lambda n: FIRST + n * DAY)
counts = st.dictionaries(days, st.integers(0, 50), max_size=30)


@settings(max_examples=80, deadline=None)
@given(counts, counts)
def test_what_came_late_is_the_difference_of_the_sums(
    on_time: dict[date, int], late: dict[date, int]
) -> None:
    """Of daily counts, each late one a revision, in the month and in the week that ends it."""
    revisions = [Revision("spent", day, day + DAY, Decimal(n), "late") for day, n in late.items()]
    month = Days(FIRST, FIRST + 29 * DAY)
    now = Fraction(sum(on_time.values()) + sum(late.values()), 100)
    assert changed(SIMPLE, CATALOGUE, month, (now, None, None), revisions) == Fraction(
        sum(late.values()), 100
    )
    week = [Revision("logins", one.day, one.until, one.change, one.why) for one in revisions]
    in_window = sum(n for day, n in late.items() if day > month.last - 7 * DAY)
    assert first_day(ROLLING, month) == month.last - 6 * DAY
    assert changed(ROLLING, CATALOGUE, month, (now, None, None), week) == Fraction(in_window, 7)


def test_a_rolling_figure_of_people_is_revised_on_its_last_day_alone() -> None:
    month = Days(FIRST, FIRST + 29 * DAY)
    until_the_end = Revision("people_7d", FIRST + 28 * DAY, FIRST + 35 * DAY, Decimal(2), "late")
    over_before = Revision("people_7d", FIRST, FIRST + 7 * DAY, Decimal(1), "late")
    assert changed(PEOPLE, CATALOGUE, month, (Fraction(9), None, None), [until_the_end, over_before]) == 2
    one_login = Revision("logins", month.last, month.last + DAY, Decimal(4), "late")
    was = Fraction(24 - 4, 8 - 2)
    now = (Fraction(24, 8), Fraction(24), Fraction(8))
    assert changed(RATIO, CATALOGUE, month, now, [until_the_end, one_login]) == now[0] - was


def test_revenue_and_cases_that_took_a_step_are_undone_by_their_own_part() -> None:
    month = Days(FIRST, FIRST + 29 * DAY)
    earlier = Revision("mrr", FIRST - DAY, month.last, Decimal(7), "late", "EUR")
    until_today = Revision("mrr", FIRST + 3 * DAY, FIRST + 60 * DAY, Decimal("10.50"), "late", "EUR")
    now = (Fraction(100), None, None)
    assert changed(MRR, CATALOGUE, month, now, [earlier, until_today]) == Fraction(21, 2)
    in_dollars = Revision("mrr", FIRST, FIRST + 60 * DAY, Decimal(1), "late", "USD")
    assert changed(MRR, CATALOGUE, month, now, [until_today, in_dollars]) is None
    reached = [
        Revision("onboarding_steps", day, day + DAY, Decimal(n), "late", step)
        for day, n, step in (
            (FIRST, 2, "first_value"),
            (FIRST + DAY, -1, "first_value"),
            (FIRST, 5, "kickoff"),
            (FIRST - DAY, 3, "first_value"),
        )
    ]
    assert changed(ONBOARDED, CATALOGUE, month, now, reached) == 1
    assert rows_revised(ONBOARDED, CATALOGUE) == ("onboarding_steps",)
    of_partners = ONBOARDED.model_copy(update={"only": {"kind": ("partner",)}})
    assert rows_revised(of_partners, CATALOGUE) == (), "revisions are of all accounts"


def test_what_no_revision_undoes_is_not_known() -> None:
    assert rows_revised(metric("nrr"), CATALOGUE) == ()
    assert changed(metric("nrr"), CATALOGUE, Days(FIRST, FIRST), (Fraction(1),) * 3, []) is None


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 40), st.sets(st.integers(0, 29)), st.sets(st.integers(0, 29)))
def test_a_silent_day_is_one_that_always_had_some(
    usual: int, empty_before: set[int], empty: set[int]
) -> None:
    earlier = [FIRST + n * DAY for n in range(30)]
    later = [FIRST + (30 + n) * DAY for n in range(30)]
    counts = Counter({day: 0 if n in empty_before else usual for n, day in enumerate(earlier)})
    counts.update({day: 0 if n in empty else usual for n, day in enumerate(later)})
    sometimes_empty = {earlier[n].weekday() for n in empty_before}
    expected = [
        later[n]
        for n in sorted(empty)
        if later[n].weekday() not in sometimes_empty and usual >= LEAST_EXPECTED
    ]
    found = silence(counts, earlier, later)
    assert list(found.days if found else ()) == expected
    if found is not None:
        assert found.expected == usual * len(expected)
        assert 0 < found.missing <= 1
        assert missing_share({"a": found}, {"a": Fraction(1, 2)}) == found.missing / 2


def test_the_types_behind_a_metric_are_found() -> None:
    catalogue = CATALOGUE.model_copy(update={"measures": {**MEASURES, "mrr": Measure(name="mrr", agg="mrr")}})
    assert types_read(RATIO, catalogue) == {"user.logged_in", EVERYTHING}
    assert "subscription.cancelled" in types_read(metric("nrr"), catalogue)


def test_only_the_steps_that_a_formula_names_make_it_forget() -> None:
    """Of actions only the earliest is kept: it ends the time to activation, and no other time. What counts a step may read others."""
    pack = load(BASE)
    forgetful = {name for name, one in pack.metrics.items() if forgets(one, pack, {"feature.used"})}
    assert forgetful == {"accounts_onboarded", "activation_rate", "time_to_activation"}
    named = {name for name, one in pack.metrics.items() if begins_when_heard_of(one)}
    assert named == {
        "activation_rate",
        *(name for name in pack.metrics if name.startswith("time_to_") and name != "time_to_close"),
    }


@pytest.mark.parametrize(
    "body", [None, [], "x", {}, {"metric": 3}, {"metric": "a", "by": 3}, {"metric": "a", "limit": True}]
)
def test_a_question_that_is_none_is_refused(body: Any) -> None:
    for read in (parse_change, parse_movers, parse_deciles):
        with pytest.raises(Rejected):
            read(body)
