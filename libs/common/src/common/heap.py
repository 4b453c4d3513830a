"""One heap for all threads. glibc gives every thread one of its own, and what a batch frees in one is of no use to the others."""

import ctypes

_ARENA_MAX = -8  # M_ARENA_MAX in malloc.h


def one_heap() -> None:
    """To be called before there are threads: later ones share the heap of the first. Of other C libraries than glibc it asks nothing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)
