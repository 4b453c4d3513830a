"""Where a stream client is: the last batch seen of each partition, and the last case change.

A client holds it as the opaque `id` of a server-sent event and gives it back as `Last-Event-ID`.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

MAX_POSITION_CHARACTERS = 8_000
_FORMAT = "1"
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """`batches`: partition to batch number, `cases`: sequence of the last case change; both inclusive."""

    batches: Mapping[int, int]
    cases: int = 0


def owner_of(installation: str, tenant_id: int) -> str:
    """Return what binds a position to one installation and one tenant."""
    return hashlib.sha256(f"{installation}/{tenant_id}".encode()).hexdigest()[:12]


def encode(owner: str, position: StreamPosition) -> str:
    """Return the position as text that is safe in an HTTP header."""
    batches = ",".join(f"{partition}:{batch}" for partition, batch in sorted(position.batches.items()))
    text = f"{_FORMAT}|{owner}|{batches}|{position.cases}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(owner: str, text: str) -> StreamPosition | None:
    """Return the position, or None when the text is damaged, foreign, or of another tenant."""
    if len(text) > MAX_POSITION_CHARACTERS:
        return None
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)).decode("ascii")
        version, found_owner, batches, cases = raw.split("|")
        if version != _FORMAT or found_owner != owner:
            return None
        pairs = [entry.split(":") for entry in batches.split(",") if entry]
        vector = {_natural(partition): _natural(batch) for partition, batch in pairs}
        return StreamPosition(MappingProxyType(vector), _natural(cases))
    except (ValueError, binascii.Error):
        return None


def merge(one: StreamPosition, other: StreamPosition) -> StreamPosition:
    """Return the later of both, partition by partition."""
    partitions = one.batches.keys() | other.batches.keys()
    batches = {p: max(one.batches.get(p, 0), other.batches.get(p, 0)) for p in partitions}
    return StreamPosition(MappingProxyType(batches), max(one.cases, other.cases))


def batches_kept(position: StreamPosition, kept: Mapping[int, tuple[int, int]]) -> bool:
    """Decide whether every batch after `position` is still there. `kept`: oldest and newest batch number per partition."""
    known = all(
        kept[p][0] - 1 <= batch <= kept[p][1] if p in kept else batch == 0
        for p, batch in position.batches.items()
    )
    # A partition the client never saw must be there from its first batch.
    return known and all(kept[p][0] <= 1 for p in kept.keys() - position.batches.keys())


def cases_kept(position: StreamPosition, kept: tuple[int, int]) -> bool:
    """Decide whether every case change after `position` is still there. `kept`: oldest and newest sequence."""
    oldest, newest = kept
    return oldest - 1 <= position.cases <= newest


def _natural(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > _LARGEST:
        raise ValueError(text)
    return int(text)
