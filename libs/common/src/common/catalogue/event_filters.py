"""What a filter of events may be made of.

It is asked of every event of its types, in the engine's only thread that writes. So nothing in it may take longer than its text is long:
no comprehension, no regular expression, no arithmetic, which conditions on accounts may use.
"""

import re

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
