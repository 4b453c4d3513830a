"""What is needed to say how often warnings were right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol

from alerts.domain.judging import Episode, Outcomes
from alerts.domain.record import Plain
from common.catalogue.models import Catalogue

Kind = Literal["rule", "health", "risk"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is judged: a rule, a band of health, or a score. `fingerprint`: of its definition; another one begins a record of its own. Empty of a
    model, which is named by its version.

    `since`: from when on it watched.
    """

    kind: Kind
    name: str
    fingerprint: str
    since: datetime
    reads_silence: bool


@dataclass(frozen=True, slots=True)
class Meaning:
    """Of definitions as they are in force: `version` is the first one since which they mean the same."""

    fingerprint: str
    version: int


@dataclass(frozen=True, slots=True)
class Fall:
    """An account's band of health became another one. `before` is None where too little was known."""

    account_id: int
    at: datetime
    band: str | None
    before: str | None


@dataclass(frozen=True, slots=True)
class Replay:
    """A rule's warnings before it watched. `since`: the first day that was replayed; `note`: why there is none.

    `past`: which past was read; another one when history was loaded, corrected or taken back.
    """

    rule: str
    fingerprint: str
    through: datetime
    past: str
    warnings: Sequence[tuple[int, datetime]]
    since: date | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Frozen:
    """A record as it was published at the end of a month, over all warnings until then."""

    kind: Kind
    name: str
    month: date
    fingerprint: str
    record: Plain
    frozen_at: datetime


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known, in words."""

    kind: Kind
    name: str
    words: str
    verdicts: int


class AccuracyStore(Protocol):
    """Safe to use from many threads; every method is bound to the tenant. Raises Unavailable when the database does not answer."""

    def tenants(self) -> list[int]:
        """Those with definitions, and no load of history under way."""

    def catalogue(self, tenant_id: int) -> Catalogue | None: ...
    def watched_since(self, tenant_id: int) -> Mapping[str, tuple[str, datetime]]:
        """By rule in the definitions in force: the fingerprint of its definition, and since when it is in force unchanged."""

    def episodes(self, tenant_id: int) -> list[Episode]:
        """Every warning that rules gave, live or as shadows, in the order of time."""

    def health_and_risk(self, tenant_id: int) -> tuple[Meaning, Meaning]:
        """What health and the score of risk mean by the definitions in force."""

    def bands(self, tenant_id: int, since: int) -> tuple[datetime, list[Fall]] | None:
        """Since when health was computed by that version or a later one, and every change of band since, in order; None: it was not.

        The first band of an account is none: nobody saw it fall.
        """

    def risks(self, tenant_id: int, since: int) -> Mapping[str, tuple[datetime, list[Episode]]]:
        """By score (of that version or a later one) or version of a model: since when it judges renewals, and whenever the risk rose to where
        it says that one is rather lost than kept. The first of an account is none, as of bands."""

    def outcomes(self, tenant_id: int, catalogue: Catalogue) -> Outcomes: ...
    def account_names(self, tenant_id: int, account_ids: Sequence[int]) -> dict[int, str]: ...
    def mark(self, tenant_id: int) -> str:
        """Another text once anything was written that a record is made of."""

    def past_of(self, tenant_id: int) -> str:
        """Which past there is: another text once history was loaded, corrected or taken back."""

    def replays(self, tenant_id: int) -> Mapping[str, Replay]:
        """By rule."""

    def save_replay(self, tenant_id: int, replay: Replay, now: datetime) -> None: ...
    def summaries(self, tenant_id: int) -> list[Summary]: ...
    def save_summaries(self, tenant_id: int, summaries: Sequence[Summary], now: datetime) -> None:
        """Those that are not among them are removed."""

    def freeze(self, tenant_id: int, frozen: Frozen) -> None:
        """Does nothing when that month is frozen already."""

    def frozen(self, tenant_id: int, kind: Kind, name: str) -> list[Frozen]:
        """The newest first, at most 24."""

    def months_frozen(self, tenant_id: int, month: date) -> set[tuple[str, str]]:
        """Kind and name of what is frozen of a month."""
