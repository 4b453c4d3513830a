"""The plain part of CEL, parsed and run without the library: paths, literals, comparisons, arithmetic, choices, `has`, and, or, not.

Handing an account to the library costs more than all else that judging it does, for every expression anew. What is written here gives
the library's own answer or raises `Beyond`: then the library is asked. Its errors (a figure that is unknown) are the value `ERROR`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import add, ge, gt, le, lt, mul, sub, truediv
from typing import Any, Final

Run = Callable[[Any], object]
"""From what holds the values to a float, text, bool or `ERROR`. Raises Beyond."""
Reader = Callable[[tuple[str, ...]], tuple[Run, Run]]
"""From a path to what reads its value, and what tells whether it is there."""

# Longer sources would nest deeper than Python calls may.
_MOST_TOKENS, _DEEPEST = 120, 12
_TOKEN = re.compile(
    r"""\s+|(?P<number>\d+\.\d+(?:[eE][+-]?\d+)?)|(?P<text>"[^"\\\n]*"|'[^'\\\n]*')|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|(?P<sign>&&|\|\||[<>=!]=|[-+*/<>!?:().])""",
    re.ASCII,
)
_OF_NUMBERS: Final = {"+": add, "-": sub, "*": mul, "/": truediv, "<": lt, "<=": le, ">": gt, ">=": ge}
_NO_NAMES = frozenset(("null", "in", "true", "false", "has"))


class Beyond(Exception):
    """Only the library can tell."""


class _Error:
    """What can't be worked out. Of && and || the other side may decide all the same."""


ERROR: Final = _Error()


@dataclass(frozen=True, slots=True)
class Literal:
    """`text` as it is written, of a text without its quotes; numbers have a point."""

    text: str
    value: float | str | bool


@dataclass(frozen=True, slots=True)
class Path:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """`sign`: `?:` of a choice, `has` of one path, `-` of one or two parts, `&&` and `||` of two and more, else as it is written."""

    sign: str
    parts: tuple[Tree, ...]


Tree = Literal | Path | Call


def parse(source: str) -> Tree | None:
    """None for a source that isn't plain. Takes for granted that the library compiles it, with numbers as doubles."""
    tokens = _tokens(source)
    if tokens is None:
        return None
    parser = _Parser(tokens)
    try:
        found = parser.choice(0)
    except Beyond:
        return None
    return found if parser.is_at_end else None


def plain(source: str, reader: Reader) -> Run | None:
    """What runs a source; None for one that `parse` makes nothing of, or that reads a name alone."""
    tree = parse(source)
    try:
        return None if tree is None else _run(tree, reader)
    except Beyond:
        return None


def in_maps(path: tuple[str, ...]) -> tuple[Run, Run]:
    """Values in maps within maps, numbers as doubles; the outermost map has all that a source may name."""
    first, *between, last = path

    def holder(root: Mapping[str, Any]) -> Any:
        at = root.get(first)
        for name in between:
            if type(at) is not dict:
                raise Beyond
            at = at.get(name, ERROR)
            if at is ERROR:
                return ERROR
        if type(at) is not dict:
            raise Beyond
        return at

    def read(root: Mapping[str, Any]) -> object:
        at = holder(root)
        return ERROR if at is ERROR else known(at.get(last, ERROR))

    def is_there(root: Mapping[str, Any]) -> object:
        at = holder(root)
        return ERROR if at is ERROR else last in at

    return read, is_there


def known(value: object) -> object:
    kind = type(value)
    if kind is float or kind is str or kind is bool or value is ERROR:
        return value
    raise Beyond


def _tokens(source: str) -> list[tuple[str, str]] | None:
    """Kind and text, the end last; None where there is anything else."""
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(source):
        token = _TOKEN.match(source, at)
        if token is None or len(found) > _MOST_TOKENS:
            return None
        if token.lastgroup is not None:
            found.append((token.lastgroup, token.group()))
        at = token.end()
    return [*found, ("end", "")]


@dataclass(slots=True)
class _Parser:
    """By the grammar of the CEL specification. Raises Beyond."""

    _tokens: Sequence[tuple[str, str]]
    _at: int = 0

    @property
    def is_at_end(self) -> bool:
        return self._tokens[self._at][0] == "end"

    def choice(self, depth: int) -> Tree:
        if depth > _DEEPEST:
            raise Beyond
        condition = self._any(depth)
        if not self._took("?"):
            return condition
        yes = self._any(depth)
        self._need(":")
        return Call("?:", (condition, yes, self.choice(depth + 1)))

    def _took(self, *signs: str) -> str | None:
        kind, text = self._tokens[self._at]
        if kind != "sign" or text not in signs:
            return None
        self._at += 1
        return text

    def _need(self, sign: str) -> None:
        if not self._took(sign):
            raise Beyond

    def _any(self, depth: int) -> Tree:
        parts = [self._all(depth)]
        while self._took("||"):
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Call("||", tuple(parts))

    def _all(self, depth: int) -> Tree:
        parts = [self._relation(depth)]
        while self._took("&&"):
            parts.append(self._relation(depth))
        return parts[0] if len(parts) == 1 else Call("&&", tuple(parts))

    def _relation(self, depth: int) -> Tree:
        left = self._sum(depth)
        sign = self._took("==", "!=", "<", "<=", ">", ">=")
        return left if sign is None else Call(sign, (left, self._sum(depth)))

    def _sum(self, depth: int) -> Tree:
        left = self._product(depth)
        while sign := self._took("+", "-"):
            left = Call(sign, (left, self._product(depth)))
        return left

    def _product(self, depth: int) -> Tree:
        left = self._unary(depth)
        while sign := self._took("*", "/"):
            left = Call(sign, (left, self._unary(depth)))
        return left

    def _unary(self, depth: int) -> Tree:
        sign = self._took("!", "-")
        return self._member(depth) if sign is None else Call(sign, (self._member(depth),))

    def _member(self, depth: int) -> Tree:
        kind, text = self._tokens[self._at]
        self._at += 1
        if (kind, text) == ("sign", "("):
            inner = self.choice(depth + 1)
            self._need(")")
            return inner
        if kind == "number":
            return Literal(text, float(text))
        if kind == "text":
            return Literal(text[1:-1], text[1:-1])
        if kind != "word":
            raise Beyond
        if text in ("true", "false"):
            return Literal(text, text == "true")
        if text == "has":
            self._need("(")
            path = self._path(self._word())
            self._need(")")
            return Call("has", (path,))
        return self._path(text)

    def _path(self, first: str) -> Path:
        path = [first]
        while self._took("."):
            path.append(self._word())
        if not _NO_NAMES.isdisjoint(path):
            raise Beyond
        return Path(tuple(path))

    def _word(self) -> str:
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind != "word":
            raise Beyond
        return text


def _run(tree: Tree, reader: Reader) -> Run:
    """Raises Beyond for a name alone: what values are read from is no value."""
    if isinstance(tree, Literal):
        return _constant(tree.value)
    if isinstance(tree, Path):
        return _readers(tree, reader)[0]
    if tree.sign == "has":
        (path,) = tree.parts
        assert isinstance(path, Path)
        return _readers(path, reader)[1]
    parts = [_run(part, reader) for part in tree.parts]
    if tree.sign in _OF_NUMBERS:
        left, right = parts if len(parts) == 2 else (_constant(-1.0), parts[0])
        return _of_numbers(_OF_NUMBERS[tree.sign] if len(parts) == 2 else mul, left, right)
    if tree.sign in ("==", "!="):
        return _equal(parts[0], parts[1], wanted=tree.sign == "==")
    if tree.sign in ("&&", "||"):
        return _decided(parts, by=tree.sign == "||")
    return _not(parts[0]) if tree.sign == "!" else _choice(parts[0], parts[1], parts[2])


def _readers(path: Path, reader: Reader) -> tuple[Run, Run]:
    if len(path.names) == 1:
        raise Beyond
    return reader(path.names)


def _constant(value: object) -> Run:
    return lambda _: value


def _truth(value: object) -> bool | _Error:
    if value is True or value is False or value is ERROR:
        return value
    raise Beyond


def _not(inner: Run) -> Run:
    def run(root: Any) -> object:
        value = _truth(inner(root))
        return value if value is ERROR else not value

    return run


def _choice(condition: Run, yes: Run, no: Run) -> Run:
    def run(root: Any) -> object:
        value = _truth(condition(root))
        return value if value is ERROR else yes(root) if value else no(root)

    return run


def _decided(parts: Sequence[Run], *, by: bool) -> Run:
    """One that is `by` decides, whatever else can't be worked out."""

    def run(root: Any) -> object:
        found: object = not by
        for part in parts:
            value = _truth(part(root))
            if value is by:
                return by
            if value is ERROR:
                found = ERROR
        return found

    return run


def _equal(left: Run, right: Run, *, wanted: bool) -> Run:
    def run(root: Any) -> object:
        one, other = left(root), right(root)
        if one is ERROR or other is ERROR:
            return ERROR
        if type(one) is not type(other):
            raise Beyond
        return (one == other) is wanted

    return run


def _of_numbers(work: Callable[[float, float], object], left: Run, right: Run) -> Run:
    def run(root: Any) -> object:
        one, other = left(root), right(root)
        if type(one) is float and type(other) is float:
            try:
                return work(one, other)
            except ZeroDivisionError:
                raise Beyond from None
        if one is ERROR or other is ERROR:
            return ERROR
        raise Beyond

    return run
