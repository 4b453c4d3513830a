"""Arithmetic between metrics, as their formulas say it in CEL: + - * / and brackets over names of metrics and numbers. Exact.

The library parses and types what somebody wrote, with all numbers as doubles, so that `100 * a` and `1 - a` are in order; what it means
is worked out here in fractions. Unknown is None: a metric that is unknown, or a division by 0, makes all of it unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Literal as OneOf
from typing import NamedTuple

from common.catalogue.base import Model
from common.catalogue.cel import CelInvalid, compile_arithmetic
from common.catalogue.plain_cel import Call, Literal, Path, Tree

MARGIN = "settings.gross_margin"
"""The one name that is no metric's: what the settings say is left of a fee."""
MOST_METRICS = 50  # as many as one question may be about
Values = Mapping[str, Fraction | None]
ONE = Fraction(1)


class Factors(NamedTuple):
    """`scale` x product of `times` / product of `over`; each of them has the name of a metric in it."""

    scale: Fraction
    times: tuple[Tree, ...] = ()
    over: tuple[Tree, ...] = ()


@dataclass(frozen=True)
class Arithmetic:
    """A formula that can be worked out. Made by `arithmetic`."""

    tree: Tree

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The metrics that it is made of, each once, in order."""
        return tuple(name for name in names_in(self.tree) if name != MARGIN)

    @cached_property
    def factors(self) -> Factors:
        return _factors(self.tree)

    @cached_property
    def terms(self) -> tuple[tuple[int, Tree], ...]:
        """What is added (1) and taken away (-1)."""
        return tuple(_terms(self.tree, 1))

    @property
    def reads_margin(self) -> bool:
        return MARGIN in names_in(self.tree)

    @property
    def is_sum(self) -> bool:
        """Whether it adds up over whatever its metrics add up over: each term is a metric, or a number times one."""
        return _is_sum(self.tree)

    @cached_property
    def quotient(self) -> tuple[str, str] | None:
        """Of `a / b`, or a whole number times it, the two metrics; gross margin aside."""
        scale, times, over = self.factors
        sides = [
            [name for part in side for name in names_in(part) if name != MARGIN] for side in (times, over)
        ]
        plain = all(isinstance(part, Path) for part in (*times, *over))
        if not plain or [len(side) for side in sides] != [1, 1] or scale < 1 or scale.denominator > 1:
            return None
        return sides[0][0], sides[1][0]

    @cached_property
    def counts(self) -> str | None:
        """The metric whose accounts are counted: its first factor. None where that is a sum, in which accounts may be twice."""
        _, times, over = self.factors
        first = next(part for part in (*times, *over) if names_in(part) != (MARGIN,))
        return ".".join(first.names) if isinstance(first, Path) else None

    def value(self, values: Values) -> Fraction | None:
        return value_of(self.tree, values)

    def sides(self, values: Values) -> tuple[Fraction | None, Fraction | None]:
        """Numerator and denominator of what divides in the end, without the numbers that it is scaled by; else unknown both."""
        _, times, over = self.factors
        return (_product(times, values), _product(over, values)) if over else (None, None)


@lru_cache(maxsize=4096)
def arithmetic(source: str) -> Arithmetic:
    """Raises CelInvalid for what isn't arithmetic between metrics: why, and where."""
    tree = compile_arithmetic(source, MARGIN)
    _refuse(tree)
    made = Arithmetic(tree)
    if not made.names:
        raise CelInvalid("names no metric")
    if len(made.names) > MOST_METRICS:
        raise CelInvalid(f"names {len(made.names)} metrics, more than {MOST_METRICS}")
    return made


class Derived(Model):
    """Arithmetic between metrics in CEL, such as `mrr_new - mrr_churned` or `100 * complaints / paying_accounts`.

    Of their values in each bucket and slice. Unknown as soon as one of them is, or a divisor is 0. Numerator and denominator
    are those of the last division, without the numbers that scale it. `settings.gross_margin` is that of the settings.
    """

    type: OneOf["derived"]
    cel: str

    @property
    def arithmetic(self) -> Arithmetic:
        """Raises CelInvalid for a formula that `lint` refuses."""
        return arithmetic(self.cel)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What it is made of, each once, in order; nothing where `lint` refuses it."""
        try:
            return self.arithmetic.names
        except CelInvalid:
            return ()


def names_in(tree: Tree) -> tuple[str, ...]:
    """Of metrics, and of gross margin; each once, in order."""
    return tuple(dict.fromkeys(_names(tree)))


def value_of(tree: Tree, values: Values) -> Fraction | None:
    if isinstance(tree, Literal):
        return Fraction(tree.text)
    if isinstance(tree, Path):
        return values[".".join(tree.names)]
    parts = [value_of(part, values) for part in tree.parts]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    if len(known) == 1:
        return -known[0]
    left, right = known
    if tree.sign == "/":
        return left / right if right else None
    return left + right if tree.sign == "+" else left - right if tree.sign == "-" else left * right


def _names(tree: Tree) -> Iterator[str]:
    if isinstance(tree, Path):
        yield ".".join(tree.names)
    elif isinstance(tree, Call):
        for part in tree.parts:
            yield from _names(part)


def _refuse(tree: Tree) -> None:
    if isinstance(tree, Literal) and not tree.text.replace(".", "").isdecimal():
        raise CelInvalid(f"{tree.text} is no number such as 100 or 0.5")
    if isinstance(tree, Call):
        if tree.sign not in ("+", "-", "*", "/"):
            what = {"?:": "a choice", "has": "has()"}.get(tree.sign, tree.sign)
            raise CelInvalid(f"{what} is more than arithmetic")
        for part in tree.parts:
            _refuse(part)
        if tree.sign == "/" and not names_in(tree.parts[1]) and not value_of(tree.parts[1], {}):
            raise CelInvalid("divides by 0, so that it is never known")


def _terms(tree: Tree, sign: int) -> Iterator[tuple[int, Tree]]:
    if isinstance(tree, Call) and tree.sign in ("+", "-"):
        *left, right = tree.parts
        for part in left:
            yield from _terms(part, sign)
        yield from _terms(right, -sign if tree.sign == "-" else sign)
    else:
        yield sign, tree


def _is_sum(tree: Tree) -> bool:
    for _, term in _terms(tree, 1):
        _, times, over = _factors(term)
        its = [part for part in times if names_in(part) != (MARGIN,)]
        if len(its) != 1 or any(names_in(part) != (MARGIN,) for part in over):
            return False
        if not isinstance(its[0], Path) and not _is_sum(its[0]):
            return False
    return True


def _factors(tree: Tree) -> Factors:
    """Numbers and signs go into the scale. A quotient within a divisor stays one factor: its own divisor must not become a factor, which may be 0."""
    if not names_in(tree):
        scale = value_of(tree, {})
        assert scale is not None, "no constant divides by 0"
        return Factors(scale)
    if isinstance(tree, Call):
        made = [_factors(part) for part in tree.parts]
        if tree.sign == "-" and len(made) == 1:
            return Factors(-made[0].scale, made[0].times, made[0].over)
        if tree.sign == "*":
            one, other = made
            return Factors(one.scale * other.scale, one.times + other.times, one.over + other.over)
        if tree.sign == "/":
            one, other = made
            if other.over or not other.scale:
                return Factors(one.scale, one.times, (*one.over, tree.parts[1]))
            return Factors(one.scale / other.scale, one.times, one.over + other.times)
    return Factors(ONE, (tree,))


def _product(trees: tuple[Tree, ...], values: Values) -> Fraction | None:
    product = ONE
    for tree in trees:
        factor = value_of(tree, values)
        if factor is None:
            return None
        product *= factor
    return product
