"""Undoing a body's compression within bounds: bytes, ratio, members; a truncated or damaged body is refused, never guessed."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import zstandard

from common.errors import Rejected

# A frame may ask for this much window at most, whatever it claims.
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
# A block of 4 bytes can become 128 KiB, so input is fed in pieces that can become 4 MiB at most.
_ZSTD_STEP_BYTES = 128
_GZIP_STEP_BYTES = 1024 * 1024
_MAX_MEMBERS = 1_000
# A small body may compress as well as it likes.
_RATIO_FROM_BYTES = 1024 * 1024


class TooLarge(Rejected):
    """The body is larger than is accepted, or would be (HTTP 413)."""


class EncodingUnknown(Rejected):
    """A content encoding that ingest does not read (HTTP 415)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a body may become, and how many times its compressed size."""

    inflated_bytes: int
    ratio: int = 300


def inflate(body: bytes, encoding: str, bounds: Bounds) -> bytes:
    """Return the body as it was before `Content-Encoding`; raises TooLarge, EncodingUnknown, Rejected."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    members = _DECODERS.get(name)
    if members is None:
        raise EncodingUnknown(
            "encoding-unknown", f"Content-Encoding {name[:40]!r} is not read; use gzip or zstd"
        )
    pieces: list[bytes] = []
    size = 0
    try:
        for piece in members(body):
            size += len(piece)
            if size > bounds.inflated_bytes:
                raise TooLarge(
                    "body-too-large", f"the body inflates to more than {bounds.inflated_bytes} bytes"
                )
            if size > _RATIO_FROM_BYTES and size > bounds.ratio * len(body):
                raise TooLarge(
                    "compression-ratio", f"the body inflates to more than {bounds.ratio} times its size"
                )
            pieces.append(piece)
    except (zlib.error, zstandard.ZstdError) as error:
        raise Rejected("encoding-invalid", f"the body is not valid {name}: {error}") from error
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _gunzip(body: bytes) -> Iterator[bytes]:
    rest = body
    for _ in range(_MAX_MEMBERS):
        member = zlib.decompressobj(31)
        while not member.eof:
            piece = member.decompress(rest, _GZIP_STEP_BYTES)
            rest = member.unused_data if member.eof else member.unconsumed_tail
            yield piece
            if not (member.eof or rest or piece):
                raise Rejected("encoding-invalid", "the gzip body is truncated")
        if not rest:
            return
    raise Rejected("encoding-invalid", f"the gzip body has more than {_MAX_MEMBERS} members")


def _unzstd(body: bytes) -> Iterator[bytes]:
    position = 0
    for _ in range(_MAX_MEMBERS):
        frame: Any = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()
        while not frame.eof:
            fed = body[position : position + _ZSTD_STEP_BYTES]
            if not fed:
                raise Rejected("encoding-invalid", "the zstd body is truncated")
            position += len(fed)
            yield frame.decompress(fed)
        position -= len(frame.unused_data)
        if position >= len(body):
            return
    raise Rejected("encoding-invalid", f"the zstd body has more than {_MAX_MEMBERS} frames")


_DECODERS: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "zstd": _unzstd,
}
