"""An explanation as JSON: exact decimals as text, so that whoever adds them up gets the change and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Any, TypeVar

from common.analysis import exact, wording
from common.analysis.contributions import Contribution
from common.analysis.explaining import PARTS, Explanation
from common.analysis.mix import SliceChange
from common.figures.slices import GroupKey, said

MOST_SLICES = 50
K = TypeVar("K")
T = TypeVar("T")
Json = dict[str, Any]


def as_json(told: Explanation, most_accounts: int) -> Json:
    """`change` is null and `parts` empty where one of the figures is unknown."""
    evidence, metric = told.evidence, told.evidence.metric
    return {
        "metric": metric.name,
        "label": metric.label,
        "unit": metric.unit,
        "currency": told.currency,
        "earlier": {"value": text(evidence.earlier.whole.value), "as_known_when_complete": text(told.start)},
        "later": {"value": text(evidence.later.whole.value)},
        "change": None if told.start is None else exact.text(exact.total(_shown_parts(told))),
        "sentence": wording.sentence(told),
        "parts": [] if told.start is None else _parts(told),
        "accounts": None
        if told.accounts is None or told.start is None
        else ranked(told.accounts, evidence.earlier.whole.value or Fraction(0), most_accounts, "account"),
    }


def ranked(
    found: Sequence[Contribution[K]],
    start: Fraction,
    most: int,
    name: str,
    shown: Callable[[K], Any] = lambda key: key,
) -> Json:
    """The largest `most`, and the rest summed; from the figure `start` they lead to the later one."""
    named, rest = found[:most], found[most:]
    amounts = exact.steps(
        start, [*(one.amount for one in named), sum((one.amount for one in rest), Fraction(0))]
    )
    return {
        "data": [
            {
                name: shown(one.key), "amount": exact.text(amount), "before": text(one.before), "after": text(one.after),
                "movement": one.movement,
            }
            for one, amount in zip(named, amounts, strict=False)
        ],
        "rest": {"count": len(rest), "amount": exact.text(amounts[-1])},
    }  # fmt: skip


def text(number: Fraction | None) -> str | None:
    return None if number is None else exact.text(exact.shown(number))


def _shown_parts(told: Explanation) -> list[Any]:
    assert told.start is not None
    return exact.steps(told.start, [told.amounts[name] for name in PARTS])


def _parts(told: Explanation) -> list[Json]:
    assert told.start is not None
    evidence = told.evidence
    before = dict(
        zip(PARTS, accumulate([told.amounts[n] for n in PARTS[:-1]], initial=told.start), strict=True)
    )
    details: Mapping[str, Json] = {
        "definition": {
            "earlier_version": evidence.definition.earlier_version,
            "later_version": evidence.definition.later_version,
        },
        "late_data": {"events": dict(evidence.late.events)},
        "missing_data": {"silent": [dict(spell) for spell in evidence.missing.spells]},
        "mix": {"by": list(evidence.by), **_slices(told, before["mix"])},
        "inputs": {"inputs": _inputs(told, before["inputs"])},
    }
    known = {
        "definition": evidence.definition_known,
        "late_data": evidence.late.amount is not None,
        "missing_data": evidence.missing.known,
    }
    return [
        {
            "part": name, "amount": exact.text(amount), "known": known.get(name, True),
            "note": told.notes.get(name), **details[name],
        }
        for name, amount in zip(PARTS, _shown_parts(told), strict=True)
    ]  # fmt: skip


def _inputs(told: Explanation, start: Fraction) -> list[Json]:
    amounts = exact.steps(start, [one.amount for one in told.inputs])
    return [
        {"input": one.name, "label": one.words, "amount": exact.text(amount), "accounts": len(one.accounts)}
        for one, amount in zip(told.inputs, amounts, strict=True)
    ]


def _slices(told: Explanation, start: Fraction) -> Json:
    """The shifts of weight, slice by slice; what a slice became in itself (`rate`) is part of the inputs."""
    ordered = sorted(told.slices.items(), key=lambda one: (-abs(one[1].mix) - abs(one[1].rate), str(one[0])))
    named, rest = ordered[:MOST_SLICES], ordered[MOST_SLICES:]
    amounts = exact.steps(
        start, [*(part.mix for _, part in named), sum((part.mix for _, part in rest), Fraction(0))]
    )
    return {
        "slices": [
            _slice(told.evidence.by, key, part, exact.text(amount))
            for (key, part), amount in zip(named, amounts, strict=False)
        ],
        "rest": {"count": len(rest), "amount": exact.text(amounts[-1])},
    }


def _slice(by: Sequence[str], key: GroupKey, part: SliceChange, amount: str) -> Json:
    return {
        "group": dict(zip(by, map(said, key), strict=False)),
        "amount": amount,
        "rate": text(part.rate),
        "share_before": text(part.share_before),
        "share_after": text(part.share_after),
        "rate_before": text(part.rate_before),
        "rate_after": text(part.rate_after),
    }
