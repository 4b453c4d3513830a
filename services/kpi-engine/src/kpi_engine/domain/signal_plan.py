"""A tenant's signals, and what has to be read for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.catalogue.models import Catalogue, Measure
from common.catalogue.signals import Burst, Moved, Signal
from common.signals.judging import figures_read, span_of
from common.signals.states import sources_of
from common.tracking.reads import Reads, of_signal
from common.tracking.verdicts import Broken

TODAY = 1
# Who was active eight weeks ago is read anyway.
LEAST_SPAN = 56 + TODAY
_STEPS = "steps"


@dataclass(frozen=True, slots=True)
class SignalPlan:
    """`counted`: measures whose days are read. `span`: how many days, today included.

    `figures`: those that signals read. `compared`: traits with the measures of which the days of all accounts with the same value are read too. `steps`: measures of steps, with their steps, and `kinds` of data.
    `reads`: which events each signal rests on.
    """

    signals: tuple[Signal, ...]
    counted: frozenset[str]
    figures: frozenset[str]
    compared: tuple[tuple[str, str], ...]
    span: int
    kinds: frozenset[str]
    steps: Mapping[str, tuple[str, ...]]
    reads: Mapping[str, Reads]

    def names(self, kind: str) -> list[str]:
        """`names("trait")` of `trait.seats` is `seats`."""
        start = f"{kind}."
        return sorted(name.removeprefix(start) for name in self.kinds if name.startswith(start))

    def broken(self, faults: Sequence[Broken]) -> frozenset[str]:
        """The signals that these faults may make say what isn't so."""
        return frozenset(name for name, reads in self.reads.items() if faults and reads.is_hit(faults))


def signal_plan(catalogue: Catalogue) -> SignalPlan:
    signals = tuple(sorted(catalogue.signals.values(), key=lambda one: one.name))
    tests = [one.test for one in signals]
    kinds = frozenset(kind for one in signals for kind in sources_of(one))
    return SignalPlan(
        signals=signals,
        counted=frozenset(test.measure for test in tests if isinstance(test, Moved | Burst)),
        figures=frozenset(name for one in signals for name in figures_read(one)),
        compared=tuple(
            sorted(
                {
                    (trait, test.measure)
                    for test in tests
                    if isinstance(test, Moved)
                    for trait in test.excused_by
                }
            )
        ),
        span=max(LEAST_SPAN, *(span_of(one) for one in signals)) if signals else LEAST_SPAN,
        kinds=kinds,
        steps={
            name: _steps_of(catalogue.measures[name])
            for kind in kinds
            if (name := kind.removeprefix("measure.")) in catalogue.measures
            and catalogue.measures[name].agg == _STEPS
        },
        reads={one.name: of_signal(catalogue, one.name) for one in signals},
    )


def _steps_of(measure: Measure) -> tuple[str, ...]:
    return tuple(step.name for step in measure.steps if step.name)


def kinds_of_counts(plan: SignalPlan, measures: Mapping[str, Measure]) -> Sequence[tuple[str, str]]:
    """(kind, row) of every kind of data that is kept as counts."""
    found = []
    for name in plan.names("measure"):
        measure = measures.get(name)
        if measure is not None and measure.agg != _STEPS:
            found.append((f"measure.{name}", name))
    if "answers" in plan.kinds:
        found.append(("answers", "nps_answers"))
    return found
