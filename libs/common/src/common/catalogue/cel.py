"""Formulas and conditions in CEL, behind one door: typed when compiled, and unknown rather than wrong when run.

Numbers are doubles throughout: integer literals are widened before compiling (CEL has no `double < int`), and
integers are handed over as doubles. A run-time error (a figure that is null or absent, a missing key) comes back
from the library as a value; here it is `None`, unknown, which holds for nobody.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Literal

from cel_expr_python import cel

from common.catalogue.plain_cel import ERROR, Beyond, Run, Tree, in_maps, known, parse, plain
from common.catalogue.signal_figures import SIGNAL_FIGURES

MAX_SOURCE_CHARACTERS = 4_000  # more is a program, not a condition; the parser recurses on its input

ACCOUNT_FIGURES: Mapping[str, Literal["number", "text"]] = {
    "events_28d": "number",
    "active_users_7d": "number",
    "active_users_28d": "number",
    "user_days_28d": "number",
    "user_days_base": "number",
    "login_trend": "number",
    "segment_login_trend": "number",
    "login_trend_vs_segment": "number",
    "complaints_7d": "number",
    "complaints_28d": "number",
    "complaints_base": "number",
    "last_activity_at": "text",
    "days_silent": "number",
    "usual_gap_days": "number",
    "quiet_days": "number",
    "quiet_28d": "number",
    "mrr": "number",
    "nps_latest": "number",
    "stage": "text",
    "segment": "text",
    "age_days": "number",
    "days_to_renewal": "number",
    "days_to_notice": "number",
    "health": "number",
    "health_band": "text",
    "renewals_kept": "number",
    "mrr_change_365d": "number",
    "paying_days": "number",
    "renewal_risk": "number",
    **SIGNAL_FIGURES,
}
"""The figures of `engine.account_state.figures`, as a condition over `a` may name them; `a.traits` is a map beside them."""

RENEWAL_FIGURES = ("days_to_decide", "days_to_notice", "days_to_end", "kept", "mrr")
"""What a reason of renewal risk may read of the renewal that it judges, as `r`: days until it must be decided, until the last day for
notice, until the term's end (below 0 when over), how many terms of its subscription were renewed, and what is due."""
_OF_RENEWAL = re.compile(r"\br\.[a-z_]+")

_TOKEN = re.compile(
    r"""(?P<text>[rRbB]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))"""
    r"""|(?P<word>[A-Za-z_][A-Za-z0-9_]*)|(?P<float>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+)"""
    r"""|(?P<other_int>0[xX][0-9a-fA-F]+[uU]?|\d+[uU])|(?P<int>\d+)""",
    re.DOTALL,
)
_TRAIT_NAME = re.compile(r"\s*\.\s*([A-Za-z_][A-Za-z0-9_]*)(?!\w)(?!\s*\()")
_PRESENCE = re.compile(r"\bhas\((?:a\.([a-z0-9_]+)|s\.[a-z0-9_]+\.[a-z]+|r\.[a-z_]+)\)")
_SIGNAL = re.compile(r"\bs\.([a-z][a-z0-9_]*)\.")
_IS_ON = re.compile(r"\s*s\.([a-z][a-z0-9_]*)\.on\s*")
SIGNALS = "s"
"""Under this name figures may carry the account's signals, as `engine.account_state.signals` has them, and under `s.NAME` whether
one is on."""
_POSITION = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*?)(?:\n|$)")


class CelInvalid(ValueError):
    """`line` and `column` count from 1 in the source as written."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


_AS_THEY_ARE = frozenset((float, str, bool))
# Beyond what a double holds.
_TOO_LARGE = 2**1023
Root = dict[str, Any]
"""What a program reads, by name, with numbers as doubles."""


def account_root(figures: Mapping[str, Any], traits: Mapping[str, Any]) -> Root:
    """An account as programs over `a` and `s` read it; made once for many of them."""
    its: Root = {
        name: value if type(value) in _AS_THEY_ARE else _as_doubles(value)
        for name, value in figures.items()
        if value is not None and name != SIGNALS and not name.startswith(f"{SIGNALS}.")
    }
    its["traits"] = _as_doubles(dict(traits))
    return {"a": its, SIGNALS: {name: _signal(said) for name, said in (figures.get(SIGNALS) or {}).items()}}


def _signal(said: Mapping[str, Any]) -> dict[str, Any]:
    """Whether a signal is on is known only where it is on or off; stale is never healthy."""
    known = {
        name: float(value) if type(value) is int else value
        for name, value in said.items()
        if value is not None
    }
    state = said.get("state")
    if state in ("on", "off"):
        known["on"] = state == "on"
    return known


class Roots:
    """Makes the root of an account once for all conditions that are asked of it one after the other. Safe to share between threads."""

    def __init__(self) -> None:
        self._last: tuple[Mapping[str, Any], Mapping[str, Any], Root] | None = None

    def of(self, figures: Mapping[str, Any], traits: Mapping[str, Any]) -> Root:
        last = self._last
        if last is None or last[0] is not figures or last[1] is not traits:
            last = self._last = (figures, traits, account_root(figures, traits))
        return last[2]


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled CEL expression of type bool. Safe to share between threads."""

    source: str
    _program: Any
    _plain: Run | None = None
    _of_account: Run | None = None
    signal: str | None = None
    """The signal that it asks for and nothing else: then no program runs."""

    def holds(self, root: Mapping[str, Any]) -> bool | None:
        """True, False, or None when a value it needs is unknown."""
        return self.of({name: _as_doubles(value) for name, value in root.items()})

    def of(self, root: Root) -> bool | None:
        """The same of a root that is in the form that programs read."""
        if self.signal is not None:
            on = root.get(SIGNALS, {}).get(self.signal, {}).get("on")
        else:
            on = _result(self._plain, self._program, root)
        return on if isinstance(on, bool) else None

    def for_account(
        self, figures: Mapping[str, Any], traits: Mapping[str, Any], roots: Roots | None = None
    ) -> bool | None:
        """`roots` spares making the account's root for every condition anew."""
        if self.signal is not None:
            state = (figures.get(SIGNALS) or {}).get(self.signal, {}).get("state")
            return state == "on" if state in ("on", "off") else None
        if self._of_account is not None:
            try:
                on = self._of_account((figures, traits))
            except Beyond:  # then the library is asked, below
                pass
            else:
                return on if isinstance(on, bool) else None
        return self.of(account_root(figures, traits) if roots is None else roots.of(figures, traits))

    def for_traits(self, traits: Mapping[str, Any]) -> bool | None:
        return self.holds({"traits": dict(traits)})

    def for_event(self, event_type: str, data: Mapping[str, Any]) -> bool | None:
        return self.holds({"event": {"type": event_type, "data": dict(data)}})


@dataclass(frozen=True, slots=True)
class Number:
    """A compiled CEL expression that gives a number. Safe to share between threads."""

    source: str
    _program: Any
    _plain: Run | None = None

    def for_account(self, figures: Mapping[str, Any], traits: Mapping[str, Any]) -> float | None:
        """The number, or None when a value it needs is unknown or the result is none (a division by 0)."""
        return self.of(account_root(figures, traits))

    def of(self, root: Root) -> float | None:
        """The same of an account in the form that programs read."""
        value = _result(self._plain, self._program, root)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        return float(value)


def _result(run: Run | None, program: Any, root: Root) -> Any:
    """Of the plain form where there is one and it can tell; an error of the library is no bool and no number either."""
    if run is not None:
        try:
            return run(root)
        except Beyond:  # then the library is asked
            pass
    try:
        return program.eval(data=root).value()
    except RuntimeError:  # the library gave up on what would take too long: unknown, as every error
        return None


def _of_account(path: tuple[str, ...]) -> tuple[Run, Run]:
    """Reads figures and traits as `account_root` hands them over, without making all of it."""
    if len(path) == 2 and path[0] == "a" and path[1] != "traits":
        return _figure(path[1])
    if len(path) == 3 and path[:2] == ("a", "traits"):
        return _trait(path[2])
    return _said(*path[1:]) if len(path) == 3 and path[0] == SIGNALS else _never()


def _figure(name: str) -> tuple[Run, Run]:
    def read(account: tuple[Mapping[str, Any], Mapping[str, Any]]) -> object:
        value = account[0].get(name)
        return ERROR if value is None else known(_as_doubles(value))

    return read, lambda account: account[0].get(name) is not None


def _trait(name: str) -> tuple[Run, Run]:
    def read(account: tuple[Mapping[str, Any], Mapping[str, Any]]) -> object:
        return known(_as_doubles(account[1].get(name, ERROR)))

    return read, lambda account: name in account[1]


def _said(name: str, part: str) -> tuple[Run, Run]:
    def said(account: tuple[Mapping[str, Any], Mapping[str, Any]]) -> dict[str, Any] | None:
        its = (account[0].get(SIGNALS) or {}).get(name)
        return None if its is None else _signal(its)

    def read(account: tuple[Mapping[str, Any], Mapping[str, Any]]) -> object:
        its = said(account)
        return ERROR if its is None else known(_as_doubles(its.get(part, ERROR)))

    def is_there(account: tuple[Mapping[str, Any], Mapping[str, Any]]) -> object:
        its = said(account)
        return ERROR if its is None else part in its

    return read, is_there


def _never() -> tuple[Run, Run]:
    def run(_: object) -> object:
        raise Beyond

    return run, run


def compile_number(source: str, signals: Collection[str] | None = None, *, renewal: bool = False) -> Number:
    """A number made of what `compile_account` reads. Raises CelInvalid as it does."""
    named = frozenset(name for name in signals_read(source) if signals is None or name in signals)
    program, text = _compile(source, _account_types(named, renewal), _account_env(source), _NUMBERS)
    return Number(source, program, plain(text, in_maps))


def compile_account(
    source: str, signals: Collection[str] | None = None, *, renewal: bool = False
) -> Condition:
    """A condition over `a`, the account's figures, and `s`, its signals: those given, or any where none are; and over `r`, a renewal.

    Raises CelInvalid for syntax, unknown figures and signals, types that don't fit and results that aren't a bool.
    """
    named = frozenset(name for name in signals_read(source) if signals is None or name in signals)
    program, text = _compile(source, _account_types(named, renewal), _account_env(source), _BOOL)
    alone = _IS_ON.fullmatch(source)
    of_account = None if renewal else plain(text, _of_account)
    return Condition(source, program, plain(text, in_maps), of_account, alone.group(1) if alone else None)


_PARTS = "a long formula is made of parts in brackets, or of metrics of their own"


def compile_arithmetic(source: str, path: str) -> Tree:
    """A number made of numbers by name, and of `path`, another one that is read within something. Raises CelInvalid.

    It is not run by the library, which would make doubles of exact numbers; what isn't plain is refused.
    """
    words = (token for token in _TOKEN.finditer(source) if token.lastgroup == "word")
    named = {word.group() for word in words if not source[word.end() :].lstrip().startswith("(")}
    names = named - {"true", "false", "null", "in", path.partition(".")[0]}
    types = cel.NewEnv(variables=dict.fromkeys((*sorted(names), path), cel.Type.DOUBLE))
    try:
        _, text = _compile(source, types, types, _NUMBERS)
    except CelInvalid as error:
        if "recursion depth" in str(error):
            raise CelInvalid(f"is too long: {_PARTS}") from error
        raise
    tree = parse(text)
    if tree is None:
        raise CelInvalid(f"is more than arithmetic, or too long: {_PARTS}")
    return tree


def signals_read(source: str) -> list[str]:
    """The signals that a condition names, each once, in order."""
    return list(dict.fromkeys(_SIGNAL.findall(source)))


def reads_renewal(source: str | None) -> bool:
    return source is not None and _OF_RENEWAL.search(source) is not None


def compile_event(source: str) -> Condition:
    """A condition over `event.type` and `event.data`."""
    program, text = _compile(source, _event_types(), _run_env("event"), _BOOL)
    return Condition(source, program, plain(text, in_maps))


def compile_traits(source: str) -> Condition:
    """A condition over `traits`, those of an account; each is named, as in `traits.plan`."""
    program, text = _compile(source, _run_env("traits"), _run_env("traits"), _BOOL)
    traits_read(source)
    return Condition(source, program, plain(text, in_maps))


def traits_read(source: str) -> frozenset[str]:
    """The traits that a condition over `traits` names. Raises CelInvalid where it uses them otherwise."""
    names = set()
    for token in _TOKEN.finditer(source):
        if token.group() != "traits" or source[: token.start()].rstrip().endswith("."):
            continue
        name = _TRAIT_NAME.match(source, token.end())
        if name is None:
            line = source.count("\n", 0, token.start())
            column = token.start() - (source.rfind("\n", 0, token.start()) + 1)
            raise CelInvalid("traits are read by name, as in traits.plan", line + 1, column + 1)
        names.add(name.group(1))
    return frozenset(names)


@cache
def _account_types(signals: frozenset[str] = frozenset(), renewal: bool = False) -> Any:
    """Nullable types by figure: what the author wrote is checked against these, then run on plain maps."""
    kinds = {
        "number": cel.Type("google.protobuf.DoubleValue"),
        "text": cel.Type("google.protobuf.StringValue"),
    }
    variables = {f"a.{name}": kinds[kind] for name, kind in ACCOUNT_FIGURES.items()}
    for name in signals:
        variables |= {f"s.{name}.{part}": kinds["number"] for part in ("value", "baseline", "unusual")}
        variables |= {f"s.{name}.{part}": kinds["text"] for part in ("state", "since")}
        variables[f"s.{name}.on"] = cel.Type.BOOL
    if renewal:
        variables |= {f"r.{name}": kinds["number"] for name in RENEWAL_FIGURES}
    return cel.NewEnv(variables={**variables, "a.traits": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})


@cache
def _event_types() -> Any:
    data = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    return cel.NewEnv(variables={"event.type": cel.Type.STRING, "event.data": data})


def _account_env(source: str) -> Any:
    return _run_env("a", SIGNALS, "r") if reads_renewal(source) else _run_env("a", SIGNALS)


@cache
def _run_env(*roots: str) -> Any:
    return cel.NewEnv(variables=dict.fromkeys(roots, cel.Type.Map(cel.Type.STRING, cel.Type.DYN)))


_BOOL: Mapping[str, str] = {cel.Type.BOOL.name(): "true or false"}
# A trait may be anything until it is looked at.
_NUMBERS: Mapping[str, str] = dict.fromkeys(
    (cel.Type.DOUBLE.name(), cel.Type.DYN.name(), cel.Type("google.protobuf.DoubleValue").name()), "a number"
)


def _compile(source: str, types: Any, run: Any, wanted: Mapping[str, str]) -> tuple[Any, str]:
    """The program and what it was made of, once it is known to give what is wanted: names of types, and what they are called."""
    if len(source) > MAX_SOURCE_CHARACTERS:
        raise CelInvalid(f"longer than {MAX_SOURCE_CHARACTERS} characters")
    wide = widen(source)
    text = wide
    try:
        checked = types.compile(_presence_as_true(wide))
    except RuntimeError as error:
        try:  # sizes and indexes are integers: such a source compiles only as written
            checked = types.compile(_presence_as_true(source))
            text = source
        except RuntimeError:
            raise _invalid(source, str(error)) from error
    if checked.return_type().name() not in wanted:
        raise CelInvalid(f"gives {checked.return_type().name()}, not {next(iter(wanted.values()))}")
    return run.compile(text), text


def _presence_as_true(text: str) -> str:
    """The checker knows `a.mrr` as one name, of which `has` makes nothing sensible; columns stay where they are."""

    def known(match: re.Match[str]) -> str:
        is_known = match.group(1) is None or match.group(1) in ACCOUNT_FIGURES
        return "true".ljust(len(match.group())) if is_known else match.group()

    return _PRESENCE.sub(known, text)


def widen(source: str) -> str:
    """Integer literals outside text become doubles; everything else stays as it is."""

    def widened(match: re.Match[str]) -> str:
        return f"{match.group()}.0" if match.lastgroup == "int" else match.group()

    return _TOKEN.sub(widened, source)


def _invalid(source: str, error: str) -> CelInvalid:
    found = _POSITION.search(error)
    if found is None:
        return CelInvalid(error.splitlines()[0])
    line = int(found.group(1))
    return CelInvalid(found.group(3), line, _column_as_written(source, line, int(found.group(2))))


def _column_as_written(source: str, line: int, column: int) -> int:
    """Maps a column of the widened text back to the text as written."""
    lines = source.splitlines() or [""]
    text = lines[min(line, len(lines)) - 1]
    for written in range(1, len(text) + 2):
        if len(widen(text[: written - 1])) >= column - 1:
            return written
    return len(text) + 1


def _as_doubles(value: Any) -> Any:
    kind = type(value)
    if kind is float or kind is str or kind is bool:
        return value
    if kind is dict:
        return {str(key): _as_doubles(item) for key, item in value.items()}
    if isinstance(value, int):
        return float(value) if -_TOO_LARGE < value < _TOO_LARGE else str(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): _as_doubles(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_doubles(item) for item in value]
    return value
