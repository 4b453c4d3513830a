"""The threads of a process share one heap."""

import subprocess
import sys

import pytest

# What glibc tells of its heaps, after eight threads at once asked it for memory.
HEAPS = """
import ctypes, sys, threading
from common.heap import one_heap
if sys.argv[1] == "one":
    one_heap()
libc, together = ctypes.CDLL(None), threading.Barrier(8)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
def ask():
    together.wait()
    for _ in range(100):
        libc.malloc(10_000)
    together.wait()
threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.fdopen.restype, libc.malloc_info.argtypes, libc.fclose.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p], [ctypes.c_void_p]
stdout = libc.fdopen(1, b"w")
libc.malloc_info(0, stdout)
libc.fclose(stdout)
"""


@pytest.mark.parametrize(("heaps", "is_one"), [("one", True), ("as they come", False)])
def test_threads_share_one_heap(heaps: str, is_one: bool) -> None:
    command = [sys.executable, "-c", HEAPS, heaps]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert (told.count("<heap nr=") == 1) is is_one, told
