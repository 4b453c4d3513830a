"""Run an application under uvicorn until SIGTERM or SIGINT, then end gracefully."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn

from common.http.patience import Patience, PatientProtocol

GRACEFUL_SECONDS = 7
# Requests to a service that answers aside are probes and scrapes: whoever asked asks again.
ASIDE_SECONDS = 3


class _Server(uvicorn.Server):
    """Tells the application that it is ending before the listening socket closes."""

    def __init__(self, config: uvicorn.Config, on_drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_drain = on_drain

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        previous = {s: signal.signal(s, self.handle_exit) for s in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._on_drain()
        super().handle_exit(sig, frame)


def serve(
    app: Any, host: str, port: int, on_drain: Callable[[], None] = lambda: None, **options: Any
) -> None:
    """Serve until told to end; open requests get 7 s. `on_drain` runs first, in a signal handler: it may only set flags."""
    config = configuration(app, host, port, Patience(), **options)
    server = _Server(config, on_drain)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve())


@contextlib.contextmanager
def serving_aside(config: uvicorn.Config) -> Iterator[None]:
    """Serve in a thread while the block runs. It has ended when the block is left: a loop that still turns while the interpreter
    is torn down ends the process by SIGSEGV now and then.
    """
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="ops", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(ASIDE_SECONDS)


def configuration(app: Any, host: str, port: int, patience: Patience, **options: Any) -> uvicorn.Config:
    """How every service serves; `options` are uvicorn's own."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        # Called with what a class would be called with.
        http=cast("type[asyncio.Protocol]", partial(PatientProtocol, patience)),
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
        timeout_keep_alive=65,
        **options,
    )
