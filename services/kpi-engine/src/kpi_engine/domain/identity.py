"""Who an event is, and whether two bodies say the same.

Identity is (tenant, account, source, id), whatever the event's time says.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import crc32c
import numpy as np
import numpy.typing as npt
import orjson

ENTRY = np.dtype([("hi", ">u8"), ("lo", ">u8"), ("fp", ">u8")])
Entries = npt.NDArray[Any]  # of ENTRY

_blake2b = hashlib.blake2b
_crc32c = crc32c.crc32c


def identities(
    tenant: str, accounts: Sequence[str], sources: Sequence[str], ids: Sequence[str]
) -> list[bytes]:
    """Return 16 bytes for each event that stand for its identity: BLAKE2b of its four parts, told apart by NUL, which none may contain."""
    found = []
    # A copy of what all begin with is made a quarter faster than a new one.
    begun = _blake2b(f"{tenant}\0".encode(), digest_size=16)
    for account, source, event_id in zip(accounts, sources, ids, strict=True):
        one = begun.copy()
        one.update(f"{account}\0{source}\0{event_id}".encode())
        found.append(one.digest())
    return found


def fingerprints(bodies: Sequence[bytes]) -> npt.NDArray[np.uint64]:
    """Return 64 bits for each body that differ, almost surely, when two bodies differ: CRC-32C and length.

    Equal fingerprints mean the same body; different ones are compared by `same_body`, because the same event may be written in more than one way.
    """
    count = len(bodies)
    sums = np.fromiter(map(_crc32c, bodies), np.uint64, count)
    return sums << np.uint64(32) | np.fromiter(map(len, bodies), np.uint64, count)


def entries_of(identities: Sequence[bytes], fingerprints: npt.ArrayLike) -> Entries:
    """Return identities with their fingerprints as one flat array."""
    out = np.empty(len(identities), dtype=ENTRY)
    halves = np.frombuffer(b"".join(identities), dtype=">u8").reshape(-1, 2)
    out["hi"], out["lo"], out["fp"] = halves[:, 0], halves[:, 1], np.asarray(fingerprints, np.uint64)
    return out


def identity_bytes(entry: Any) -> bytes:
    """The 16 bytes of one entry that stand for its identity."""
    return bytes(entry["hi"].tobytes() + entry["lo"].tobytes())


def entry_of(identity: bytes, body: bytes) -> Entries:
    """The entry, alone in its array, of an identity as `identity_bytes` gives it."""
    hi, lo = np.frombuffer(
        identity, np.uint64
    )  # numbers lose the order of their bytes when they leave the array
    return np.array([(hi, lo, fingerprints([body])[0])], ENTRY)


def same_body(first: bytes, second: bytes) -> bool:
    """Say whether two bodies mean the same event: key order, white space and fields that the server set don't count."""
    return bool(_canonical(first) == _canonical(second))


def _canonical(body: bytes) -> Any:
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body
    if isinstance(event, dict) and "originaltime" in event:
        event.pop("time", None)
    return event
