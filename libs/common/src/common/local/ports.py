"""Loopback ports that two stacks on one machine do not fight over."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

from common.local.process import SetupError

LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> tuple[int, ...]:
    """Ports nobody listens on now, chosen by the system, all different."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return tuple(int(one.getsockname()[1]) for one in sockets)
    finally:
        for one in sockets:
            one.close()


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers themselves bind: a connection that lingers after a restart is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


class PortBlock:
    """`size` neighbouring ports from `base`, claimed for as long as this process lives.

    The claim is a file lock, so a stack that starts at the same moment takes the next block, and a killed one frees its own.
    """

    def __init__(self, base: int, lock_file: int) -> None:
        self.base = base
        self._lock_file = lock_file

    def close(self) -> None:
        os.close(self._lock_file)


def claim_block(base: int, size: int) -> PortBlock:
    """Raises SetupError when another stack or program has one of these ports."""
    block = _try_block(base, size)
    if block is None:
        taken = [port for port in range(base, base + size) if not is_free(port)]
        what = f"port {taken[0]} is in use" if taken else "another stack is starting on them"
        raise SetupError(
            f"Cannot use ports {base} to {base + size - 1}: {what}; choose others with --port-base."
        )
    return block


def first_free_block(bases: Sequence[int], size: int) -> PortBlock:
    for base in bases:
        block = _try_block(base, size)
        if block is not None:
            return block
    raise SetupError(
        f"No {size} neighbouring ports are free between {bases[0]} and {bases[-1]}: choose some with --port-base."
    )


def _try_block(base: int, size: int) -> PortBlock | None:
    directory = Path(tempfile.gettempdir()) / f"bellwether-ports-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    lock_file = os.open(directory / str(base), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock_file)
        return None
    if all(is_free(port) for port in range(base, base + size)):
        return PortBlock(base, lock_file)
    os.close(lock_file)
    return None
