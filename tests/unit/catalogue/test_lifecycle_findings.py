"""Steps and their metrics that can't be right are refused, each with file, line, field and what to do."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from common.catalogue import CatalogueInvalid, Finding, load

BASE = Path(__file__).parents[3] / "catalogue"
METRIC = yaml.safe_load((BASE / "metrics" / "adopt.yaml").read_text(encoding="utf-8"))[0]
STEPS = [
    {"name": "opened", "event_types": ["ticket.opened"]},
    {"name": "done", "event_types": ["ticket.resolved"]},
]
ANEW = {**STEPS[0], "new_case": True}
CASES = {"name": "own_cases", "agg": "steps", "entity": ["data.ticket"], "steps": STEPS}
KINDS = {
    "entered": ("simple", "sum", "count"),
    "duration": ("duration", "distribution_recompute", "hours"),
    "conversion": ("conversion", "cohort_recompute", "ratio"),
    "open": ("semi_additive", "last", "count"),
    "share": ("ratio", "ratio", "ratio"),
    "answers": ("ratio", "ratio", "ratio"),
    "churn": ("movement", "cohort_recompute", "ratio"),
    "qualified": ("derived", "last", "accounts"),
    "seats": ("ratio", "ratio", "ratio"),
    "recorded": ("simple", "sum", "count"),
    "unaided": ("ratio", "ratio", "ratio"),
    "lifetime": ("derived", "cohort_recompute", "money"),
    "benefit": ("ratio", "ratio", "ratio"),
    "coverage": ("ratio", "ratio", "ratio"),
}


def metric(formula: dict[str, Any], **change: Any) -> dict[str, Any]:
    kind, rollup, unit = KINDS[formula["type"]]
    return {
        **METRIC,
        "name": "own",
        "kind": kind,
        "rollup": rollup,
        "unit": unit,
        "formula": formula,
        **change,
    }


def findings(overlay: Path, measure: dict[str, Any] | None, made: dict[str, Any] | None) -> list[Finding]:
    for kind, definition in (("measures", measure), ("metrics", made)):
        (overlay / kind).mkdir()
        if definition is not None:
            text = yaml.safe_dump([definition], sort_keys=False)
            (overlay / kind / "own.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(CatalogueInvalid) as invalid:
        load(BASE, [overlay])
    return list(invalid.value.findings)


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"steps": []}, "own_cases", "needs steps"),
        (
            {"agg": "count", "entity": [], "event_types": ["ticket.opened"]},
            "own_cases.steps",
            "count has no steps",
        ),
        ({"event_types": ["ticket.opened"]}, "own_cases.event_types", "no event_types of its own"),
        ({"entity": ["ticket"]}, "own_cases.entity.0", "is no path into data"),
        ({"amount": "data.amount.0"}, "own_cases.amount", "is no path into data"),
        ({"slices": {"campaign": "programme"}}, "own_cases.slices.campaign", "'programme' is not kept"),
        ({"labels": ["data.theme"]}, "own_cases.labels.0", "is no field of data"),
        ({"steps": [{"event_types": ["ticket.opened"]}]}, "own_cases.steps.0", "needs name or name_from"),
        ({"steps": [ANEW], "labels": ["theme"]}, "own_cases.labels", "have none of their own"),
        ({"steps": [ANEW], "amount": "data.x"}, "own_cases.amount", "have none of their own"),
        (
            {"steps": [{**ANEW, "instant": "data.at"}]},
            "own_cases.steps.0.new_case",
            "told of the entity, not of a case",
        ),
        (
            {"steps": [{**ANEW, "keep": "earliest"}], "entity": []},
            "own_cases.steps.0.new_case",
            "has a name, and all of it is kept",
        ),
        ({"steps": [{"name": "a", "event_types": []}]}, "own_cases.steps.0.event_types", "at least 1 item"),
        (
            {"steps": [{"name": "a", "event_types": ["nobody.knows"]}]},
            "own_cases.steps.0.event_types.0",
            "event type 'nobody.knows' is unknown",
        ),
        (
            {"steps": [{"name": "a", "event_types": ["ticket.opened"], "where": "event.dat == 1"}]},
            "own_cases.steps.0.where",
            "line 1, column",
        ),
        (
            {"steps": [{"name": "a", "event_types": ["ticket.opened"], "keep": "earliest"}]},
            "own_cases.steps.0",
            "keep: earliest is for accounts",
        ),
    ],
)
def test_steps_that_cannot_be_kept(tmp_path: Path, change: dict[str, Any], field: str, message: str) -> None:
    found = findings(tmp_path, {**CASES, **change}, None)
    assert [one.field for one in found] == [field]
    assert message in found[0].message
    assert found[0].advice
    assert found[0].line >= 1


DURATION = {"type": "duration", "measure": "own_cases", "start": ["opened"], "end": ["done"]}


@pytest.mark.parametrize(
    ("made", "field", "message"),
    [
        (metric({**DURATION, "end": ["closed"]}), "own.formula.end", "'closed' is no step"),
        (metric({**DURATION, "left": ["gone"]}), "own.formula.left", "'gone' is no step"),
        (metric({**DURATION, "start": ["first_seen"]}), "own.formula.start", "'first_seen' is no step"),
        (metric({**DURATION, "measure": "complaints"}), "own.formula.measure", "whose agg is count"),
        (metric(DURATION, unit="count"), "own.unit", "count doesn't fit"),
        (metric(DURATION, kind="ratio"), "own.kind", "ratio doesn't fit"),
        (metric({**DURATION, "quantile": 1}), "own.formula.quantile", "less than 1"),
        (
            metric(
                {"type": "entered", "measure": "own_cases", "step": "done", "sum": "amount"}, unit="money"
            ),
            "own.formula.sum",
            "no amount is kept",
        ),
        (
            metric({"type": "entered", "measure": "own_cases", "step": "done", "labelled": "partner"}),
            "own.formula.labelled",
            "label 'partner' is not kept",
        ),
        (
            metric({"type": "entered", "measure": "own_cases", "step": "done"}, unit="money"),
            "own.unit",
            "doesn't fit a number of entities",
        ),
        (
            metric({"type": "recorded", "measure": "own_cases", "step": "done", "sum": "amount"}),
            "own.formula.sum",
            "no amount is kept",
        ),
        (
            metric({"type": "recorded", "measure": "own_cases", "step": "done", "labelled": "theme"}),
            "own.formula.labelled",
            "label 'theme' is not kept",
        ),
        (
            metric({"type": "recorded", "measure": "own_cases", "step": "gone"}),
            "own.formula.step",
            "'gone' is no step",
        ),
        (
            metric({"type": "unaided", "measure": "own_cases", "step": "done", "without": ["helped"]}),
            "own.formula.without",
            "'helped' is no step",
        ),
        (
            metric(
                {"type": "unaided", "measure": "own_cases", "step": "done", "without": ["opened"]},
                unit="count",
            ),
            "own.unit",
            "count doesn't fit",
        ),
        (metric({"type": "lifetime", "measure": "complaints"}), "own.formula.measure", "whose agg is count"),
        (
            metric({"type": "benefit", "measure": "benefits", "step": "confirmed", "mrr": "complaints"}),
            "own.formula.mrr",
            "whose agg is count",
        ),
        (
            metric({"type": "coverage", "measure": "own_cases", "step": "done", "plans": "complaints"}),
            "own.formula.plans",
            "whose agg is count",
        ),
        (
            metric({"type": "churn", "measure": "mrr", "of": "involuntary"}),
            "own.formula.invoices",
            "needs the steps of invoices",
        ),
        (
            metric({"type": "churn", "measure": "complaints", "of": "coded"}),
            "own.formula.measure",
            "whose agg is count",
        ),
        (
            metric(
                {
                    "type": "qualified",
                    "conditions": [{"measure": "key_users", "window_days": 9, "agg": "value", "at_least": 1}],
                }
            ),
            "own.formula.conditions.0.window_days",
            "keeps no window of 9 days",
        ),
        (
            metric({"type": "seats", "measure": "active_users", "of": "rate", "window_days": 9}),
            "own.formula.window_days",
            "keeps no window of 9 days",
        ),
        (
            metric({"type": "answers", "survey_kind": "csat", "value": "share", "lowest": 1, "highest": 5}),
            "own.formula.at_least",
            "belongs to value: share",
        ),
        (
            metric(
                {"type": "answers", "survey_kind": "ces", "value": "mean", "lowest": 7, "highest": 1},
                unit="score",
            ),
            "own.formula.lowest",
            "must lie below highest",
        ),
    ],
)
def test_metrics_that_cannot_be_answered(
    tmp_path: Path, made: dict[str, Any], field: str, message: str
) -> None:
    found = findings(tmp_path, CASES, made)
    assert [one.field for one in found] == [field]
    assert message in found[0].message
    assert found[0].advice


def test_business_time_needs_business_hours(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("business_hours: {days: {}}\n", encoding="utf-8")
    (found,) = findings(tmp_path, CASES, metric({**DURATION, "clock": "business"}))
    assert (Path(found.file).name, found.line, found.field) == ("settings.yaml", 1, "business_hours")
    assert found.message.startswith("names no hours, and some metrics count them, such as '")


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        ('["17:00-09:00"]', "opens after it closes"),
        ('["09:00-12:00", "11:00-17:00"]', "opens after it closes"),
        ('["9-17"]', "'9-17' is not opening hours"),
    ],
)
def test_business_hours_that_make_no_sense(tmp_path: Path, hours: str, message: str) -> None:
    text = f"business_hours:\n  days:\n    monday: {hours}\n"
    (tmp_path / "settings.yaml").write_text(text, encoding="utf-8")
    found = findings(tmp_path, None, None)
    assert message in found[0].message
    assert found[0].line == 3
