"""What a filter of events may be made of.

It is asked of every event of its types, in the engine's only thread that writes. So nothing in it may take longer than its text is long:
no comprehension, no regular expression, no arithmetic, which conditions on accounts may use.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from common.catalogue.cel import CelInvalid, compile_event

ADVICE = (
    "A filter of events compares event.type and event.data.<name> with literals: ==, !=, <, <=, >, >=, in, &&, ||, !, has(), size(), "
    "startsWith(), endsWith(), contains()"
)
_TEXT = r"""[rR]?(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
_PIECE = re.compile(
    rf"""\s+|//[^\n]*|{_TEXT}|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?u?
    |event(?:\.[A-Za-z_]\w*(?!\w|\s*\()|\[\s*{_TEXT}\s*\])+(?:\s*\.(?:startsWith|endsWith|contains)(?=\s*\())?
    |(?:has|size)(?=\s*\()|(?:in|true|false|null)\b|==|!=|<=|>=|&&|\|\||[<>!()\[\],]""",
    re.VERBOSE,
)
_NAME = re.compile(rf"\.\s*([A-Za-z_]\w*)|\[\s*({_TEXT})\s*\]")
_SIGNS = ("==", "!=", "<", "<=", ">", ">=")
_METHODS = ("startsWith", "endsWith", "contains")
_WORD = re.compile(r"\.?\s*\w+|.", re.DOTALL)


def check_filter(source: str) -> None:
    """Raises CelInvalid for what is no condition on events, and for a condition that is no filter, at the place of the first piece that is too much."""
    compile_event(source)
    at = 0
    while at < len(source):
        piece = _PIECE.match(source, at)
        if piece is None:
            word = _WORD.match(source, at)
            what = word.group() if word else source[at]
            line, column = source.count("\n", 0, at) + 1, at - source.rfind("\n", 0, at)
            raise CelInvalid(f"{what!r} is more than a filter of events may do", line, column)
        at = piece.end()


@dataclass(frozen=True, slots=True)
class Compared:
    """A field of `data` that a filter reads, and the literals it is compared with, numbers as floats. `inner`: it reads within the field."""

    field: str
    inner: bool
    sign: str = ""
    """`in` or a sign; empty where it is not compared with literals."""
    literals: tuple[str | float | bool, ...] = ()


def compared(source: str) -> Iterator[Compared]:
    """What a filter that `check_filter` lets pass reads of `data`, in order."""
    pieces = [piece for piece in _pieces(source) if piece.strip() and not piece.startswith("//")]
    for at, piece in enumerate(pieces):
        names = (
            [name or text[1:-1] for name, text in _NAME.findall(piece)] if piece.startswith("event") else []
        )
        follows = pieces[at + 1] if at + 1 < len(pieces) else ""
        if follows == "(" and names and names[-1] in _METHODS:
            names.pop()
        if len(names) < 2 or names[0] != "data":
            continue
        before = pieces[at - 1] if at else ""
        sign, near = follows, pieces[at + 2 : at + 3]
        if follows == "in" and near == ["["]:
            near = pieces[at + 3 : pieces.index("]", at + 3)]
        elif follows not in _SIGNS:
            sign, near = (before, pieces[at - 2 : at - 1]) if before in _SIGNS else ("", [])
        literals = tuple(value for one in near if (value := _literal(one)) is not None)
        yield Compared(names[1], len(names) > 2, sign, literals)


def _pieces(source: str) -> Iterator[str]:
    at = 0
    while at < len(source) and (piece := _PIECE.match(source, at)):
        yield piece.group()
        at = piece.end()


def _literal(piece: str) -> str | float | bool | None:
    """None for null, for what is no literal, and for a text with escapes, which nothing is said of."""
    if piece in ("true", "false"):
        return piece == "true"
    if piece[0] in "\"'":
        return None if "\\" in piece else piece[1:-1]
    try:
        return float(piece.removesuffix("u"))
    except ValueError:
        return None
