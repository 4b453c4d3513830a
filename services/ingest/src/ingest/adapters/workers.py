"""Several processes on one port: they accept from the same listening socket."""

import os
import signal
import socket
from collections.abc import Callable
from types import FrameType


def listen(host: str, port: int) -> socket.socket:
    """Open the socket that all workers accept from."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.create_server((host, port), family=family, backlog=2048)
    opened.set_inheritable(True)
    return opened


def run_workers(count: int, work: Callable[[], int]) -> int:
    """Run `work` in `count` child processes until SIGTERM or SIGINT, which every child gets; a child that ends on its own ends all, so
    that the supervisor starts them anew. Call it before any thread is started. Returns the worst exit code."""
    children = {_fork(work) for _ in range(count)}
    ending = False

    def end(_: int, __: FrameType | None) -> None:
        nonlocal ending
        ending = True
        for child in children:
            os.kill(child, signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    worst = 0
    while children:
        child, status = os.wait()
        children.discard(child)
        code = os.waitstatus_to_exitcode(status)
        worst = max(worst, abs(code))
        if not ending:
            end(signal.SIGTERM, None)
    return worst


def _fork(work: Callable[[], int]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        code = work()
    finally:
        os._exit(code)
