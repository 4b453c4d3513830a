"""How a load is shown: a live bar on a terminal, plain lines elsewhere, JSON lines for programs."""

import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

from bellwether.load.delivery import RefusedItem
from bellwether.load.records import Place

_LINE_EVERY_SECONDS: Final = 5.0
_JSON_EVERY_SECONDS: Final = 0.5
SHOWN_REFUSALS: Final = 20
# Shorter waits are the normal breath of a busy server.
_WORTH_SAYING_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Standing:
    """`fraction` is the share of the source that is durable, 0 to 1; None when its size is not known."""

    accepted: int
    refused: int
    line: int
    fraction: float | None
    elapsed_seconds: float

    @property
    def per_second(self) -> float:
        return (self.accepted + self.refused) / self.elapsed_seconds if self.elapsed_seconds > 0 else 0.0


@dataclass(frozen=True)
class Summary:
    """`standing` is of this run; `refused_in_all` counts the runs before it too."""

    standing: Standing
    refused_in_all: int
    resumed_after_line: int
    refused_file: str | None
    applied: bool


class Reporter(Protocol):
    """`waiting` may be called from any thread, the rest from one."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def phase(self, text: str) -> None: ...
    def progress(self, standing: Standing) -> None: ...
    def waiting(self, reason: str, seconds: float) -> None: ...
    def refused(self, item: RefusedItem, place: Place, number: int) -> None: ...
    def finished(self, summary: Summary) -> None: ...


def reporter(*, json_lines: bool, out: Console, err: Console) -> Reporter:
    if json_lines:
        return JsonReporter(out)
    return BarReporter(err) if err.is_terminal else LineReporter(err)


def refusal_text(item: RefusedItem, place: Place) -> str:
    return f"{place}: {item.message} ({item.code})"


def summary_text(summary: Summary) -> str:
    standing = summary.standing
    text = f"{standing.accepted:,} events accepted"
    text += f", {standing.refused:,} refused" if standing.refused else ""
    text += f" in {_duration(standing.elapsed_seconds)} ({standing.per_second:,.0f} a second)"
    if summary.resumed_after_line:
        text += f", resumed after line {summary.resumed_after_line:,}"
    text += "; all of them are in the figures." if summary.applied else "; the engine is still applying them."
    if summary.refused_file:
        text += f"\nThe refused ones, with reasons: {summary.refused_file}"
    return text


class _People:
    """What bar and lines share."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def refused(self, item: RefusedItem, place: Place, number: int) -> None:
        if number <= SHOWN_REFUSALS:
            self.console.print(Text("refused ", style="yellow") + Text(refusal_text(item, place)))
        elif number == SHOWN_REFUSALS + 1:
            self.console.print("further refused events are only written to the file")

    def finished(self, summary: Summary) -> None:
        self.console.print(
            Text(summary_text(summary), style="green" if not summary.refused_in_all else "yellow")
        )


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        per_second = task.fields.get("per_second", 0.0)
        left = task.fields.get("left")
        text = f"{task.fields.get('events', 0):,} events {per_second:,.0f}/s"
        text += f", {_duration(left)} left" if left is not None else ""
        return Text(text + task.fields["note"])


class BarReporter(_People):
    def __init__(self, console: Console) -> None:
        super().__init__(console)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=20))
        self._progress = Progress(
            *columns,
            TextColumn("{task.percentage:>3.0f}%"),
            _Rate(),
            console=console,
        )
        self._task: TaskID = self._progress.add_task("loading", total=None, note="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def phase(self, text: str) -> None:
        self._progress.update(self._task, description=text, note="")

    def progress(self, standing: Standing) -> None:
        known = standing.fraction is not None
        self._progress.update(
            self._task,
            total=1.0 if known else None,
            completed=standing.fraction or 0.0,
            events=standing.accepted + standing.refused,
            per_second=standing.per_second,
            left=seconds_left(standing),
            note="",
        )

    def waiting(self, reason: str, seconds: float) -> None:
        if seconds >= _WORTH_SAYING_SECONDS:
            self._progress.update(self._task, note=f"\n  {reason}; again in {seconds:.1f} s")


class LineReporter(_People):
    """No terminal: a line now and then, so that a log stays readable."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._next_line_at = time.monotonic() + _LINE_EVERY_SECONDS
        self._lock = threading.Lock()
        self._said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def phase(self, text: str) -> None:
        self.console.print(text)

    def progress(self, standing: Standing) -> None:
        if time.monotonic() < self._next_line_at:
            return
        self._said = ""
        self._next_line_at = time.monotonic() + _LINE_EVERY_SECONDS
        share = f" ({standing.fraction:.0%})" if standing.fraction is not None else ""
        left = seconds_left(standing)
        rest = f", {_duration(left)} left" if left is not None else ""
        self.console.print(
            f"{standing.accepted + standing.refused:,} events{share}, {standing.per_second:,.0f} a second{rest}"
        )

    def waiting(self, reason: str, seconds: float) -> None:
        with self._lock:
            if seconds >= _WORTH_SAYING_SECONDS and reason != self._said:
                self._said = reason
                self.console.print(f"{reason}; again in {seconds:.1f} s")


class JsonReporter:
    """One JSON object a line on stdout; `event` says what it is about."""

    def __init__(self, console: Console) -> None:
        self._file = console.file
        self._lock = threading.Lock()
        self._next_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def _write(self, event: str, **fields: object) -> None:
        with self._lock:
            self._file.write(msgspec.json.encode({"event": event, **fields}).decode() + "\n")
            self._file.flush()

    def phase(self, text: str) -> None:
        self._write("phase", text=text)

    def progress(self, standing: Standing) -> None:
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + _JSON_EVERY_SECONDS
            self._write("progress", **_fields(standing))

    def waiting(self, reason: str, seconds: float) -> None:
        if seconds >= _WORTH_SAYING_SECONDS:
            self._write("waiting", reason=reason, seconds=seconds)

    def refused(self, item: RefusedItem, place: Place, number: int) -> None:
        if number <= SHOWN_REFUSALS:
            found = {} if place.file is None else {"file": place.file}
            self._write("refused", **found, line=place.line, code=item.code, message=item.message)

    def finished(self, summary: Summary) -> None:
        self._write(
            "finished",
            **_fields(summary.standing),
            resumed_after_line=summary.resumed_after_line,
            refused_in_all=summary.refused_in_all,
            refused_file=summary.refused_file,
            applied=summary.applied,
        )


def _fields(standing: Standing) -> dict[str, object]:
    return {
        "accepted": standing.accepted,
        "refused": standing.refused,
        "line": standing.line,
        "fraction": standing.fraction,
        "elapsed_seconds": round(standing.elapsed_seconds, 3),
        "seconds_left": seconds_left(standing),
    }


def seconds_left(standing: Standing) -> float | None:
    if not standing.fraction or standing.elapsed_seconds < 1.0:
        return None
    return standing.elapsed_seconds * (1.0 - standing.fraction) / standing.fraction


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))
