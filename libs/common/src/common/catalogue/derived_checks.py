"""What must hold of arithmetic between metrics: it is arithmetic, and its units and roll-up are those of what it is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from common.catalogue.cel import CelInvalid
from common.catalogue.derived import Arithmetic, Derived
from common.catalogue.findings import Finding
from common.catalogue.models import Catalogue, Metric
from common.catalogue.places import Places
from common.catalogue.plain_cel import Literal, Path, Tree
from common.catalogue.source import Entry

_CEL = ("formula", "cel")
_ADVICE = (
    "Write names of metrics, settings.gross_margin and numbers such as 100 or 0.5 with + - * / and brackets"
)
# What is counted has no dimension; recurring money is money by the month, so that months come out of money over money.
_DIMENSIONS: Mapping[str, Mapping[str, int]] = {
    "money": {"money": 1},
    "money_per_day": {"money": 1, "days": -1},
    "days": {"days": 1},
    "hours": {"hours": 1},
    "logins_per_day": {"days": -1},
}
_COUNTED = ("count", "events", "users", "accounts", "logins")
# Every figure is worked out from all that it is made of, each as often as it is named, one in the other.
MOST_LEVELS, MOST_PARTS = 20, 1000


class _Unfit(Exception):
    """Two units that don't add up."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """`name`: of what has one, as a metric and a sum of such have; what is multiplied and divided has dimensions alone."""

    dimensions: Mapping[str, int] = field(default_factory=dict)
    name: str | None = None


def metrics_read(metric: Metric | None) -> tuple[str, ...]:
    """The metrics that a metric is derived from."""
    return metric.formula.metrics if metric is not None and isinstance(metric.formula, Derived) else ()


def check_sizes(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    """That no metric is made of more than can be worked out while somebody waits. What goes round in a circle has no size,
    and of what is made of something too large only that is told."""
    waiting = {made.name: metrics_read(made) for made in catalogue.metrics.values()}
    sizes: dict[str, int] = {}
    for level in range(MOST_LEVELS + 2):
        known = {
            name: 1 + sum(sizes.get(part, 1) for part in read)
            for name, read in waiting.items()
            if all(part in sizes or part not in catalogue.metrics for part in read)
        }
        for name in known:
            del waiting[name]
        if level <= MOST_LEVELS:
            sizes |= {name: size for name, size in known.items() if size <= MOST_PARTS}
        for name in known.keys() - sizes.keys():
            if level > MOST_LEVELS:
                message = f"is derived from derived metrics over more than {MOST_LEVELS} levels"
                advice = "Derive it from metrics that say more by themselves"
            else:
                message = f"is made of {known[name]} metrics, counting each as often as one of them names it; at most {MOST_PARTS} are allowed"
                advice = "Derive it from fewer metrics, or from such as are not derived in turn"
            yield places["metrics"][name].finding(_CEL, message, advice)


def check_derived(metric: Metric, formula: Derived, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    """Of a metric that names only metrics that there are."""
    try:
        made = formula.arithmetic
    except CelInvalid as error:
        yield entry.finding(_CEL, f"line {error.line}, column {error.column}: {error}", _ADVICE)
        return
    if metric.kind == "ratio" and not made.factors.over:
        yield entry.finding(("kind",), "ratio doesn't fit a formula that doesn't divide", "Use kind: derived")
    rollup = _rollup(made, catalogue)
    if metric.rollup != rollup:
        message = f"{metric.rollup} doesn't fit what {' and '.join(made.names)} make"
        yield entry.finding(("rollup",), message, f"Use rollup: {rollup}")
    yield from _units(metric, made, catalogue, entry)


def _rollup(made: Arithmetic, catalogue: Catalogue) -> str:
    """A sum rolls up as its metrics do; where these differ, and of all else, the value is worked out anew."""
    rollups = {catalogue.metrics[name].rollup for name in made.names}
    return rollups.pop() if made.is_sum and len(rollups) == 1 else "ratio"


def _units(metric: Metric, made: Arithmetic, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    try:
        unit = _unit(made.tree, {name: catalogue.metrics[name].unit for name in made.names})
    except _Unfit as error:
        advice = "Add what has one unit; multiply or divide by what makes one of the other"
        yield entry.finding(_CEL, str(error), advice)
        return
    its = dict(unit.dimensions)
    fits = metric.unit == "per_fte" or its == _DIMENSIONS.get(metric.unit, {})
    if not fits or (unit.name is not None and unit.name != _family(metric.unit)):
        fitting = sorted(name for name, dimensions in _DIMENSIONS.items() if dimensions == its)
        if unit.name is not None:
            fitting = list(_COUNTED) if unit.name == "count" else [unit.name]
        advice = f"Use unit: {' or '.join(fitting)}" if fitting else "Correct the formula"
        message = f"{metric.unit} doesn't fit: what comes out is {_shown(unit)}"
        yield entry.finding(
            ("unit",), message, advice if its or unit.name else "Use ratio, or name what is counted"
        )
    of_hundreds = any(catalogue.metrics[name].unit == "per_100" for name in made.names)
    if metric.unit == "per_100" and made.factors.over and made.factors.scale != 100 and not of_hundreds:
        advice = f"Write 100 * ({_text(metric)})"
        yield entry.finding(_CEL, "per_100 is a hundred times a ratio", advice)


def _text(metric: Metric) -> str:
    assert isinstance(metric.formula, Derived)
    return " ".join(metric.formula.cel.split())


def _unit(tree: Tree, units: Mapping[str, str]) -> _Unit:
    """Raises _Unfit."""
    if isinstance(tree, Literal):
        return _Unit()
    if isinstance(tree, Path):
        name = units.get(".".join(tree.names))
        return _Unit() if name is None else _Unit(_DIMENSIONS.get(name, {}), _family(name))
    parts = [_unit(part, units) for part in tree.parts]
    if len(parts) == 1:
        return parts[0]
    left, right = parts
    if tree.sign in ("+", "-"):
        return _added(left, right, tree.sign)
    made = Counter(left.dimensions)
    for dimension, power in right.dimensions.items():
        made[dimension] += power if tree.sign == "*" else -power
    return _Unit({dimension: power for dimension, power in made.items() if power})


def _added(left: _Unit, right: _Unit, sign: str) -> _Unit:
    if dict(left.dimensions) != dict(right.dimensions) or (
        left.name is not None and right.name is not None and left.name != right.name
    ):
        raise _Unfit(f"{_shown(left)} {sign} {_shown(right)} don't add up")
    return left if right.name is None else right


def _family(unit: str) -> str:
    return "count" if unit in _COUNTED else unit


def _shown(unit: _Unit) -> str:
    if unit.name is not None:
        return unit.name
    times = [name for name, power in unit.dimensions.items() for _ in range(power)]
    over = [name for name, power in unit.dimensions.items() for _ in range(-power)]
    return " x ".join(times or ["a number"]) + (f" / {' / '.join(over)}" if over else "")
