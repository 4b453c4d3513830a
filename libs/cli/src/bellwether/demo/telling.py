"""Sends the story: the history as a marked load, then what happens live, at the time it happens."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from bellwether.load.batches import Batch
from bellwether.load.delivery import Delivery, InterruptedLoadError, Patience, RefusedItem, StoppedError
from bellwether.load.position import Position
from bellwether.load.records import FileType, Item, Place
from bellwether.load.reporting import Reporter, Summary
from bellwether.load.run import Plan, send_marked
from bellwether.load.sending import Ledger, RefusedFile, Sink, deliver_all
from bellwether.story.event import StoryEvent
from bellwether.story.history import history
from bellwether.story.live import live
from bellwether.story.world import HISTORY_DAYS, World
from bellwether.target import Target, http_client

_EVENTS_A_REQUEST: Final = 500
# Often enough to look live, seldom enough to cost nothing.
_TICK_SECONDS: Final = 0.25
_YEAR: Final = timedelta(days=HISTORY_DAYS)


def tell_history(
    world: World, since: datetime | None, until: datetime, target: Target, shown: Reporter, directory: Path
) -> Summary:
    """Loads since <= time < until and waits until the figures hold it. Interrupted, it may be told again: repeats count once."""
    patience = Patience(None, shown.waiting)
    refused_file = RefusedFile(directory / "demo-refused.ndjson")
    ledger = Ledger(
        Position(digest="", line=0, accepted=0, refused=0),
        Sink(refused_file, None, partial(Place, None)),
        shown,
    )
    plan = Plan(
        file=None, file_type=FileType.NDJSON, state_directory=directory, title="a year of 200 customers"
    )
    with http_client(target.url("ingest"), target.key("ingest")) as client:
        delivery = Delivery(client, FileType.NDJSON, patience)
        batches = _batches(world, since, until)
        applied = send_marked(
            lambda: deliver_all(batches, delivery, patience, ledger, None), plan, target, patience, shown
        )
    refused_file.close()
    refused = ledger.standing.refused
    return Summary(ledger.standing, refused, 0, str(refused_file.path) if refused else None, applied)


def _batches(world: World, since: datetime | None, until: datetime) -> Iterator[Batch]:
    """The share that is told goes by days, because how many events are to come is only known when they are told."""
    first = since or datetime.combine(world.anchor, datetime.min.time(), UTC) - _YEAR
    whole = (until - first).total_seconds() or 1.0
    for number, events in enumerate(_chunks(history(world, until, since), _EVENTS_A_REQUEST)):
        line = number * _EVENTS_A_REQUEST
        items = tuple(Item(line + at, event.body()) for at, event in enumerate(events, start=1))
        yield Batch(items, min(1.0, max(0.0, (events[-1].at - first).total_seconds() / whole)))


def _chunks(events: Iterable[StoryEvent], size: int) -> Iterator[list[StoryEvent]]:
    held: list[StoryEvent] = []
    for event in events:
        held.append(event)
        if len(held) == size:
            yield held
            held = []
    if held:
        yield held


def tell_live(
    world: World,
    started_at: datetime,
    target: Target,
    patience: Patience,
    on_sent: Callable[[StoryEvent], None],
    on_tick: Callable[[], None],
) -> None:
    """Without end: sends each event when its time has come, until `patience` is stopped or `on_tick` raises."""
    with http_client(target.url("ingest"), target.key("ingest")) as client:
        delivery = Delivery(client, FileType.NDJSON, patience)
        story = live(world, started_at)
        upcoming = next(story)
        while not patience.pause(_TICK_SECONDS):
            on_tick()
            now = datetime.now(UTC)
            due: list[StoryEvent] = []
            while upcoming.at <= now and len(due) < _EVENTS_A_REQUEST:
                due.append(upcoming)
                upcoming = next(story)
            if due:
                _send(delivery, due)
                for event in due:
                    on_sent(event)
    raise InterruptedLoadError


def _send(delivery: Delivery, due: list[StoryEvent]) -> None:
    receipt = delivery.send([Item(number, event.body()) for number, event in enumerate(due, start=1)])
    if receipt.refused:
        raise StoppedError(_why(receipt.refused[0]))


def _why(refused: RefusedItem) -> str:
    return f"Ingest refused an event of the story: {refused.message} ({refused.code}). The catalogue may have been changed."
