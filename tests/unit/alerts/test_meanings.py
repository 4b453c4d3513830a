"""Since which version of the definitions health, and the score of risk, mean what they mean now."""

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.adapters.meanings import Version, meanings
from common.catalogue import loading

_WHOLE = loading.load(loading.base_pack()).model_dump(mode="json")
_PROFILE, _REASON = min(_WHOLE["health"]), min(_WHOLE["risk"])
_JUDGED, _SIGNAL = min((name, its["signal"]) for name, its in _WHOLE["risk"].items() if its["signal"])
_PACK = {
    "health": {_PROFILE: _WHOLE["health"][_PROFILE]},
    "risk": {name: _WHOLE["risk"][name] for name in (_REASON, _JUDGED)},
    "risk_settings": _WHOLE["risk_settings"],
    "signals": {_SIGNAL: _WHOLE["signals"][_SIGNAL]},
}


def _changed(*edits: tuple[str, ...]) -> Any:
    """The base pack with something else said at each of these places."""
    body = copy.deepcopy(_PACK)
    for *path, last in edits:
        place = body
        for key in path:
            place = place[key]
        place[last] = "others" if isinstance(place[last], str) else 77
    return body


# What is said, and whether it makes another health and another risk.
_BODIES = [
    (_PACK, "h0", "r0"),
    (_changed(("health", _PROFILE, "label"), ("risk", _REASON, "text")), "h0", "r0"),
    (_changed(("risk_settings", "model")), "h0", "r0"),
    (_changed(("health", _PROFILE, "least_known")), "h1", "r0"),
    (_changed(("risk", _REASON, "unknown_points")), "h0", "r1"),
    (_changed(("risk_settings", "prior_renewals")), "h0", "r2"),
    (_changed(("signals", _SIGNAL, "label")), "h0", "r0"),
    ({**_PACK, "signals": {**_PACK["signals"], "read_by_nobody": {"kind": "level"}}}, "h0", "r0"),
]


def _version(number: int, body: Any) -> Version:
    return number, body["health"], body["risk"], body["risk_settings"], body["signals"]


@given(st.lists(st.sampled_from(_BODIES), min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_a_record_begins_with_the_first_version_that_means_the_same_as_the_last(
    said: list[tuple[Any, str, str]],
) -> None:
    found = meanings(_version(n, body) for n, (body, _, _) in enumerate(said, 1))
    for meaning, place in zip(found, (1, 2), strict=True):
        means = [one[place] for one in said]
        others = [n for n, meant in enumerate(means, 1) if meant != means[-1]]
        assert meaning.version == max(others, default=0) + 1
        (alone,) = {
            meanings([_version(1, body)])[place - 1].fingerprint
            for body, *its in said
            if its[place - 1] == means[-1]
        }
        assert meaning.fingerprint == alone


def test_a_signal_that_a_reason_of_risk_rests_on_is_part_of_what_it_means() -> None:
    before = meanings([_version(1, _PACK)])[1]
    other = copy.deepcopy(_PACK)
    other["signals"][_SIGNAL]["kind"] = "another"
    health, risk = meanings([_version(1, _PACK), _version(2, other)])
    assert (risk.version, risk.fingerprint != before.fingerprint) == (2, True)
    assert health.fingerprint
