"""Keeps the published accuracy up to date: replays of the past before a rule watched, words for notices, and what each month published."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from alerts.domain.accuracy import in_words
from alerts.domain.record import plain
from alerts.ports.accuracy import Frozen, Replay, Summary
from alerts.use_cases.backtest import Backtest
from alerts.use_cases.measure import Look, Measure, month_end
from alerts.use_cases.rule_past import PastWarnings
from common.errors import Rejected, Unavailable
from common.logs import get_logger

log = get_logger("accuracy")


# Words change slowly; a rule whose past was replayed has them at once.
PUBLISH_EVERY = timedelta(hours=1)
# The history is read once for so many; what a load that begins meanwhile changes is noticed between them.
RULES_AT_ONCE = 5


@dataclass
class Publisher:
    """Used by one thread. `round` may be cut off anywhere: the next one goes on from what is written."""

    measure: Measure
    backtest: Backtest
    _published_at: dict[int, datetime] = field(default_factory=dict)

    def round(self, now: datetime, replayed: Collection[int] = ()) -> None:
        """Publishes what is an hour old, and at once for tenants of which a past was replayed."""
        for tenant_id in self.measure.store.tenants():
            before = self._published_at.get(tenant_id)
            if tenant_id in replayed or before is None or not before <= now < before + PUBLISH_EVERY:
                with _one_tenant(tenant_id):
                    self.publish(tenant_id, now)
                    self._published_at[tenant_id] = now

    def missing(self) -> dict[int, tuple[str, ...]]:
        """By tenant, the rules whose past was not replayed as it is now; tenants without any are left out."""
        found = {}
        for tenant_id in self.measure.store.tenants():
            with _one_tenant(tenant_id):
                found[tenant_id] = self._missing(tenant_id)
        return {tenant_id: names for tenant_id, names in found.items() if names}

    def replay_some(self, now: datetime) -> bool:
        """Some of what is missing of every tenant; whether there was any."""
        some = False
        for tenant_id in self.measure.store.tenants():
            with _one_tenant(tenant_id):
                some |= self.replay(tenant_id, now)
        return some

    def publish(self, tenant_id: int, now: datetime) -> None:
        look = self.measure.look(tenant_id, now)
        store = self.measure.store
        month = _last_month(now, look)
        frozen = store.months_frozen(tenant_id, month)
        summaries = []
        for subject in look.subjects():
            found = look.tell(subject).records
            words = in_words(found)
            summaries.append(Summary(subject.kind, subject.name, words, found.whole.verdicts))
            end = month_end(month, look)
            if (subject.kind, subject.name) not in frozen and subject.since < end:
                record = plain(look.tell(subject, end).records)
                store.freeze(
                    tenant_id, Frozen(subject.kind, subject.name, month, subject.fingerprint, record, now)
                )
        store.save_summaries(tenant_id, summaries, now)

    def replay(self, tenant_id: int, now: datetime) -> bool:
        """Some of the rules whose past was not replayed as it is now; whether there were any. The history is read once for them."""
        store = self.measure.store
        catalogue, past = store.catalogue(tenant_id), store.past_of(tenant_id)
        missing, watched = self._missing(tenant_id)[:RULES_AT_ONCE], store.watched_since(tenant_id)
        if catalogue is None or not missing:
            return False
        rules = {
            name: (self.measure.compiled(catalogue.rules[name], catalogue.signals), watched[name][1])
            for name in missing
        }
        try:
            found = self.backtest.pasts(tenant_id, catalogue, rules, now)
        except Unavailable:
            return False  # another replay runs: the next round does it
        except Rejected as error:
            found = dict.fromkeys(missing, PastWarnings((), None, error.message))
        for name, what in found.items():
            its, since = watched[name]
            replay = Replay(name, its, since, past, what.warnings, what.since, what.note)
            store.save_replay(tenant_id, replay, now)
        log.info("pasts_replayed", tenant_id=tenant_id, rules=sorted(found))
        return True

    def _missing(self, tenant_id: int) -> tuple[str, ...]:
        store = self.measure.store
        known, past = store.replays(tenant_id), store.past_of(tenant_id)
        return tuple(
            name
            for name, (its, _) in store.watched_since(tenant_id).items()
            if name not in known or (known[name].fingerprint, known[name].past) != (its, past)
        )


@contextmanager
def _one_tenant(tenant_id: int) -> Iterator[None]:
    """Definitions that this release can't read, or use, stop nobody else's record."""
    try:
        yield
    except (ValueError, KeyError) as error:
        log.warning("not_published", tenant_id=tenant_id, error=str(error)[:500])


def _last_month(now: datetime, look: Look) -> date:
    first = look.judging.outcomes.day(now).replace(day=1)
    return (first - timedelta(days=1)).replace(day=1)
