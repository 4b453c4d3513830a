"""Compressed bodies: undone exactly, bounded, never guessed."""

import gzip
import zlib
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Rejected
from ingest.domain.inflation import Bounds, EncodingUnknown, TooLarge, inflate

BOUNDS = Bounds(8 * 1024 * 1024)


def zstd(body: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(body)


PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd}


@given(st.lists(st.binary(max_size=3_000), min_size=1, max_size=4), st.sampled_from(sorted(PACKERS)))
def test_members_put_together_inflate_to_their_contents(parts: list[bytes], encoding: str) -> None:
    body = b"".join(PACKERS[encoding](part) for part in parts)
    assert inflate(body, encoding, BOUNDS) == b"".join(parts)


@given(st.binary(min_size=1, max_size=2_000), st.sampled_from(sorted(PACKERS)), st.data())
def test_a_body_cut_short_is_refused(content: bytes, encoding: str, data: st.DataObject) -> None:
    packed = PACKERS[encoding](content)
    length = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(Rejected) as refused:
        inflate(packed[:length], encoding, BOUNDS)
    assert refused.value.code == "encoding-invalid"


@given(st.binary(min_size=1, max_size=500), st.sampled_from(sorted(PACKERS)))
def test_garbage_is_refused(garbage: bytes, encoding: str) -> None:
    try:
        found = inflate(garbage, encoding, BOUNDS)
    except Rejected:
        return
    assert found == (gzip.decompress(garbage) if encoding == "gzip" else zstandard.decompress(garbage))


def test_bytes_after_the_end_are_refused() -> None:
    for encoding, pack in PACKERS.items():
        with pytest.raises(Rejected):
            inflate(pack(b"content") + b"tail", encoding, BOUNDS)


@pytest.mark.parametrize("encoding", sorted(PACKERS))
def test_a_bomb_is_refused_by_size_and_by_ratio(encoding: str) -> None:
    bomb = PACKERS[encoding](bytes(100_000_000))
    with pytest.raises(TooLarge):
        inflate(bomb, encoding, BOUNDS)
    with pytest.raises(TooLarge) as refused:
        inflate(bomb, encoding, Bounds(1_000_000_000))
    assert refused.value.code == "compression-ratio"


def test_thousands_of_empty_members_are_refused() -> None:
    for encoding, pack in PACKERS.items():
        with pytest.raises(Rejected):
            inflate(pack(b"") * 5_000, encoding, BOUNDS)


def test_a_frame_that_wants_a_huge_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    packed = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = packed.compress(b"x" * 1000) + packed.flush()
    with pytest.raises(Rejected):
        inflate(body, "zstd", BOUNDS)


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "compress"])
def test_other_encodings_are_named_unknown(encoding: str) -> None:
    with pytest.raises(EncodingUnknown):
        inflate(zlib.compress(b"{}"), encoding, BOUNDS)


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_a_plain_body_is_left_as_it_is(encoding: str) -> None:
    assert inflate(b"{}", encoding, BOUNDS) == b"{}"
