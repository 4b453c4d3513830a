"""Accepting Segment's calls: each becomes an event and is judged as one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from common.auth.keys import Principal
from common.contracts.diagnosis import Limits
from common.contracts.event_types import TypeRules
from common.contracts.instants import Window
from common.contracts.refusals import Refusal, Rejection
from ingest.domain.items import Cut
from ingest.domain.segment import DEFAULT_SOURCE, Envelope, event_of, sent_at_of
from ingest.domain.validation import Item, Text
from ingest.use_cases.accept import Intake, Outcome
from ingest.use_cases.keep import Keeper

# Segment's own bound on one call.
CALL_BYTES = 32 * 1024
DOOR = "segment"
# Mapped events are looked at one by one.
_CLOSELY = Text(utf8=False, escapes=True, depth=0)


@dataclass(frozen=True, slots=True)
class Request:
    """What a request says beside its calls. `call` is the path's; None where each item names its own."""

    items: Sequence[Item]
    call: str | None
    sent_at: bytes | None
    context: Mapping[str, Any]
    integrations: Mapping[str, Any]


class CallIntake:
    """Takes Segment's calls in; used from one event loop."""

    def __init__(self, intake: Intake, keeper: Keeper) -> None:
        self._intake, self._keeper = intake, keeper

    @property
    def limits(self) -> Limits:
        """The bounds of one call."""
        general = self._intake.limits
        return replace(general, event_bytes=min(CALL_BYTES, general.event_bytes))

    async def accept(self, caller: Principal, request: Request, types: TypeRules) -> Outcome:
        """Returns when every accepted event is durable, and so is every refused item: these senders are told success and forget. Raises
        Unavailable: then nothing is promised, and sending all of it again is harmless."""
        window = self._intake.window()
        envelope = Envelope(
            caller.source or DEFAULT_SOURCE,
            window.stamp,
            sent_at_of(request.sent_at),
            request.context,
            request.integrations,
        )
        events, rejected = self._mapped(request, envelope)
        verdicts = self._intake.judge(caller, Cut(list(events.values()), 0), _CLOSELY, window, types)
        indexes = list(events)
        for found in verdicts.rejected:
            index = indexes[found.index]
            rejected.append(Rejection(index, found.id, found.refusal, bytes(request.items[index])))
        rejected.sort(key=lambda rejection: rejection.index)
        await self._intake.publish(caller, verdicts, DOOR)
        await self._keeper.keep(caller.tenant, window.stamp, rejected)
        return Outcome(verdicts.accepted, rejected)

    def _mapped(self, request: Request, envelope: Envelope) -> tuple[dict[int, Item], list[Rejection]]:
        events: dict[int, Item] = {}
        rejected: list[Rejection] = []
        for index, item in enumerate(request.items):
            event = event_of(bytes(item), request.call, envelope, self.limits)
            if isinstance(event, Refusal):
                rejected.append(Rejection(index, None, event, bytes(item)))
            else:
                events[index] = event
        return events, rejected


def event_of_kept(item: bytes, caller: Principal, window: Window, limits: Limits) -> bytes | Refusal:
    """Return the event that a kept call is, as if it had come on its own at the window's stamp."""
    envelope = Envelope(caller.source or DEFAULT_SOURCE, window.stamp, None, {}, {})
    return event_of(item, None, envelope, limits)
