"""Keeps the published accuracy up to date: replays of the past before a rule watched, words for notices, and what each month published."""

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
# Replays keep others waiting, so a round does only so many.
RULES_A_ROUND = 5


@dataclass
class Publisher:
    """Used by one thread. `round` may be cut off anywhere: the next one goes on from what is written."""

    measure: Measure
    backtest: Backtest
    _published_at: dict[int, datetime] = field(default_factory=dict)

    def round(self, now: datetime, *, replays: bool = True) -> None:
        """Without `replays` the past waits, and what is known of it is published as ever."""
        for tenant_id in self.measure.store.tenants():
            try:
                replayed = replays and self.replay(tenant_id, now)
                before = self._published_at.get(tenant_id)
                if replayed or before is None or not before <= now < before + PUBLISH_EVERY:
                    self.publish(tenant_id, now)
                    self._published_at[tenant_id] = now
            except (ValueError, KeyError) as error:
                # Definitions that this release can't read, or use, stop nobody else's record.
                log.warning("not_published", tenant_id=tenant_id, error=str(error)[:500])

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
        known, watched = store.replays(tenant_id), store.watched_since(tenant_id)
        missing = [
            name
            for name, (its, _) in watched.items()
            if name not in known or (known[name].fingerprint, known[name].past) != (its, past)
        ][:RULES_A_ROUND]
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


def _last_month(now: datetime, look: Look) -> date:
    first = look.judging.outcomes.day(now).replace(day=1)
    return (first - timedelta(days=1)).replace(day=1)
