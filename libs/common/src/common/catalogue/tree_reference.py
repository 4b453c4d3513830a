"""The goals, KPIs and drivers of a catalogue, for the page of reference."""

from __future__ import annotations

from collections.abc import Iterator

from common.catalogue.models import Catalogue
from common.catalogue.tree import Driver, Goal


def above_the_metrics(catalogue: Catalogue) -> Iterator[str]:
    """Markdown: the goals with their KPIs, then the edges below them."""
    if catalogue.tree is not None:
        yield f"\n## Goals\n\n{catalogue.tree.mission}\n\n"
    for goal in catalogue.goals.values():
        yield _goal(goal, catalogue)
    if catalogue.drivers:
        yield (
            "\n## Drivers\n\nBelieved, until a company's own figures show them.\n\n"
            "| driver | effect | moves | after | team | control |\n| --- | --- | --- | --- | --- | --- |\n"
        )
    for edge in catalogue.drivers.values():
        yield _edge(edge)


def _goal(goal: Goal, catalogue: Catalogue) -> str:
    serves = f" (serves: {catalogue.goals[goal.serves].label})" if goal.serves else ""
    stars = set(catalogue.scorecard.kpis) if catalogue.scorecard else set()
    kpis = ", ".join(
        f"`{kpi.metric}`{' (scorecard)' if kpi.metric in stars else ''}"
        + (f" with {', '.join(f'`{name}`' for name in kpi.beside)}" if kpi.beside else "")
        for kpi in goal.kpis
    )
    return f"- **{goal.label}**{serves}: {kpis}\n"


def _edge(edge: Driver) -> str:
    return f"| `{edge.driver}` | {edge.effect} | `{edge.moves}` | {edge.lag_days} days | {edge.team} | {edge.control} |\n"
