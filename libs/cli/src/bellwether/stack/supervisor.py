"""Keeps a set of processes running until told to end them all."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from bellwether.stack import supervision
from bellwether.stack.supervision import Life
from common.local import process
from common.local.process import ProcessSpec, Running


@dataclass
class _Ward:
    spec: ProcessSpec
    life: Life
    running: Running | None = None
    ended_with: int | None = None


class Supervisor:
    """Starts what it is given and starts it again whenever it ends. `tick` does what is due and never waits.

    Must be driven by the thread that lives as long as the process: a child is tied to the thread that started it.
    `say` gets a sentence for every unexpected end and for every process that had to be killed.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._wards: list[_Ward] = []

    def add(self, spec: ProcessSpec) -> None:
        """Starts it now."""
        ward = _Ward(spec, supervision.first_life(time.monotonic()))
        self._wards.append(ward)
        self._start(ward)

    def tick(self) -> None:
        for ward in self._wards:
            if ward.running is not None:
                self._notice_end(ward, ward.running)
            elif ward.life.is_due(time.monotonic()):
                self._start(ward)

    def _start(self, ward: _Ward) -> None:
        ward.running = process.start(ward.spec)
        ward.life = supervision.after_start(ward.life, time.monotonic())

    def _notice_end(self, ward: _Ward, running: Running) -> None:
        returncode = running.poll()
        if returncode is None:
            return
        process.kill_group(running)
        restart = supervision.after_end(ward.life, returncode, time.monotonic())
        ward.life, ward.running, ward.ended_with = restart.life, None, returncode
        self._say(
            f"{ward.spec.name} {restart.reason}; starting it again in {restart.delay_seconds:g} s "
            f"(its log: {ward.spec.log_path})"
        )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(ward.spec.name for ward in self._wards)

    def quick_ends(self, name: str) -> int:
        """How often in a row it has ended soon after its start; several at the first start mean that it cannot work."""
        return max((ward.life.failures for ward in self._wards if ward.spec.name == name), default=0)

    def ended_with(self, name: str) -> int | None:
        """The code of its last end; None when it has not ended yet."""
        return next((ward.ended_with for ward in self._wards if ward.spec.name == name), None)

    def stop(self, names: Collection[str], timeout_seconds: float) -> None:
        """Ends and forgets those of these names, all at once and without fail: asks, waits so long at most, kills."""
        chosen = [ward for ward in self._wards if ward.spec.name in names]
        self._wards = [ward for ward in self._wards if ward not in chosen]
        for ward in chosen:
            if ward.running is not None:
                process.ask_to_stop(ward.running, ward.spec)
        deadline = time.monotonic() + timeout_seconds
        for ward in chosen:
            if ward.running is not None and not process.end(
                ward.running, max(0.0, deadline - time.monotonic())
            ):
                self._say(f"{ward.spec.name} did not end in time and was killed")
