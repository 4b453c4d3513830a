"""What became of every warning, asked one warning at a time, in whole days and plain words. Nothing of the product is used."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class End:
    kind: str
    day: int
    returned: int | None = None
    term_end: int | None = None
    deadline: int | None = None
    unused: bool = False


@dataclass(frozen=True)
class Warned:
    day: int
    said: bool | None = None
    pays: bool = True
    withdrawn: bool = False


@dataclass(frozen=True)
class Case:
    """All of one account."""

    warned: Sequence[Warned]
    ends: Sequence[End]
    work: Sequence[tuple[int, int | None]]
    horizon: int
    now: int
    reads_silence: bool

    def known(self, kind: str) -> list[End]:
        return [end for end in self.ends if end.kind == kind and end.day <= self.now]

    def gone(self, day: int) -> bool:
        return any(e.day <= day and (e.returned is None or day < e.returned) for e in self.known("churned"))

    def settled(self, day: int, before: int) -> int | None:
        for end in self.known("renewed"):
            if day < end.day < before and (end.term_end is None or end.term_end >= day + self.horizon):
                return end.day
        return None

    def worked(self, first: int, last: int) -> bool:
        return any(begun <= last and (ended is None or ended >= first) for begun, ended in self.work)

    def churn_of(self, one: Warned) -> End | None:
        if self.gone(one.day) or one.withdrawn:
            return None
        for end in self.known("churned"):
            if one.day < end.day <= one.day + self.horizon:
                return end if self.settled(one.day, end.day) is None else None
        return None


def verdicts(case: Case) -> tuple[list[tuple[str, bool]], list[End]]:
    """A word for each warning and whether it counts towards precision; and the churns that were missed."""
    found: dict[int, tuple[str, bool]] = {}
    credited: list[End] = []
    for n, one in enumerate(case.warned):
        churn = case.churn_of(one)
        if churn is None:
            continue
        if case.reads_silence and churn.unused:
            found[n] = ("unjudged", False)
        elif churn.deadline is not None and one.day >= churn.deadline:
            found[n] = ("late", False)
        elif churn in credited:
            found[n] = ("repeat", False)
        else:
            credited.append(churn)
            its = [w for w in case.warned if case.churn_of(w) == churn and not _late(w, churn)]
            said = any(w.said is not None for w in its)
            found[n] = ("caught", said or not case.worked(one.day, churn.day))
    for n, one in enumerate(case.warned):
        if n not in found:
            _claim(case, n, one, found)
    missed = [
        end
        for end in case.known("churned")
        if end not in credited and not (case.reads_silence and end.unused)
    ]
    return [found[n] for n in range(len(case.warned))], missed


def _late(one: Warned, churn: End) -> bool:
    return churn.deadline is not None and one.day >= churn.deadline


def _claim(case: Case, n: int, one: Warned, found: dict[int, tuple[str, bool]]) -> None:
    if case.gone(one.day):
        found[n] = ("after", False)
        return
    if not one.pays:
        found[n] = ("unjudged", False)
        return
    end = case.settled(one.day, one.day + case.horizon) or one.day + case.horizon
    said = one.said
    for later in range(n + 1, len(case.warned)):
        other = case.warned[later]
        is_like = other.withdrawn is one.withdrawn
        if later not in found and other.day < end and is_like and not case.gone(other.day):
            found[later] = ("repeat", False)
            said = other.said if other.said is not None else said
    if said is not None:
        found[n] = ("confirmed" if said else "false", True)
    elif end > case.now:
        found[n] = ("open", False)
    elif case.worked(one.day, end):
        found[n] = ("unsaid", False)
    else:
        found[n] = ("false", True)
