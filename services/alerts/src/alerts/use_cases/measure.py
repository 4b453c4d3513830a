"""Says how often rules were right: from the warnings they gave, what people said, and what came of the accounts."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from alerts.domain.judging import Episode, Judging, Watch
from alerts.domain.record import Entry, MissedEntry, Plain, Records, Span, parts, plain, records
from alerts.domain.rules import Rule
from alerts.ports.accuracy import AccuracyStore, Fall, Frozen, Kind, Meaning, Replay, Subject
from common.catalogue import models
from common.catalogue.models import Catalogue
from common.catalogue.signals import Signal
from common.errors import NotFound

By = Literal["segment", "month"]
KEPT_FOR = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Told:
    """A record, with what it is of. `entries` and `missed` are what it counts. `note`: why the past before `subject.since` isn't in it."""

    subject: Subject
    horizon: timedelta
    span: Span
    entries: list[Entry]
    missed: list[MissedEntry]
    note: str | None

    @property
    def records(self) -> Records:
        return records(self.entries, self.missed, self.span)

    def parts(self, by: By) -> Mapping[str | None, Records]:
        return parts(self.entries, self.missed, self.span, _KEYS[by])


_KEYS: Mapping[By, Callable[[Entry | MissedEntry], str | None]] = {
    "segment": lambda one: one.segment,
    "month": lambda one: one.day.strftime("%Y-%m"),
}


@dataclass(frozen=True, slots=True)
class Month:
    """As it was published at the end of a month, and the same warnings as they are known now: None once the definition is another one."""

    frozen: Frozen
    now: Plain | None


@dataclass(frozen=True, slots=True)
class Look:
    """A tenant's warnings and outcomes, read once for all its subjects."""

    catalogue: Catalogue
    judging: Judging
    rules: Sequence[Subject]
    replays: Mapping[str, Replay]
    bands: tuple[datetime, Sequence[Fall]] | None
    risks: Mapping[str, tuple[datetime, Sequence[Episode]]]
    meanings: tuple[Meaning, Meaning]

    def subjects(self) -> Iterator[Subject]:
        yield from self.rules
        health, risk = self.meanings
        if self.bands is not None:
            for name in {b.name: b for p in self.catalogue.health.values() for b in p.bands if not b.healthy}:
                # Scores weigh use, so accounts that were closed unused prove nothing of them.
                yield Subject("health", name, health.fingerprint, self.bands[0], reads_silence=True)
        for name, (since, _) in self.risks.items():
            its = risk.fingerprint if name == "score" else ""
            yield Subject("risk", name, its, since, reads_silence=True)

    def of(self, kind: Kind, name: str) -> Subject:
        """Raises NotFound for what is not judged."""
        for subject in self.subjects():
            if (subject.kind, subject.name) == (kind, name):
                return subject
        what = "rule" if kind == "rule" else "record"
        where = "GET /v1/rules" if kind == "rule" else "GET /v1/accuracy"
        raise NotFound(f"{what}-unknown", f"there is no {what} {name[:80]!r}; {where} lists them")

    def tell(self, subject: Subject, until: datetime | None = None) -> Told:
        """`until`: of warnings before it, as they are known now."""
        note, since = self._past(subject)
        growth = False
        if subject.kind == "health":
            warnings: Sequence[Episode] = self._falls_to(subject.name)
        elif subject.kind == "risk":
            warnings = self.risks[subject.name][1]
        else:
            watch = next(one for one in self.judging.watches if one.rule == subject.name)
            warnings, growth = watch.warnings, watch.growth
        entries, missed = self.judging.judge(
            warnings,
            since,
            until,
            reads_silence=subject.reads_silence,
            growth=growth,
            by_renewal=subject.kind == "risk",
        )
        span = self.judging.span(since, until)
        return Told(subject, self.judging.horizon, span, entries, missed, note)

    def _falls_to(self, name: str) -> list[Episode]:
        """Whenever an account's health fell to this band or under it, from above or from where too little was known."""
        floors = {
            band.name: band.from_ for profile in self.catalogue.health.values() for band in profile.bands
        }
        limit = floors[name]

        def is_low(band: str | None) -> bool:
            return band is not None and floors.get(band, 101) <= limit

        return [
            Episode(one.account_id, one.at, "live", f"health {name}")
            for one in (self.bands[1] if self.bands else ())
            if is_low(one.band) and not is_low(one.before)
        ]

    def _past(self, subject: Subject) -> tuple[str | None, datetime]:
        """Why there are no warnings of before it watched, and since when there could have been some."""
        replay = self.replays.get(subject.name) if subject.kind == "rule" else None
        if replay is None:
            note = "not replayed yet" if subject.kind == "rule" else "kept as it was computed, not replayed"
            return note, subject.since
        if replay.since is None:
            return replay.note, subject.since
        since = datetime.combine(replay.since, time(), self.judging.outcomes.zone)
        return replay.note, min(since, subject.since)


@dataclass
class Measure:
    """Safe to use from many threads. A list of rules asks for one record after the other, so the last look is kept while nothing changes."""

    store: AccuracyStore
    compiled: Callable[[models.Rule, Mapping[str, Signal]], Rule]
    _kept: tuple[int, str, Look] | None = None

    def look(self, tenant_id: int, now: datetime) -> Look:
        """Raises NotFound before the first definitions."""
        mark, kept = self.store.mark(tenant_id), self._kept
        if kept is not None and kept[:2] == (tenant_id, mark) and _is_fresh(kept[2], now):
            return kept[2]
        look = self._look(tenant_id, now)
        self._kept = (tenant_id, mark, look)
        return look

    def _look(self, tenant_id: int, now: datetime) -> Look:
        catalogue = self.store.catalogue(tenant_id)
        if catalogue is None:
            raise NotFound("catalogue-missing", "no definitions are in force; run `bellwether apply`")
        watched = self.store.watched_since(tenant_id)
        rules = [
            Subject("rule", name, *watched[name], self.compiled(rule, catalogue.signals).reads_silence)
            for name, rule in catalogue.rules.items()
            if name in watched
        ]
        replays = {
            name: replay
            for name, replay in self.store.replays(tenant_id).items()
            if name in watched and watched[name][0] == replay.fingerprint
        }
        recorded: dict[str, list[Episode]] = {}
        for one in self.store.episodes(tenant_id):
            recorded.setdefault(one.rule, []).append(one)
        watches = [
            Watch(
                rule.name,
                [*_past(replays.get(rule.name)), *_since(rule.since, recorded.get(rule.name, ()))],
                rule.reads_silence,
                catalogue.rules[rule.name].queue == "growth",
            )
            for rule in rules
        ]
        judging = Judging(self.store.outcomes(tenant_id, catalogue), watches, now)
        meanings = self.store.health_and_risk(tenant_id)
        bands = self.store.bands(tenant_id, meanings[0].version)
        risks = self.store.risks(tenant_id, meanings[1].version)
        return Look(catalogue, judging, rules, replays, bands, risks, meanings)

    def of(self, tenant_id: int, kind: Kind, name: str, now: datetime) -> Told:
        look = self.look(tenant_id, now)
        return look.tell(look.of(kind, name))

    def months(self, tenant_id: int, kind: Kind, name: str, now: datetime) -> list[Month]:
        """What was published each month beside what is known now, the newest first."""
        look = self.look(tenant_id, now)
        subject = look.of(kind, name)
        found = []
        for frozen in self.store.frozen(tenant_id, kind, name):
            is_same = frozen.fingerprint == subject.fingerprint
            until = month_end(frozen.month, look)
            found.append(Month(frozen, plain(look.tell(subject, until).records) if is_same else None))
        return found


def _past(replay: Replay | None) -> Iterator[Episode]:
    """What a rule would have warned of before it watched."""
    for account_id, at in replay.warnings if replay else ():
        if replay and at < replay.through:
            yield Episode(account_id, at, "past", replay.rule)


def _since(since: datetime, recorded: Iterable[Episode]) -> Iterator[Episode]:
    return (one for one in recorded if one.at >= since)


def _is_fresh(look: Look, now: datetime) -> bool:
    """Time alone decides little: terms lapse and horizons end."""
    return look.judging.now <= now < look.judging.now + KEPT_FOR


def month_end(month: date, look: Look) -> datetime:
    """The first instant after a month that is given by its first day."""
    after = (month + timedelta(days=31)).replace(day=1)
    return datetime.combine(after, time(), look.judging.outcomes.zone)
