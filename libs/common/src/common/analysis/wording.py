"""What an explanation says in one plain sentence."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from common.analysis import exact
from common.analysis.explaining import Explanation, Input
from common.analysis.movements import WORDS
from common.figures.slices import GroupKey, said

_MOST_NAMED = 3
_MOST_PLACES = 5
_MOST_REASONS = 4
# What is less than this share of everything that moved isn't worth words.
_WORTH_SAYING = Fraction(1, 50)


def amount_text(amount: Fraction, unit: str, currency: str | None) -> str:
    """A difference without its sign: `2.1 points`, `1,200.00 EUR`, `1 day`."""
    size = abs(amount)
    if unit == "ratio":
        return _counted(_number(size * 100), "points")
    if unit in ("money", "money_per_day"):
        return f"{exact.shown(size):,.2f} {currency or ''}".rstrip()
    return _counted(_number(size), _UNITS[unit]) if unit in _UNITS else _number(size)


def value_text(value: Fraction, unit: str, currency: str | None, places: int = 1) -> str:
    if unit == "ratio":
        return f"{_number(value * 100, places)} %"
    sign = "-" if value < 0 else ""
    if unit in ("money", "money_per_day"):
        return sign + amount_text(value, unit, currency)
    return sign + _counted(_number(abs(value), places), _UNITS.get(unit, ""))


def _from_to(start: Fraction, end: Fraction, unit: str, currency: str | None) -> str:
    """With as many places as it takes to tell them apart."""
    for places in range(1, _MOST_PLACES):
        one, other = (value_text(value, unit, currency, places) for value in (start, end))
        if one != other:
            break
    return f"from {one} to {other}"


def _counted(number: str, unit: str) -> str:
    return f"{number} {unit.removesuffix('s') if number == '1' and ' ' not in unit else unit}".rstrip()


def sentence(told: Explanation) -> str:
    metric = told.evidence.metric
    unit, currency = metric.unit, told.currency
    change = told.change
    if told.start is None or change is None:
        which = "earlier" if told.evidence.earlier.whole.value is None else "later"
        return f"{metric.label} is unknown in the {which} period, so there is no change to explain."
    end = told.start + change
    if not change:
        moved = [one for one in _reasons(told) if one[0]]
        same = f"{metric.label} stayed at {value_text(end, unit, currency)}"
        return f"{same}: what moved cancels out." if moved else f"{same}."
    verb = "rose" if change > 0 else "fell"
    head = f"{metric.label} {verb} {amount_text(change, unit, currency)}, {_from_to(told.start, end, unit, currency)}"
    reasons = sorted(_reasons(told), key=lambda one: -abs(one[0]))
    floor = sum((abs(amount) for amount, _ in reasons), Fraction(0)) * _WORTH_SAYING
    said = [one for one in reasons if abs(one[0]) > floor][:_MOST_REASONS]
    with_it = [f"{amount_text(a, unit, currency)} {why}" for a, why in said if (a > 0) == (change > 0)]
    against = [f"{amount_text(a, unit, currency)} {why}" for a, why in said if (a > 0) != (change > 0)]
    text = f"{head}: {', '.join(with_it)}" if with_it else head
    return f"{text}; the other way {', '.join(against)}." if against else f"{text}."


def _reasons(told: Explanation) -> list[tuple[Fraction, str]]:
    evidence, amounts = told.evidence, told.amounts
    definition = evidence.definition
    found = [
        (
            amounts["definition"],
            f"from its new definition (version {definition.later_version} instead of {definition.earlier_version})",
        ),
        (amounts["late_data"], "from data that arrived after the earlier period was complete"),
        (amounts["missing_data"], f"from data that is missing, as an estimate ({_silent(told)})"),
        (amounts["mix"], f"from other shares of {', '.join(evidence.by)} ({_shifts(told)})"),
        *((one.amount, _input_words(one)) for one in told.inputs),
    ]
    return [one for one in found if one[0]]


def _silent(told: Explanation) -> str:
    names = list(dict.fromkeys(str(spell["name"]) for spell in told.evidence.missing.spells))
    return f"{_listed(names)} fell silent"


def _shifts(told: Explanation) -> str:
    """The slice that shifted most."""
    if not told.slices:
        return ""
    key, part = max(told.slices.items(), key=lambda one: abs(one[1].mix))
    before, after = (f"{_number(share * 100)} %" for share in (part.share_before, part.share_after))
    return f"{slice_text(key)} went from {before} to {after} of it"


def slice_text(key: GroupKey) -> str:
    return (
        " / ".join(
            "unset" if text is None else value if isinstance(value := said(text), str) else text
            for text in key
        )
        or "all"
    )


def _input_words(one: Input) -> str:
    more = "more" if one.more else "less"
    if one.name == "per_account":
        return f"from {more} per account"
    if one.name == "accounts":
        return f"from {'more' if one.more else 'fewer'} accounts"
    if one.name == "value":
        return f"from {one.words}"
    if one.words != WORDS.get(one.name):
        return f"from {'a higher' if one.more else 'a lower'} {one.words}"
    if not one.accounts or not one.more:
        return f"from {more} {one.words}"
    count = len(one.accounts)
    return f"from {more} {one.words}, at {count} account{'s' if count > 1 else ''} ({_listed(one.accounts)})"


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:_MOST_NAMED])
    if len(names) > _MOST_NAMED:
        return f"{', '.join(shown)} and {len(names) - _MOST_NAMED} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _number(number: Fraction, places: int = 1) -> str:
    """Of so many places, more where that would say 0; counts as they are."""
    if number.denominator == 1:
        return f"{number.numerator:,}"
    for more in range(places, _MOST_PLACES):
        text = f"{exact.shown(number):,.{more}f}"
        if text.strip("-0.,"):
            return text.rstrip("0").rstrip(".") if more == places else text
    return f"{exact.shown(number):.1e}"


_UNITS = {
    "points": "points", "days": "days", "hours": "hours", "months": "months", "accounts": "accounts", "users": "users",
    "events": "events", "logins": "logins", "logins_per_day": "logins a day",
}  # fmt: skip
