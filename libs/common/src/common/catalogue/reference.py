"""The metrics of a catalogue as a page of reference, made from the definitions so that it can't say anything else."""

from __future__ import annotations

from collections.abc import Sequence

from common.catalogue.derived import Derived
from common.catalogue.economics_checks import ECONOMICS
from common.catalogue.economics_reference import formula_text
from common.catalogue.lifecycles import (
    SEATS,
    Answers,
    Churn,
    Committed,
    Conversion,
    Coverage,
    Duration,
    Entered,
    MovedOn,
    Open,
    Qualified,
    Renewal,
    Seats,
    Share,
    Silence,
)
from common.catalogue.models import (
    Catalogue,
    Formula,
    Measure,
    Metric,
    Movement,
    Nps,
    Ratio,
    Rolling,
    SemiAdditive,
    Simple,
    Term,
)
from common.catalogue.tree_reference import above_the_metrics

_STAGES = ("onboard", "adopt", "retain", "grow")
_HEAD = """# Metrics of the base pack

Made from `catalogue/` by `python -m common.catalogue.reference`; a test compares the two. What holds for every metric is in
[Catalogue](catalogue.md).
"""


def metrics_page(catalogue: Catalogue) -> str:
    """Markdown: goals and drivers, metrics by stage, then the measures they are built from."""
    parts = [_HEAD, *above_the_metrics(catalogue)]
    for stage in _STAGES:
        found = [metric for metric in catalogue.metrics.values() if metric.stage == stage]
        if found:
            parts.append(f"\n## {stage.capitalize()}\n")
            parts.extend(_metric(metric) for metric in found)
    parts.append("\n## Measures\n\n| measure | counts | kept by | windows |\n| --- | --- | --- | --- |\n")
    parts.extend(_measure(measure) for measure in catalogue.measures.values())
    return "".join(parts)


def _metric(metric: Metric) -> str:
    facts = (
        f"{metric.unit}, {metric.direction} is better",
        f"{metric.kind}, rolled up by {metric.rollup}",
        f"settles after {metric.settles_after}",
        f"version {metric.version} from {metric.effective_from}",
    )
    return (
        f"\n### `{metric.name}`: {metric.label}\n\n{metric.description}\n\n"
        f"{_formula(metric.formula)}. {'; '.join(facts)}.\n"
        f"Used for: {metric.decision}. Owner: {metric.owner}.\n"
    )


def _formula(formula: Formula) -> str:
    if isinstance(formula, Simple):
        return f"Sum of `{formula.measure}` over the bucket"
    if isinstance(formula, Rolling):
        share = "" if formula.divide_by == 1 else f", divided by {formula.divide_by}"
        return f"`{formula.measure}` over the {_days(formula.window_days)} ending with the bucket{share}"
    if isinstance(formula, Ratio):
        less = ", less 1" if formula.minus_one else ""
        least = f"; unknown under {formula.min_base} in the denominator" if formula.min_base else ""
        return f"{_term(formula.numerator)} over {_term(formula.denominator)}{less}{least}"
    if isinstance(formula, Nps):
        return f"Promoters less detractors of `{formula.measure}` by {formula.by}, marked under n = {formula.min_n}"
    if isinstance(formula, SemiAdditive):
        what = "summed over accounts" if formula.sum == "value" else "as the number of accounts that have any"
        return f"State of `{formula.measure}` just before the bucket's end, {what}"
    if isinstance(formula, Movement):
        when = "between the two ends of the bucket"
        if formula.months is not None:
            when = f"over the {formula.months} months before the bucket's end"
        return f"Movement `{formula.movement}` of `{formula.measure}` {when}"
    if isinstance(formula, Committed | Renewal | Churn):
        return _of_revenue(formula)
    if isinstance(formula, Derived):
        return f"`{formula.cel}`"
    if isinstance(formula, Qualified | Seats | Silence):
        return _of_accounts(formula)
    if isinstance(formula, Coverage):
        within = f"the contact interval of the engagement model that the trait `{formula.model}` names"
        what = "MRR of accounts" if formula.weigh == "mrr" else "Accounts"
        plans = (
            f" and {_steps(formula.plan_steps)} of `{formula.plans}` in {_days(formula.plan_days)}"
            if formula.plans
            else ""
        )
        return f"{what} with {_steps((formula.step,))} of `{formula.measure}` within {within}{plans}, over that of all with the trait `{formula.owner}`"
    if isinstance(formula, MovedOn):
        of = f"into `{formula.step}` " if formula.step else ""
        return f"Entries {of}of `{formula.measure}` that were followed by another step within {_days(formula.within_days)}"
    if isinstance(formula, ECONOMICS):
        return formula_text(formula)
    return _of_cases(formula) + _window(formula)


def _of_accounts(formula: Qualified | Seats | Silence) -> str:
    if isinstance(formula, Qualified):
        met = [
            f"`{one.measure}` over {_days(one.window_days)} is at least {one.at_least}"
            for one in formula.conditions
        ]
        return f"Accounts where {' and '.join(met)}, on the bucket's last day"
    if isinstance(formula, Silence):
        return f"Accounts of `{formula.measure}` silent for N days over those active in the N days before; N is the larger of {formula.least_days} and {formula.gaps} usual gaps"
    people = f"`{formula.measure}` of {_days(formula.window_days)}"
    number = f"the trait `{formula.trait}`"
    if formula.trait == SEATS:
        number += " (else the seats of running subscriptions)"
    if formula.of == "used":
        return f"{people}, no account above {number}"
    if formula.of == "rate":
        return f"{people} over {number}, of accounts that have it"
    return f"Accounts where {people} is at least half {number} in {formula.in_windows} of {formula.windows} windows"


def _window(formula: Entered | Duration | Conversion | Open | Share | Answers) -> str:
    if isinstance(formula, Open) or formula.window_days is None:
        return ""
    before = (
        f", which end {_days(formula.offset_days)} before the bucket's end" if formula.offset_days else ""
    )
    return f" (instead of the bucket {_days(formula.window_days)} up to its end{before})"


def _of_revenue(formula: Committed | Renewal | Churn) -> str:
    if isinstance(formula, Committed):
        return "MRR without what is under notice, just before the bucket's end, summed over accounts"
    if isinstance(formula, Renewal):
        what = "MRR" if formula.by == "mrr" else "accounts"
        return f"Renewed over decided {what} of the terms due in the bucket; low and high with what is open"
    which = {
        "involuntary": f"after a failed invoice of `{formula.invoices}` in the {formula.within_days} days before",
        "avoidable": f"for a reason other than {', '.join(formula.unavoidable) or 'none'}, or for none known",
        "coded": "with a reason",
        "due": "with a term that ends in the bucket",
    }[formula.of]
    if formula.of == "due":
        return f"MRR {which}, over MRR at the bucket's start"
    return f"Churned MRR {which}, over {'all churned MRR' if formula.of == 'coded' else 'MRR at the start'}"


def _of_cases(formula: Entered | Duration | Conversion | Open | Share | Answers) -> str:
    if isinstance(formula, Answers):
        what = "Mean" if formula.value == "mean" else f"Share of at least {formula.at_least}"
        which = f" to `{formula.survey}`" if formula.survey else ""
        return f"{what} of {formula.survey_kind} answers{which} from {formula.lowest} to {formula.highest}"
    of = f"of `{formula.measure}`"
    if isinstance(formula, Entered):
        sums = {"entities": "Number", "amount": "Sum of amounts", "mean_amount": "Mean of amounts"}
        which = f" with a {formula.labelled}" if formula.labelled else ""
        return f"{sums[formula.sum]} {of}{which} that took {_steps((formula.step,))} in the bucket"
    if isinstance(formula, Share):
        return (
            f"Share {of} with {_steps((formula.step,))} among {_steps(formula.among)}, by the first of them"
        )
    if isinstance(formula, Open):
        what = "Number" if formula.sum == "entities" else "Sum of amounts"
        return f"{what} {of} with {_steps(formula.start)} and without {_steps(formula.end)} just before the bucket's end"
    way = f"{of} from {_steps(formula.start)} to {_steps(formula.end)}"
    if isinstance(formula, Conversion):
        who = ", each person by themselves" if formula.by_person else ""
        return f"Share {way} within {_days(formula.within_days)}{who}"
    share = "Median" if formula.quantile == 0.5 else f"{formula.quantile:.0%} quantile"
    when = "started" if formula.cohort == "start" else "ended"
    left = f", censored at {_steps(formula.left)}" if formula.left else ""
    return f"{share} of {formula.clock} time {way}, of those that {when} in the bucket{left}"


def _steps(names: Sequence[str]) -> str:
    return " or ".join(f"`{name}`" for name in names)


def _term(term: Term) -> str:
    what = "sum" if term.agg == "sum" else "own window"
    before = f" that end {_days(term.offset_days)} before" if term.offset_days else ""
    share = "" if term.divide_by == 1 else f" divided by {term.divide_by}"
    return f"({what} of `{term.measure}` over {_days(term.window_days)}{before}{share})"


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def _measure(measure: Measure) -> str:
    if measure.agg == "steps":
        steps = ", ".join(f"`{step.name or step.name_from}`" for step in measure.steps)
        of = (
            f" of each {', '.join(f'`{path}`' for path in measure.entity)}"
            if measure.entity
            else " of each account"
        )
        return f"| `{measure.name}` | steps {steps}{of} | event | - |\n"
    types = "activity events" if measure.activity else ", ".join(f"`{name}`" for name in measure.event_types)
    counted = (
        f"{measure.agg} of {types.replace('`*`', 'all events')}" if types else f"{measure.agg}, built in"
    )
    windows = ", ".join(_days(days) for days in measure.windows) or "-"
    return f"| `{measure.name}` | {counted} | {measure.grain} | {windows} |\n"


if __name__ == "__main__":
    from common.catalogue.loading import base_pack, load

    print(metrics_page(load(base_pack())), end="")  # noqa: T201
