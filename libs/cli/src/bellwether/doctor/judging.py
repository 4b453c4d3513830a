"""From facts to findings. Pure: every threshold of the doctor is here, with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from bellwether.doctor.finding import Finding, failure, note, ok, unknown, warning
from bellwether.wording import duration

# Below this an event stamped by one clock is refused as future by another (the bound is five minutes).
_SKEW_WARNING: Final = timedelta(seconds=2)
_SKEW_FAILURE: Final = timedelta(minutes=1)
# The engine needs a second or less for what waits; this much waiting is minutes.
_LAG_WARNING_RECORDS: Final = 1_000
# An engine at work, or idle, touches its partitions at least every few seconds.
_STALE_AFTER: Final = timedelta(seconds=60)
_DISK_WARNING: Final = 0.10
_DISK_FAILURE_BYTES: Final = 1 << 30
_OUTBOX_LATE: Final = timedelta(minutes=1)
_REJECTED_SHARE: Final = 0.01
_REJECTED_FEW: Final = 20
_MOST_NAMED: Final = 5
_OLDEST_POSTGRESQL: Final = 150_000


@dataclass(frozen=True)
class Progress:
    """How far the engine is on one partition, as it wrote it down."""

    partition: int
    topic_id: str | None
    partitions: int
    next_offset: int
    epoch: int
    owner: str | None
    updated_at: datetime


@dataclass(frozen=True)
class TopicFacts:
    """`bounds`: first offset kept and next one to be written, by partition."""

    topic: str
    topic_id: str
    bounds: Mapping[int, tuple[int, int]]


def server(number: int, text: str, refuses_writes: Sequence[str], no_room: str | None) -> Finding:
    """`refuses_writes`: what keeps its sessions from writing, by the server's names. `no_room`: how it says that its disk is full."""
    if number < _OLDEST_POSTGRESQL:
        why = "Bellwether's SQL needs PostgreSQL 15 or newer"
        return failure(
            "postgresql", f"the server is PostgreSQL {text}", why, "upgrade the server, or use another one"
        )
    if refuses_writes:
        why = f"{' and '.join(refuses_writes)} is on: it is a replica, or somebody has made the database or the role read-only"
        do = (
            "correct DATABASE_URL, or allow writes (`alter database ... reset default_transaction_read_only`)"
        )
        return failure("postgresql", "the database takes no writes", why, do)
    if no_room is not None:
        do = "free space on the server's disk, or enlarge it; see docs/runbooks/disk-full.md"
        return failure("postgresql", "the database has no room left", no_room, do)
    return ok("postgresql", f"reachable, version {text}")


def clock_skew(ours: datetime, before: datetime, theirs: datetime) -> Finding:
    """`before` and `ours` are our clock around the moment at which the server read its own."""
    skew = max(before - theirs, theirs - ours, timedelta())
    text = f"the database's clock differs from this machine's by {skew.total_seconds():.1f} s"
    if skew < _SKEW_WARNING:
        return ok("clock", "the database's clock and this machine's agree")
    why = "events are stamped by one machine and judged by another: ages and waiting times are off by as much"
    do = "let both machines keep time by NTP (`timedatectl status`)"
    return failure("clock", text, why, do) if skew >= _SKEW_FAILURE else warning("clock", text, why, do)


def disk(where: str, free_bytes: int, total_bytes: int) -> Finding:
    share = free_bytes / total_bytes if total_bytes else 0.0
    text = f"{free_bytes / (1 << 30):.1f} GB ({share:.0%}) free at {where}"
    why = "with a full disk neither the broker nor the database can accept anything"
    do = "free space or enlarge it; see docs/runbooks/disk-full.md"
    if free_bytes < _DISK_FAILURE_BYTES:
        return failure("disk", text, why, do)
    return warning("disk", text, why, do) if share < _DISK_WARNING else ok("disk", text)


def read_so_far(topic: TopicFacts, progress: Sequence[Progress], now: datetime) -> tuple[Finding, ...]:
    """What the engine noted, held against the topic: partitions, offsets, lag, engine. Offsets of another topic say nothing of this one."""
    count = partition_count(topic, progress)
    if _made_anew(topic, progress):
        needs = "what the engine noted belongs to the former topic"
        return count, *(not_asked(check, needs) for check in ("offsets", "lag", "engine"))
    return count, offsets_kept(topic, progress), lag(topic, progress), engines(topic, progress, now)


def _made_anew(topic: TopicFacts, progress: Sequence[Progress]) -> bool:
    return any(row.topic_id and row.topic_id != topic.topic_id for row in progress)


def partition_count(topic: TopicFacts, progress: Sequence[Progress]) -> Finding:
    count = len(topic.bounds)
    expected = {row.partitions for row in progress}
    if expected and expected != {count}:
        was = ", ".join(str(number) for number in sorted(expected))
        why = "the partition of an account depends on their number, so the engine stops rather than split an account in two"
        do = "see docs/runbooks/engine-stopped.md, under “partitions changed”"
        return failure("partitions", f"the topic has {count} partitions and was read with {was}", why, do)
    if _made_anew(topic, progress):
        why = "its offsets start anew, so what the engine noted belongs to another topic of the same name"
        do = "see docs/runbooks/engine-stopped.md, under “topic re-created”"
        return failure("partitions", f"{topic.topic} is not the topic that the engine read before", why, do)
    return ok("partitions", f"{topic.topic} has {count} partitions, as the engine knows it")


def offsets_kept(topic: TopicFacts, progress: Sequence[Progress]) -> Finding:
    gone = [
        row.partition
        for row in progress
        if row.partition in topic.bounds and not _within(row.next_offset, topic.bounds[row.partition])
    ]
    if gone:
        numbers = ", ".join(map(str, gone))
        why = (
            "the broker deleted them before they were read, or the database is older or newer than the topic"
        )
        do = "see docs/runbooks/engine-stopped.md, under “offset gone”"
        return failure("offsets", f"the next events of partition {numbers} are not in the topic", why, do)
    return ok("offsets", "every partition's next event is in the topic or still to come")


def _within(offset: int, bounds: tuple[int, int]) -> bool:
    return bounds[0] <= offset <= bounds[1]


def lag(topic: TopicFacts, progress: Sequence[Progress]) -> Finding:
    """Records, not events: one record holds up to some hundred events."""
    at = {row.partition: row.next_offset for row in progress}
    behind = {
        number: max(0, end - at.get(number, first)) for number, (first, end) in sorted(topic.bounds.items())
    }
    text = ", ".join(f"{number}: {count:,}" for number, count in behind.items())
    if max(behind.values(), default=0) >= _LAG_WARNING_RECORDS:
        why = "the engine is not running, is slower than what comes in, or is catching up after a load"
        return warning(
            "lag", f"records waiting by partition: {text}", why, "see docs/runbooks/lag-growing.md"
        )
    return ok("lag", f"records waiting by partition: {text}")


def engines(topic: TopicFacts, progress: Sequence[Progress], now: datetime) -> Finding:
    """No engine at all, or a partition that nobody has taken, or whose engine has events waiting and does not move."""
    if not progress:
        if sum(end for _, end in topic.bounds.values()) == 0:
            return note("engine", "no event has come yet, so no engine has noted anything")
        why = "events wait and no engine has ever read them from this topic"
        do = "start kpi-engine and look at its log; for `topic-renamed` there see docs/runbooks/engine-stopped.md"
        return failure("engine", "no partition has been taken by an engine", why, do)
    stuck = [
        row
        for row in progress
        if topic.bounds.get(row.partition, (0, 0))[1] > row.next_offset
        and now - row.updated_at > _STALE_AFTER
    ]
    if stuck:
        numbers = ", ".join(str(row.partition) for row in stuck)
        since = duration(max(now - row.updated_at for row in stuck).total_seconds())
        why = "its engine has stopped or is stuck; events wait and are safe in the topic"
        return failure(
            "engine",
            f"partition {numbers} has not moved for {since}",
            why,
            "see docs/runbooks/engine-stopped.md",
        )
    silent = min(now - row.updated_at for row in progress)
    if silent > _STALE_AFTER:
        why = "nothing waits to be read, but what time alone brings is not computed: silence, deadlines, ages"
        do = "start kpi-engine and look at its log"
        since = duration(silent.total_seconds())
        return failure("engine", f"no engine has been at work for {since}", why, do)
    owners = {row.owner for row in progress if row.owner}
    epoch = max(row.epoch for row in progress)
    return ok(
        "engine",
        f"{len(progress)} partitions with {len(owners)} engine{'s' * (len(owners) != 1)}, highest epoch {epoch}",
    )


def keys(valid_by_scope: Mapping[str, int]) -> Finding:
    missing = [scope for scope in ("ingest", "read") if not valid_by_scope.get(scope)]
    if not missing and valid_by_scope.get("admin", 0) + valid_by_scope.get("act", 0):
        return ok("keys", ", ".join(f"{count} {scope}" for scope, count in sorted(valid_by_scope.items())))
    if not missing:
        return note("keys", "there are keys to send and to read, none to act or to administer")
    why = "without them nobody can " + " or ".join(
        {"ingest": "send events", "read": "read figures"}[m] for m in missing
    )
    do = f"`bellwether keys create --scope {missing[0]} --name ...`"
    return warning("keys", f"no valid key with scope {' and '.join(missing)}", why, do)


def catalogue(
    versions: Mapping[str, int | None],
    activated: Mapping[str, int],
    counting: Mapping[str, tuple[int, float]],
) -> Finding:
    """By tenant: the latest version, the newest that an engine has begun to use, and the one whose past is being counted, if any,
    with the share of it that is."""
    bare = [tenant for tenant, version in versions.items() if version is None]
    if not versions:
        return warning(
            "catalogue",
            "there is no tenant yet",
            "nothing has been set up",
            "`bellwether keys create` makes one",
        )
    if bare:
        which = f" --tenant {bare[0]}" if len(versions) > 1 else ""
        why, do = "without definitions nothing is measured", f"`bellwether apply{which}`"
        return failure("catalogue", f"tenant {', '.join(bare)} has no definitions", why, do)
    waiting = [
        t for t, version in versions.items() if version is not None and activated.get(t, version) < version
    ]
    text = ", ".join(f"{tenant} version {version}" for tenant, version in versions.items())
    if counting:
        ways = [
            f"the past of {t} is counted by version {v} ({share:.0%})" for t, (v, share) in counting.items()
        ]
        return note("catalogue", f"{text}; {', '.join(ways)}, until then the version before answers")
    if waiting:
        return note("catalogue", f"{text}; {', '.join(waiting)} is taken over with its next events")
    return ok("catalogue", text)


def outbox(
    pending: int, oldest_due: datetime | None, failed_today: int, disabled: Sequence[str], now: datetime
) -> Finding:
    if disabled:
        why, do = "it kept failing, or answered that it is gone", "see docs/runbooks/receiver-disabled.md"
        return failure("outbox", f"receiver {', '.join(disabled)} is disabled: it gets no warnings", why, do)
    if oldest_due is not None and now - oldest_due > _OUTBOX_LATE:
        late = duration((now - oldest_due).total_seconds())
        why, do = "the alerts service is not running or cannot keep up", "look at its log and at /readyz"
        return failure("outbox", f"{pending} notices wait, the first for {late} past its time", why, do)
    text = f"{pending} notices are waiting for their time" if pending else "nothing is waiting"
    if failed_today:
        why, do = (
            "all tries were used up, or the receiver said that it is gone",
            "see docs/runbooks/receiver-disabled.md; `GET /v1/notifications?status=failed`",
        )
        return warning("outbox", f"{failed_today} notices could not be delivered in the last day", why, do)
    return ok("outbox", text)


def rejected(refused: int, accepted: int, unstored: int) -> Finding:
    """All of the last hour. `unstored`: of the refused those that ingest had accepted and the database did not take."""
    if unstored:
        what = f"{unstored:,} accepted event{'s' * (unstored != 1)} of the last hour could not be stored"
        why = "a trigger or a constraint of somebody's refuses what the engine writes, or it is a defect of ours; GET /v1/events/rejected has the reasons"
        do = "mend the cause and replay them; see docs/runbooks/engine-stopped.md, under “too many records cannot be stored”"
        return warning("rejected", what, why, do)
    share = refused / (refused + accepted) if refused + accepted else 0.0
    text = f"{refused:,} of {refused + accepted:,} events of the last hour were rejected"
    if refused >= _REJECTED_FEW and share >= _REJECTED_SHARE:
        why = "a sender has changed its format, or a declared event type does not fit what is sent"
        return warning(
            "rejected", f"{text} ({share:.1%})", why, "see docs/runbooks/rejected-events-rising.md"
        )
    return ok("rejected", text)


def tracking(broken: Sequence[tuple[str, str, str, datetime]], judged: int) -> Finding:
    """`broken`: tenant, kind, name, since. `judged`: tenants of which anything was judged."""
    if not broken:
        text = (
            f"all arrives as usual, for {judged} tenant{'s' * (judged != 1)}"
            if judged
            else "nothing was judged yet"
        )
        return ok("tracking", text)
    shown = ", ".join(
        f"{tenant}: {'everything' if kind == 'tenant' else f'{kind} {name}'} since {since:%Y-%m-%d %H:%M} UTC"
        for tenant, kind, name, since in broken[:_MOST_NAMED]
    )
    more = f" and {len(broken) - _MOST_NAMED} more" if len(broken) > _MOST_NAMED else ""
    why = "far less comes than in the same hours of other weeks, across accounts; rules that rest on it are held"
    return warning("tracking", f"missing: {shown}{more}", why, "see docs/runbooks/tracking-broken.md")


def timescaledb(*, available: bool, installed: bool) -> Finding:
    if installed:
        return ok("timescaledb", "in use: raw events are a hypertable")
    if available:
        text = (
            "the server has the extension, this database does not use it: migrations ran before it was there"
        )
        return note("timescaledb", text)
    return note(
        "timescaledb",
        "not there; native partitions are used, which is fine up to some hundred million events",
    )


def service(name: str, url: str, status: int | None, reason: str) -> Finding:
    if status == 200:
        return ok(name, f"ready at {url}")
    if status is None:
        do = "start it (`bellwether up`, or your service manager) and look at its log"
        return failure(name, f"does not answer at {url}", reason, do)
    return failure(
        name, f"answers {status} at {url}/readyz", reason, "see the reason; docs/runbooks has a page for each"
    )


def hanging(name: str, url: str) -> Finding:
    """Of a service that takes connections: it runs, and starting another would not help."""
    why = "its process is there and does nothing: stopped (SIGSTOP, a suspended machine), or stuck"
    do = "let it go on (SIGCONT), or end it with SIGKILL and start it anew: what it had not finished is done again"
    return failure(name, f"takes connections at {url} and answers none", why, do)


def not_asked(check: str, needs: str) -> Finding:
    return unknown(check, f"not looked at: {needs}")
