"""What stands above the metrics: rules of the tree, of circles and of versions, on made-up catalogues."""

import re
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.catalogue import load
from common.catalogue.changes import changes, lowered, meaning, misdated, recount, unversioned
from common.catalogue.findings import Finding
from common.catalogue.graphs import circle, circles
from common.catalogue.loading import examine
from common.catalogue.models import Catalogue, Metric
from common.catalogue.places import Places
from common.catalogue.source import Document, Entry
from common.catalogue.tree import Goal, Kpi, Tree
from common.catalogue.tree_checks import CATEGORIES, STAGES, check_tree

BASE = Path(__file__).parents[3] / "catalogue"
PACK = load(BASE)
EVENTS = PACK.metrics["events"]

edges = st.dictionaries(st.integers(0, 6), st.lists(st.integers(0, 6), max_size=3), max_size=7)


def reaches(edges: dict[int, list[int]], start: int, goal: int) -> bool:
    seen, waiting = set[int](), [start]
    while waiting:
        for after in edges.get(waiting.pop(), ()):
            if after == goal:
                return True
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return False


@given(edges)
def test_a_circle_is_found_exactly_where_there_is_one(edges: dict[int, list[int]]) -> None:
    for start in range(7):
        way = circle(start, lambda place: edges.get(place, ()))
        assert (way is not None) == reaches(edges, start, start)
        if way is not None:
            assert way[0] == way[-1] == start
            assert all(after in edges[place] for place, after in pairwise(way))
    found = circles(edges, lambda place: edges.get(place, ()))
    assert bool(found) == any(reaches(edges, start, start) for start in edges)


Kind = tuple[str, str]
kinds = st.lists(st.tuples(st.sampled_from(CATEGORIES), st.sampled_from(STAGES)), min_size=1, max_size=14)


def findings_of(kinds: list[Kind], orphans: int = 0) -> list[Finding]:
    """Of a tree of one KPI for each (category, stage), with metrics beside that stand nowhere."""
    metrics: dict[str, Metric] = {
        f"m{number}": EVENTS.model_copy(update={"name": f"m{number}", "category": category, "stage": stage})
        for number, (category, stage) in enumerate([*kinds, *[("quality", "adopt")] * orphans])
    }
    goal = Goal(name="g", label="Win", kpis=tuple(Kpi(metric=f"m{number}") for number in range(len(kinds))))
    made = Catalogue(metrics=metrics, goals={"g": goal}, tree=Tree(mission="m"))

    def entry(value: dict[str, Any]) -> Entry:
        return Entry(Document("f", value, {}), (), value)

    places: Places = {
        "metrics": {name: entry({"name": name}) for name in metrics},
        "goals": {"g": entry({"name": "g"})},
        "tree.yaml": {"": entry({"mission": "m"})},
    }
    return list(check_tree(made, places))


@settings(deadline=None)
@given(kinds, st.integers(0, 3))
def test_a_tree_needs_all_three_categories_and_is_told_what_a_stage_lacks(
    kinds: list[Kind], orphans: int
) -> None:
    found = findings_of(kinds, orphans)
    missing = {category for category in CATEGORIES if all(category != one for one, _ in kinds)}
    errors = [one for one in found if one.severity == "error"]
    assert len(errors) == bool(missing)
    assert all(category in errors[0].message for category in missing)
    lacking = [stage for stage in STAGES if {one for one, at in kinds if at == stage} != {*CATEGORIES}]
    stages = [one for one in found if one.message.startswith("stage ")]
    assert [one.message.split()[1] for one in stages] == ([] if missing else lacking)
    assert len([one for one in found if "serves no goal" in one.message]) == orphans


def test_the_base_pack_gives_every_metric_a_place_and_nothing_to_warn_of() -> None:
    assert [str(one) for one in examine(BASE).findings] == []


@pytest.mark.parametrize(
    ("label", "warned"),
    [
        ("Launch the app", True), ("building trust", True), ("Released features", True), ("The best support", True),
        ("Keep customers", False), ("Relaunch nothing", False), ("Builders first", False), ("Anchor value", False),
    ],
)  # fmt: skip
def test_goals_are_about_customers_and_begin_with_a_verb(tmp_path: Path, label: str, warned: bool) -> None:
    (tmp_path / "goals").mkdir()
    text = f"name: own\nlabel: {label}\nkpis: [{{metric: reviews_held}}]\n"
    (tmp_path / "goals" / "own.yaml").write_text(text, encoding="utf-8")
    found = [one for one in examine(BASE, [tmp_path]).warnings if one.field == "own.label"]
    assert bool(found) == warned


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("segments", "name: own\nlabel: O\nfilter: {pln: [pro]}\n", "no account is known to have a trait 'pln'"),
        ("drivers", "name: own\ndriver: complaints\nmoves: nrr\neffect: raises\nlag_days: 9\nwhy: w\nowner: o\nteam: t\ncontrol: shared\n", "a better complaints would make nrr worse"),
        ("goals", "name: own\nlabel: Win\n", "has no KPI, and no goal serves it"),
        ("scorecard.yaml", "kpis: [nps, reviews_held, mrr]\n", "KPI 'reviews_held' stands in no goal of the tree"),
        ("scorecard.yaml", "kpis: [nps, mrr]\n", "KPI 'mrr' is held against nothing"),
        ("scorecard.yaml", "kpis: [nps, mrr]\n", "nothing on the scorecard is about stage onboard"),
    ],
)  # fmt: skip
def test_what_is_odd_but_possible_is_a_warning(tmp_path: Path, file: str, text: str, says: str) -> None:
    place = tmp_path / file if file.endswith(".yaml") else tmp_path / file / "own.yaml"
    place.parent.mkdir(exist_ok=True)
    place.write_text(text, encoding="utf-8")
    examined = examine(BASE, [tmp_path])
    assert not examined.errors
    assert says in [one.message for one in examined.warnings]


def test_a_metric_that_an_overlay_removes_leaves_the_tree_with_all_that_hangs_on_it(tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "own.yaml").write_text("{name: nps, removed: true}\n", encoding="utf-8")
    made = load(BASE, [tmp_path])
    assert made.scorecard is not None
    assert "nps" not in made.scorecard.kpis
    assert not [kpi for goal in made.goals.values() for kpi in goal.kpis if kpi.metric == "nps"]
    assert not [edge for edge in made.drivers.values() if "nps" in (edge.driver, edge.moves)]


def test_a_metric_that_means_something_else_is_another_version() -> None:
    def told(**change: Any) -> list[str]:
        changed = PACK.metrics | {"events": EVENTS.model_copy(update=change)}
        return list(unversioned(PACK, PACK.model_copy(update={"metrics": changed})))

    assert told(rollup="last") == told(formula=PACK.metrics["stories"].formula) == ["events"]
    assert told(rollup="last", version=2) == told(description="New words.") == told(owner="Others") == []


def test_a_metric_made_of_what_counts_otherwise_means_something_else() -> None:
    def told(measure: str, version: int = 1, **change: Any) -> dict[str, list[str]]:
        measures = PACK.measures | {measure: PACK.measures[measure].model_copy(update=change)}
        named = {name: made.model_copy(update={"version": version}) for name, made in PACK.metrics.items()}
        return unversioned(PACK, PACK.model_copy(update={"measures": measures, "metrics": named}))

    narrowed = told("key_actions", where="event.data.feature == 'export'")
    assert narrowed == {
        "value_active_accounts": ["measure key_actions"],
        "results_per_fte": ["metric value_active_accounts"],
    }
    assert told("invoices", exclude_internal=False) == {"involuntary_churn": ["measure invoices"]}
    assert told("key_actions", version=2, where="event.data.feature == 'export'") == {}
    assert told("key_actions", description="New words.") == told("active_users", windows=(7, 28, 90)) == {}


@settings(deadline=None, max_examples=40)
@given(
    st.sets(st.sampled_from(sorted(PACK.measures)), max_size=3),
    st.sets(st.sampled_from(sorted(PACK.metrics)), max_size=9),
)
def test_whatever_counts_otherwise_is_said_of_all_that_is_made_of_it(
    other: set[str], raised: set[str]
) -> None:
    measures = {
        name: made.model_copy(update={"exclude_internal": not made.exclude_internal})
        if name in other
        else made
        for name, made in PACK.measures.items()
    }
    metrics = {
        name: made.model_copy(update={"version": made.version + (name in raised)})
        for name, made in PACK.metrics.items()
    }
    after = PACK.model_copy(update={"measures": measures, "metrics": metrics})

    def is_made_of_it(name: str) -> bool:
        formula = PACK.metrics[name].formula.model_dump()
        if formula["type"] == "derived":
            words = re.findall(r"[a-z]\w+", formula["cel"])
            return any(is_made_of_it(word) for word in words if word in PACK.metrics)
        parts = [
            formula,
            *formula.get("conditions", ()),
            *(formula[side] for side in ("numerator", "denominator") if side in formula),
        ]
        return any(
            part.get(field) in other for part in parts for field in ("measure", "plans", "mrr", "invoices")
        )

    otherwise = {name for name in PACK.metrics if is_made_of_it(name)}
    assert set(unversioned(PACK, after)) == otherwise - raised
    assert {name for name in PACK.metrics if meaning(name, PACK) != meaning(name, after)} == otherwise
    assert lowered(PACK, after) == []
    assert set(lowered(after, PACK)) == raised


def test_versions_of_a_metric_follow_each_other_by_their_days() -> None:
    first, today = EVENTS.effective_from, EVENTS.effective_from + timedelta(days=30)

    def told(before: Catalogue = PACK, **change: Any) -> list[str]:
        changed = before.metrics | {"events": EVENTS.model_copy(update=change)}
        return misdated(before, before.model_copy(update={"metrics": changed}), today)

    second = PACK.model_copy(
        update={"metrics": {"events": EVENTS.model_copy(update={"version": 2, "effective_from": today})}}
    )
    assert told() == told(version=2) == told(version=2, effective_from=today) == []
    assert told(second, version=3, effective_from=today) == []
    (early,) = told(version=2, effective_from=first - timedelta(days=1))
    assert "before version 1 was" in early
    (late,) = told(version=2, effective_from=today + timedelta(days=1))
    assert "to come; apply it on that day" in late
    (new,) = misdated(Catalogue(), Catalogue(metrics={"events": EVENTS}), first - timedelta(days=1))
    assert "to come" in new
    assert told(second, version=1) == []


measures = st.sets(st.sampled_from(sorted(PACK.measures)), max_size=4)


@settings(deadline=None, max_examples=30)
@given(measures, measures)
def test_what_changes_is_told_by_name_and_counted_again_where_it_counts(
    gone: set[str], other: set[str]
) -> None:
    """`other` count fewer events from now on; what is said in words alone counts nothing again."""
    before = Catalogue(settings=PACK.settings, event_types=PACK.event_types, measures=PACK.measures)
    after = before.model_copy(
        update={
            "measures": {
                name: made.model_copy(
                    update={"description": "New words."}
                    | ({"where": "event.type != 'none'"} if name in other else {})
                )
                for name, made in PACK.measures.items()
                if name not in gone
            }
        }
    )
    told = changes(before, after)
    assert {one.name for one in told if one.what == "removed"} == gone
    assert {one.name for one in told if one.what == "changed"} == set(PACK.measures) - gone
    assert {one.name for one in told if "where" in one.fields} == other - gone
    assert other - gone <= set(recount(before, after).measures)
    assert changes(after, after) == []
    assert recount(after, after).measures == ()
