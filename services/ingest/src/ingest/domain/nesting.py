"""How deep JSON nests and how many keys it has, found without decoding it.

Decoders recurse, so depth is bounded before one sees the bytes. Everything here runs in C over the whole body; Python loops only over
what is left when strings and flat containers are gone.
"""

import re
from itertools import accumulate

_NOT_BRACKETS = bytes(set(range(256)) - set(b'[]{}"\\'))
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'[]{}:,"\\'))
_STRING = re.compile(rb'"[^"]*(?:"|$)')
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_FLAT_PASSES = 8


def depth_of(text: bytes) -> int:
    """Return how deep containers nest in a JSON text. Of a text that isn't JSON it is the depth up to its first error, or more."""
    brackets = _without_strings(text.translate(None, _NOT_BRACKETS))
    for level in range(_FLAT_PASSES):
        if not brackets:
            return level
        flatter = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(flatter) == len(brackets):
            break
        brackets = flatter
    else:
        level = _FLAT_PASSES
    return level + max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


def keys_of(text: bytes) -> int:
    """Return how many keys all objects of a JSON text have together."""
    return _without_strings(text.translate(None, _NOT_STRUCTURE)).count(b":")


def _without_strings(structure: bytes) -> bytes:
    """Drop strings from what `translate` left of a text.

    Two quotes side by side are a string with nothing of interest in it, or the end of one and the start of the next; dropping both keeps
    every other character on its side of a quote.
    """
    if b"\\" in structure:
        structure = structure.replace(b"\\\\", b"").replace(b'\\"', b"")
        structure = structure.replace(b"\\", b"")
    structure = structure.replace(b'""', b"")
    return _STRING.sub(b"", structure) if b'"' in structure else structure
