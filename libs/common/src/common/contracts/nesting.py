"""How deep JSON nests and how many keys it has, found without decoding it.

Decoders recurse, so depth is bounded before one sees the bytes. Everything here runs in C over the whole body; Python loops only over
what is left when strings and flat containers are gone.
"""

import re
from itertools import accumulate

_NOT_BRACKETS = bytes(set(range(256)) - set(b'[]{}"'))
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'[]{}:"'))
# Both kinds of bracket count alike; where they don't pair, a decoder has stopped before.
_ALIKE = bytes.maketrans(b"{}", b"[]")
# Empty strings side by side, four before one: fewer finds are faster.
_EMPTY_STRINGS = (b'"' * 8, b'""')
_STRING = re.compile(rb'"[^"]*(?:"|$)')
_STEP = {ord("["): 1, ord("]"): -1}
_FLAT_PASSES = 8


def depth_of(text: bytes) -> int:
    """Return how deep containers nest in a JSON text. Of a text that isn't JSON it is the depth up to its first error, or more."""
    brackets = _without_strings(text, _NOT_BRACKETS)
    level = 0
    while level < _FLAT_PASSES and b"[]" in brackets:
        # One pass takes the innermost containers away, so every nest loses one level.
        brackets = brackets.replace(b"[]", b"")
        level += 1
    return level + max(accumulate(map(_STEP.__getitem__, brackets), initial=0))


def keys_of(text: bytes) -> int:
    """Return how many keys all objects of a JSON text have together."""
    return _without_strings(text, _NOT_STRUCTURE).count(b":")


def _without_strings(text: bytes, dropped: bytes) -> bytes:
    """Return a text without its strings and without the characters `dropped`.

    Two quotes side by side are a string with nothing of interest in it, or the end of one and the start of the next; dropping both keeps
    every other character on its side of a quote.
    """
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    structure = text.translate(_ALIKE, dropped)
    for quotes in _EMPTY_STRINGS:
        structure = structure.replace(quotes, b"")
    return _STRING.sub(b"", structure) if b'"' in structure else structure
