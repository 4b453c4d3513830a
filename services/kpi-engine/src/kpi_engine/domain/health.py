"""How healthy an account is: a weighted score of 0 to 100, with everything that made it.

The points that inputs lost and what overrides cut off always add up to what is missing from 100.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np

from common.catalogue.cel import Condition, Number, Root, account_root, compile_account, compile_number
from common.catalogue.health import Band, HealthInput, HealthProfile, Override

WHOLE = 100.0
_ASSUMED = {"neutral": 50.0, "worst": 0.0}
State = Literal["known", "stale", "missing"]
Where = tuple[str, str]
"""A profile and one of its inputs, by name."""


class InputPart(msgspec.Struct, frozen=True, gc=False):
    """What one input says, and costs. `share` is its weight of 100 as counted, after what is unknown was left out.

    `points` 0 to 100 (assumed ones where the profile assumes some), `lost` = share * (100 - points) / 100; both None without a score
    or where it was left out.
    """

    name: str
    label: str
    state: State
    weight: int
    share: float
    value: float | None
    points: float | None
    lost: float | None


class Held(msgspec.Struct, frozen=True, gc=False):
    """An override that holds."""

    name: str
    at_most: float
    reason: str


class Health(msgspec.Struct, frozen=True, gc=False):
    """`score` as shown, to one decimal, and `band` by it; both None when too little is known. `exact` is the score before rounding.

    `known`: weight of the inputs that are. `cut`: points that overrides took. `worst`: the input that lost most.
    """

    profile: str
    label: str
    score: float | None
    exact: float | None
    band: str | None
    healthy: bool
    known: int
    inputs: list[InputPart]
    overrides: list[Held]
    cut: float
    worst: str | None
    definitions: int


@dataclass(frozen=True, slots=True)
class _Input:
    said: HealthInput
    value: Number
    stale_when: Condition | None


@dataclass(frozen=True, slots=True)
class Profile:
    """A health profile, compiled."""

    said: HealthProfile
    applies_to: Condition | None
    inputs: tuple[_Input, ...]
    overrides: tuple[tuple[Override, Condition], ...]

    def judge(self, figures: Mapping[str, Any], traits: Mapping[str, Any], definitions: int) -> Health:
        """The health of an account with these figures and traits. Raises nothing: what can't be worked out is unknown."""
        return self.judged(account_root(figures, traits), definitions)

    def judged(self, root: Root, definitions: int, missing: Collection[Where] = ()) -> Health:
        """The same of an account as expressions see it."""
        name = self.said.name
        found = [
            (one.said, *_looked_at(one, root, arrives=(name, one.said.name) not in missing))
            for one in self.inputs
        ]
        known = sum(said.weight for said, state, _ in found if state == "known")
        enough = known >= self.said.least_known
        parts = [self._part(said, state, value, known if enough else 0) for said, state, value in found]
        held = [
            Held(one.name, one.at_most, one.reason) for one, when in self.overrides if when.of(root) is True
        ]
        lost = [part.lost for part in parts if part.lost is not None]
        before = WHOLE - sum(lost) if enough else None
        exact = None if before is None else min([before, *(one.at_most for one in held)])
        score = None if exact is None else round(exact, 1)
        band = None if score is None else band_of(self.said.bands, score)
        worst = max(parts, key=lambda part: part.lost or 0.0)
        return Health(
            profile=self.said.name,
            label=self.said.label,
            score=score,
            exact=exact,
            band=band.name if band else None,
            healthy=band is not None and band.healthy,
            known=known,
            inputs=parts,
            overrides=held,
            cut=0.0 if before is None or exact is None else before - exact,
            worst=worst.name if worst.lost else None,
            definitions=definitions,
        )

    def _part(self, said: HealthInput, state: State, value: float | None, known: int) -> InputPart:
        """`known` 0: there is no score."""
        points: float | None = None
        share = 0.0
        if known and self.said.missing == "leave_out":
            share = WHOLE * said.weight / known if state == "known" else 0.0
        elif known:
            share = float(said.weight)
        if known and state == "known" and value is not None:
            points = points_of(said.points, value)
        elif known and self.said.missing != "leave_out":
            points = _ASSUMED[self.said.missing]
        lost = None if points is None else share * (WHOLE - points) / WHOLE
        return InputPart(said.name, said.label, state, said.weight, share, value, points, lost)


@dataclass(frozen=True, slots=True)
class Profiles:
    """All profiles of a tenant, in the order in which they are tried."""

    profiles: tuple[Profile, ...]
    definitions: int

    def judge(
        self, figures: Mapping[str, Any], traits: Mapping[str, Any], missing: Collection[Where] = ()
    ) -> Health | None:
        """By the first profile that applies; None where there is none. Inputs whose data is `missing`, for no account's fault, are stale."""
        return self.judge_root(account_root(figures, traits), missing) if self.profiles else None

    def judge_root(self, root: Root, missing: Collection[Where] = ()) -> Health | None:
        """The same of an account as expressions see it."""
        for profile in self.profiles:
            if profile.applies_to is None or profile.applies_to.of(root) is True:
                return profile.judged(root, self.definitions, missing)
        return None


def compiled(profiles: Iterable[HealthProfile], definitions: int) -> Profiles:
    """Raises CelInvalid for an expression that does not compile; a checked catalogue has none."""
    in_order = sorted(profiles, key=lambda one: (one.applies_to is None, one.order, one.name))
    return Profiles(tuple(_compiled(one) for one in in_order), definitions)


def _compiled(said: HealthProfile) -> Profile:
    return Profile(
        said,
        compile_account(said.applies_to) if said.applies_to else None,
        tuple(
            _Input(
                one, compile_number(one.value), compile_account(one.stale_when) if one.stale_when else None
            )
            for one in said.inputs
        ),
        tuple((one, compile_account(one.when)) for one in said.overrides),
    )


def _looked_at(one: _Input, root: Root, *, arrives: bool) -> tuple[State, float | None]:
    value = one.value.of(root)
    if not arrives:
        return "stale", value
    if one.stale_when is not None and one.stale_when.of(root) is True:
        return "stale", value
    return ("missing" if value is None else "known"), value


def points_of(points: Sequence[tuple[float, float]], value: float) -> float:
    """On the straight line between the two nearest points; outside all of them as at the end."""
    values, worth = zip(*points, strict=True)
    return float(np.interp(value, values, worth))


def band_of(bands: Sequence[Band], score: float) -> Band:
    """The last band that begins at or below the score; the first begins at 0."""
    return next(band for band in reversed(bands) if band.from_ <= score)
