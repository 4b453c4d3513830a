"""What formulas name besides measures, metrics and steps: traits, labels, figures of accounts, bands of health."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from common.catalogue.cel import ACCOUNT_FIGURES
from common.catalogue.economics import AtRisk, Benefit, Lifetime, RelativeTrend, RiskResolved
from common.catalogue.field_checks import steps_named
from common.catalogue.findings import Finding
from common.catalogue.lifecycles import Churn, Coverage, Seats, Share
from common.catalogue.models import Catalogue, Metric
from common.catalogue.segment_checks import known_traits
from common.catalogue.source import Entry

_OF_INVOICES = ("failed", "paid")


def check_named(metric: Metric, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    """Of a metric whose measures are known: what would leave its figure unknown, or always the same, for good."""
    yield from _traits(metric, catalogue, entry)
    formula = metric.formula
    if isinstance(formula, AtRisk):
        yield from _probability(formula, entry)
    elif isinstance(formula, Benefit):
        yield from _effort(formula, catalogue, entry)
    elif isinstance(formula, RiskResolved) and formula.trait is None:
        yield from _bands(formula, catalogue, entry)
    elif isinstance(formula, Churn):
        yield from _invoices(formula, catalogue, entry)
    elif isinstance(formula, Seats) and formula.of == "adopted" and formula.in_windows > formula.windows:
        message = f"{formula.in_windows} of {formula.windows} windows: no account can be adopted"
        yield entry.finding(("formula", "in_windows"), message, f"Write at most {formula.windows}")
    elif isinstance(formula, Share) and formula.step not in formula.among:
        message = f"{formula.step!r} is none of among, so that the share would always be 0"
        yield entry.finding(("formula", "step"), message, f"Add {formula.step} to among")


def _traits(metric: Metric, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    formula, known = metric.formula, known_traits(catalogue)
    named: dict[str, str | None] = {}
    if isinstance(formula, RiskResolved):
        named = {"trait": formula.trait}
    elif isinstance(formula, Lifetime | RelativeTrend):
        named = {"by": formula.by}
    elif isinstance(formula, Coverage):
        named = {"owner": formula.owner, "model": formula.model}
    for field, trait in named.items():
        if trait is not None and trait not in known:
            advice = "Correct its name, or add it to dimensions in settings.yaml"
            message = f"no account is known to have a trait {trait!r}"
            yield entry.warning(("formula", field), message, advice)


def _probability(formula: AtRisk, entry: Entry) -> Iterator[Finding]:
    """Of the figures that an account has, as rules read them by `a`."""
    numbers = sorted(name for name, kind in ACCOUNT_FIGURES.items() if kind == "number")
    if formula.probability not in numbers:
        close = get_close_matches(formula.probability, numbers, n=1)
        advice = (
            f"Did you mean {close[0]!r}?" if close else "Leave it out: renewal_risk is each renewal's own"
        )
        message = f"no account has a figure {formula.probability!r}"
        yield entry.finding(("formula", "probability"), message, advice)


def _effort(formula: Benefit, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    measure = catalogue.measures[formula.measure]
    if measure.agg == "steps" and formula.effort not in measure.labels:
        advice = f"Add it to the labels of {measure.name!r}"
        yield entry.finding(("formula", "effort"), f"label {formula.effort!r} is not kept", advice)


def _bands(formula: RiskResolved, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    known = sorted({band.name for profile in catalogue.health.values() for band in profile.bands})
    for field, bands in (("at_risk", formula.at_risk), ("healthy", formula.healthy)):
        for position, band in enumerate(bands):
            if known and band not in known:
                message = f"no health profile has a band {band!r}"
                advice = f"Use one of {', '.join(known)}, or name the trait that says so"
                yield entry.finding(("formula", field, position), message, advice)


def _invoices(formula: Churn, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    if formula.of != "involuntary":
        return
    kept = catalogue.measures.get(formula.invoices or "")
    steps = steps_named(kept, catalogue) if kept is not None and kept.agg == "steps" else (frozenset(), False)
    if steps is not None and not steps[0].issuperset(_OF_INVOICES):
        advice = "Name a measure of agg steps with the steps failed and paid"
        yield entry.finding(("formula", "invoices"), "of: involuntary needs the steps of invoices", advice)
