"""A short run of the fuzz targets, always the same: the seeds, what was ever found, and mutations of them by a fixed seed."""

import random

import pytest
from tests.fuzz.seeds import FINDINGS, SEEDS
from tests.fuzz.targets import TARGETS

MUTATIONS = 1_500
SCRAPS = (
    b"", b"\0", b"\xff", b'"', b"\\", b"\\u0000", b"\\ud800", b"\xed\xa0\x80", b"{", b"}", b"[", b"]", b",", b":", b"1e400", b"-0", b"NaN", b"null",
    b"true", b"18446744073709551616", b'"id":', b'"time":', b'"data":', b'"user":', b"\r\n", b"\n", b"\xef\xbb\xbf", b"0001-01-01T00:00:00Z",
)  # fmt: skip


def mutated(rng: random.Random) -> bytes:
    """Scraps put in, parts taken out, doubled and swapped; now and then two seeds in one."""
    data = bytearray(rng.choice(SEEDS))
    for _ in range(rng.randrange(1, 6)):
        at, to = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        change = rng.randrange(5)
        if change == 0:
            data[at:at] = rng.choice(SCRAPS)
        elif change == 1:
            del data[at : min(to, at + 8)]
        elif change == 2:
            data[at:at] = data[at : min(to, at + 40)]
        elif change == 3 and at < len(data):
            data[at] = rng.randrange(256)
        else:
            data[at:at] = rng.choice(SEEDS)[: rng.randrange(60)]
    return bytes(data)


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_and_findings_hold(target: str) -> None:
    for data in (*SEEDS, *FINDINGS[target]):
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_mutations_of_them_hold(target: str) -> None:
    rng = random.Random(f"{target} 1")
    for _ in range(MUTATIONS):
        TARGETS[target](mutated(rng))
