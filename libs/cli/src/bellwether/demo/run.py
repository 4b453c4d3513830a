"""The demo from an empty directory to live events."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psycopg
from rich.console import Console
from rich.text import Text

from bellwether.demo import screen
from bellwether.demo.memory import keep, recall
from bellwether.demo.receiver import Receiver
from bellwether.demo.stack import ChildStack
from bellwether.demo.telling import tell_history, tell_live
from bellwether.load.delivery import Patience
from bellwether.load.reporting import Reporter
from bellwether.stack.keys import TENANT, write_private
from bellwether.story.world import World, build
from bellwether.target import Target
from common.catalogue import apply, load
from common.catalogue.loading import base_pack
from common.db.session import OPTIONS

_RECEIVER: Final = "demo_screen"


@dataclass(frozen=True)
class Demo:
    data_directory: Path
    port_base: int | None
    seed: int

    @property
    def memory_file(self) -> Path:
        return self.data_directory / "demo.json"


def run(demo: Demo, console: Console, shown: Reporter) -> None:
    """Ends by an exception only: KeyboardInterrupt, StackFailedError, StoppedError."""
    demo.data_directory.mkdir(parents=True, exist_ok=True)
    memory = recall(demo.memory_file, demo.seed, datetime.now(UTC))
    if memory.seed != demo.seed:
        told = f"{demo.data_directory} holds the customers of seed {memory.seed} and goes on with them"
        console.print(Text(f"{told}; for others give another --data-dir.", style="yellow"))
    world = build(memory.seed, memory.anchor)
    receiver = Receiver(
        memory.webhook_secret,
        on_notice=lambda notice: screen.received(console, notice),
        on_refused=lambda reason: console.print(Text(f"refused a notice: {reason}", style="red")),
    )
    with (
        receiver,
        ChildStack(
            demo.data_directory, demo.port_base, lambda line: console.print(Text(line, style="dim"))
        ) as stack,
    ):
        target = stack.wait_until_ready()
        _route_notices(demo, target, receiver.url, memory.webhook_secret)
        screen.welcome(console, target)
        until = datetime.now(UTC)
        with shown:
            summary = tell_history(world, memory.told_until, until, target, shown, demo.data_directory)
        shown.finished(summary)
        keep(demo.memory_file, memory.told(until))
        screen.cast(console, world)
        _go_on(world, target, stack, console)


def _go_on(world: World, target: Target, stack: ChildStack, console: Console) -> None:
    def waiting(reason: str, seconds: float) -> None:
        console.print(Text(f"{reason}; again in {seconds:.1f} s", style="yellow"))

    tell_live(
        world,
        datetime.now(UTC).replace(microsecond=0),
        target,
        Patience(None, waiting),
        on_sent=lambda event: screen.happened(console, world, event),
        on_tick=stack.check,
    )


def _route_notices(demo: Demo, target: Target, url: str, secret: str) -> None:
    """The base catalogue with one receiver: this process. A loopback address has to be allowed by whoever declares it."""
    overlay = demo.data_directory / "demo-catalogue"
    overlay.mkdir(exist_ok=True, mode=0o700)
    events = ("case.opened", "case.worsened", "case.resolved", "alert.withdrawn", "load.summary")
    lines = [
        "receivers:",
        f"  - name: {_RECEIVER}",
        "    kind: webhook",
        f"    url: {url}",
        f"    secret: {secret}",
    ]
    lines += [
        "    allow_private: true",
        f"    events: [{', '.join(events)}]",
        "routes:",
        f"  - receivers: [{_RECEIVER}]",
    ]
    write_private(overlay / "receivers.yaml", "\n".join(lines) + "\n")
    # A demo is there to be seen: every case is told at once.
    write_private(overlay / "alerting.yaml", "page: null\n")
    with psycopg.connect(target.database(), options=OPTIONS) as conn:
        apply(conn, TENANT, load(base_pack(), [overlay]))
