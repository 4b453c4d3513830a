"""A catalogue is loaded whole or not at all, and says what is wrong, where, and what to do."""

from pathlib import Path

import pytest
import yaml

from common.catalogue import Catalogue, CatalogueInvalid, Finding, load
from common.catalogue.store import canonical

BASE = Path(__file__).parents[3] / "catalogue"
METRIC = yaml.safe_load((BASE / "metrics" / "adopt.yaml").read_text(encoding="utf-8"))[0]


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    for kind in ("event-types", "measures", "metrics", "rules"):
        (tmp_path / kind).mkdir()
    return tmp_path


def findings(overlay: Path) -> list[Finding]:
    with pytest.raises(CatalogueInvalid) as invalid:
        load(BASE, [overlay])
    assert invalid.value.code == "catalogue-invalid"
    return list(invalid.value.findings)


def write(overlay: Path, name: str, text: str) -> None:
    (overlay / name).write_text(text, encoding="utf-8")


def metric(**change: object) -> str:
    return yaml.safe_dump({**METRIC, "name": "own", **change}, sort_keys=False)


def test_the_base_pack_declares_everything_that_exists() -> None:
    pack = load(BASE)
    assert {"events", "stickiness", "login_trend", "nps_accounts", "mrr", "nrr", "grr", "logo_churn"} <= set(
        pack.metrics
    )
    assert not pack.is_activity("subscription.started")
    assert not pack.is_activity("survey.sent")
    assert pack.is_activity("survey.responded")
    assert pack.is_activity("something.nobody.declared")
    assert pack.is_tenant_level("spend.recorded")
    assert not pack.is_tenant_level("something.nobody.declared")


def test_a_catalogue_comes_back_from_its_text_unchanged() -> None:
    pack = load(BASE)
    assert Catalogue.model_validate_json(canonical(pack)) == pack


def test_an_overlay_edits_adds_and_removes(overlay: Path) -> None:
    write(overlay, "settings.yaml", "timezone: Asia/Kolkata\n")
    write(overlay, "metrics/own.yaml", metric() + "\n")
    write(overlay, "metrics/more.yaml", "- {name: nps_accounts, removed: true}\n")
    write(
        overlay,
        "event-types/own.yaml",
        "- {name: call.made, activity: false}\n- {name: ticket.opened, activity: false}\n",
    )
    pack = load(BASE, [overlay])
    assert pack.settings.timezone == "Asia/Kolkata"
    assert pack.settings.currency == load(BASE).settings.currency
    assert "own" in pack.metrics
    assert "nps_accounts" not in pack.metrics
    assert not pack.is_activity("call.made")
    assert not pack.is_activity("ticket.opened")


def test_the_order_of_files_and_keys_leaves_no_trace(overlay: Path) -> None:
    write(overlay, "metrics/a.yaml", metric())
    first = canonical(load(BASE, [overlay]))
    (overlay / "metrics" / "a.yaml").unlink()
    write(
        overlay,
        "metrics/z.yaml",
        yaml.safe_dump(dict(reversed(yaml.safe_load(metric()).items())), sort_keys=False),
    )
    assert canonical(load(BASE, [overlay])) == first


CASES = [
    ("metrics/m.yaml", metric(unit="ratio"), 4, "own.unit", "ratio doesn't fit"),
    ("metrics/m.yaml", metric(unit="bananas"), 4, "own.unit", "'bananas' must be"),
    ("metrics/m.yaml", metric(kind="ratio"), 6, "own.kind", "doesn't fit a formula of type simple"),
    ("metrics/m.yaml", metric(rollup="last"), 10, "own.rollup", "doesn't fit a formula of type simple"),
    (
        "metrics/m.yaml",
        metric(formula={"type": "simple", "measure": "nope"}),
        9,
        "own.formula.measure",
        "'nope' is unknown",
    ),
    (
        "metrics/m.yaml",
        metric(formula={"type": "simple", "measure": "nps"}),
        9,
        "own.formula.measure",
        "whose agg is nps",
    ),
    (
        "metrics/m.yaml",
        metric(formula={"type": "simple", "measure": "events", "x": 1}),
        10,
        "own.formula.x",
        "not permitted",
    ),
    (
        "metrics/m.yaml",
        metric(formula={"type": "median"}),
        7,
        "own.formula",
        "does not match any of the expected tags",
    ),
    (
        "metrics/m.yaml",
        metric(feasibility="proxy_of nothing"),
        24,
        "own.feasibility",
        "metric 'nothing' is unknown",
    ),
    (
        "metrics/m.yaml",
        metric(feasibility="proxy_of own"),
        24,
        "own.feasibility",
        "goes round in a circle: own -> own",
    ),
    ("metrics/m.yaml", "name: x\nname: y\n", 2, "name", "is given twice"),
    ("metrics/m.yaml", "- a\n- b\n", 1, "", "isn't a definition"),
    ("metrics/m.yaml", "a: [1\n", 2, "", "not YAML"),
    ("measures/m.yaml", "name: own\nagg: count\n", 1, "own", "must name event_types or say activity"),
    (
        "measures/m.yaml",
        "name: own\nagg: count\nevent_types: [no.such]\n",
        3,
        "own.event_types.0",
        "event type 'no.such' is unknown",
    ),
    ("measures/m.yaml", "name: own\nagg: sum\nactivity: true\n", 1, "own", "sum needs a field"),
    (
        "measures/m.yaml",
        "name: own\nagg: sum\nfield: amount\nactivity: true\n",
        3,
        "own.field",
        "no path into data",
    ),
    (
        "measures/m.yaml",
        "name: own\nagg: count\nactivity: true\nwindows: [7]\n",
        4,
        "own.windows",
        "only distinct",
    ),
    (
        "measures/m.yaml",
        "name: own\nagg: distinct\nactivity: true\ngrain: hour\n",
        4,
        "own.grain",
        "is kept by day",
    ),
    (
        "measures/m.yaml",
        "name: nps_answers\nagg: count\nactivity: true\n",
        1,
        "nps_answers.name",
        "keeps figures named",
    ),
    (
        "measures/m.yaml",
        "name: own\nagg: count\nactivity: true\nwhere: event.data.n >\n",
        4,
        "own.where",
        "line 1, column 15",
    ),
    ("rules/r.yaml", "name: own\ncondition: a.no < 3\n", 1, "own.label", "Field required"),
    ("settings.yaml", "timezone: Mars/Olympus\n", 1, "timezone", "is no time zone"),
    ("settings.yaml", "fiscal_start_month: 13\n", 1, "fiscal_start_month", "less than or equal to 12"),
    ("elsewhere.yaml", "a: 1\n", 1, "", "stands where nothing is read"),
    (
        "receivers.yaml",
        "receivers: [{name: a, kind: webhook, url: 'https://x', secret: s}]\n",
        1,
        "routes",
        "no default route",
    ),
    ("receivers.yaml", "routes: [{receivers: [b]}]\n", 1, "routes.0", "'b' is no receiver"),
]


@pytest.mark.parametrize(("file", "text", "line", "field", "message"), CASES)
def test_a_finding_names_file_line_field_and_what_to_do(
    overlay: Path, file: str, text: str, line: int, field: str, message: str
) -> None:
    write(overlay, file, text)
    found = findings(overlay)
    matching = [f for f in found if f.field == field and message in f.message]
    assert matching, found
    assert matching[0].file == str(overlay / file)
    assert matching[0].line == line
    assert matching[0].advice


RULE = """name: own
label: Own
description: d
condition: {condition}
severity: warning
evidence: "{evidence}"
next_step: Call.
"""


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("a.nope < 3", "undeclared reference to 'a.nope'"),
        ("a.mrr", "not true or false"),
        ("a.segment < 3", "no matching overload"),
        ("a.mrr < 3 &&", "Syntax error"),
        ("b.mrr < 3", "undeclared reference"),
        ("'" + "x" * 5000 + "' == a.segment", "longer than"),
    ],
)
def test_a_condition_is_typed_when_it_is_loaded(overlay: Path, condition: str, message: str) -> None:
    write(
        overlay,
        "rules/r.yaml",
        RULE.format(
            condition=yaml.safe_dump(condition, width=9999).strip().removesuffix("..."), evidence="{mrr}"
        ),
    )
    (found,) = findings(overlay)
    assert (found.line, found.field) == (4, "own.condition")
    assert message in found.message


def test_a_placeholder_must_be_a_figure(overlay: Path) -> None:
    write(
        overlay, "rules/r.yaml", RULE.format(condition="a.mrr > 0", evidence="{mrr:.0f} {traits.plan} {nope}")
    )
    (found,) = findings(overlay)
    assert (found.line, found.field) == (6, "own.evidence")
    assert "{nope} is unknown" in found.message


def test_two_definitions_of_one_name_in_one_layer_are_a_finding(overlay: Path) -> None:
    write(overlay, "metrics/a.yaml", metric())
    write(overlay, "metrics/b.yaml", metric())
    (found,) = findings(overlay)
    assert found.message == f"is already defined in {overlay / 'metrics' / 'a.yaml'}:1"


def test_a_definition_that_others_use_cannot_be_removed(overlay: Path) -> None:
    write(overlay, "measures/m.yaml", "{name: reviews_held, removed: true}\n")
    (found,) = findings(overlay)
    assert found.field == "reviews_held.removed"
    assert found.message.endswith("still uses it")
    assert str(BASE / "metrics") in found.message


def test_an_alias_that_would_grow_without_bound_is_refused(overlay: Path) -> None:
    write(overlay, "metrics/a.yaml", "a: &a [1, 2]\nb: &b [*a, *a]\nc: [*b, *b]\n")
    assert any("repeats another value by alias" in found.message for found in findings(overlay))
