"""What a stream client gets first: everything since the position it came back with, or a reset."""

from api_gateway.domain import server_sent
from api_gateway.domain.encoding import dumps
from api_gateway.domain.stream_position import (
    StreamPosition,
    batches_kept,
    cases_kept,
    decode,
    encode,
    merge,
    owner_of,
)
from api_gateway.ports.accounts import AccountReader
from api_gateway.ports.cases import CaseReader
from api_gateway.ports.changes import ChangeReader
from api_gateway.use_cases import messages
from api_gateway.use_cases.changed import changed

# Who missed more than this reads the lists anew: that is cheaper than to be told all of it.
MOST_ACCOUNTS = 10_000
MOST_CASES = 1_000
_MOST_BATCHES = 50_000


class Resume:
    """Reads what a client missed."""

    def __init__(self, changes: ChangeReader, cases: CaseReader, accounts: AccountReader) -> None:
        self._changes, self._cases, self._accounts = changes, cases, accounts

    def opening(
        self, installation: str, tenant_id: int, topics: frozenset[str], last_id: str, now: StreamPosition
    ) -> list[bytes]:
        """Return the first messages of a stream. `now`: up to where live messages don't reach back; `last_id` may be empty.

        What changed between `now` and this look comes again as a live message; a client takes the latter.
        """
        owner = owner_of(installation, tenant_id)
        if not last_id:
            return [_ready(encode(owner, now), resumed=False)]
        position = decode(owner, last_id)
        if position is None:
            return [
                _reset(
                    encode(owner, now),
                    "unknown",
                    "this Last-Event-ID was not given out by this stream to this tenant",
                )
            ]
        step = messages.Step(last_id, encode(owner, merge(now, position)))
        missed = self._missed(tenant_id, topics, position, step)
        if missed is None:
            return [_reset(encode(owner, now), "too-old", "more happened since than is kept for replay")]
        return [*missed, _ready(step.after, resumed=True)]

    def _missed(
        self, tenant_id: int, topics: frozenset[str], position: StreamPosition, step: messages.Step
    ) -> list[bytes] | None:
        frames: list[bytes] = []
        # Every message but the closing `ready` leaves the client where it was: a break on the way starts the replay again.
        standing = messages.Step(step.before, step.before)
        if topics & {"accounts", "metrics"}:
            if not batches_kept(position, self._changes.ranges()):
                return None
            changes = self._changes.after(position.batches, _MOST_BATCHES, tenant_id)
            if len({account_id for change in changes for account_id in change.account_ids}) > MOST_ACCOUNTS:
                return None
            told = changed(self._accounts, tenant_id, changes if "accounts" in topics else ())
            as_of = max((row.as_of for row in told.rows if row.as_of is not None), default=None)
            frames += [message.frame for message in messages.of_accounts(told, as_of, standing)]
        if "alerts" in topics:
            if not cases_kept(position, self._cases.range()):
                return None
            cases = self._cases.after(position.cases, MOST_CASES, tenant_id)
            if len(cases) >= MOST_CASES:
                return None
            frames += [message.frame for message in messages.of_cases(cases, standing)]
        return frames


def _ready(event_id: str, *, resumed: bool) -> bytes:
    return server_sent.frame("ready", dumps({"resumed": resumed}), event_id)


def _reset(event_id: str, reason: str, message: str) -> bytes:
    return server_sent.frame("reset", dumps({"reason": reason, "message": message}), event_id)
