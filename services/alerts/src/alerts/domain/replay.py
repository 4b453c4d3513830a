"""A rule asked about one account at the end of every day of its past, with its pending and recovering time."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.domain.account_days import AccountDays
from alerts.domain.episodes import Cause, Circumstances, Episode, State, decide
from alerts.domain.rules import Rule, Verdict, judge
from common.catalogue.cel import SIGNALS


@dataclass(frozen=True, slots=True)
class Firing:
    """An episode that fired. `day` is the one whose figures are its evidence; `ended_at` is None while it lasts."""

    day: int
    fired_at: datetime
    ended_at: datetime | None


def replay(rule: Rule, asked: AccountDays, ends: Sequence[datetime], first: int) -> list[Firing]:
    """From day `first` on; `ends[d]` is the end of day d. What live evaluation holds back because it is history, or being loaded, is not held back.

    Between two ends nothing is known to change, so a pending or recovering time that runs out there does so with the verdict before.
    """
    circumstances = Circumstances(Cause.NOW, rule.pending_for, rule.recover_for)
    answers = _Answers(rule, asked, {})
    firings: list[Firing] = []
    episode: Episode | None = None
    verdict = Verdict.HEALTHY
    for day, inputs in enumerate(asked.inputs(rule.inputs, first, len(ends)), first):
        if episode is None and not answers.may_fire(inputs):
            continue
        for at in _moments(episode, ends[day]):
            if at == ends[day]:
                is_firing = episode is not None and episode.state is State.FIRING
                verdict = answers.verdict(day, inputs, is_firing=is_firing)
            if episode is None and verdict is not Verdict.FIRING:
                continue
            before, episode = episode, decide(episode, verdict, at, circumstances).episode
            if episode is not None and episode.fired_at is not None:
                _note(firings, before, episode, day if at == ends[day] else day - 1)
            if episode is not None and not episode.is_live:
                episode = None
    return firings


@dataclass(frozen=True, slots=True)
class _Answers:
    """Days are much like each other, and a condition costs far more than looking up what it said of the same figures."""

    rule: Rule
    asked: AccountDays
    known: dict[Hashable, tuple[Mapping[str, Any], Verdict]]

    def may_fire(self, inputs: tuple[Any, ...]) -> bool:
        """Whether all is known that it must know."""
        if None not in inputs:
            return True
        named = zip(self.rule.inputs, inputs, strict=True)
        return all(value is not None or name in self.rule.optional for name, value in named)

    def verdict(self, day: int, inputs: tuple[Any, ...], *, is_firing: bool) -> Verdict:
        traits = self.asked.traits.on(day)
        said = str(self.asked.on(day)[0].get(SIGNALS)) if self.rule.reads_values else ""
        key = (inputs, said, id(traits), is_firing)
        found = self.known.get(key)
        if found is None:
            told = judge(self.rule, *self.asked.on(day), is_firing=is_firing).verdict
            # The traits are kept, so that no others get their identity.
            found = self.known[key] = (traits, told)
        return found[1]


def _moments(episode: Episode | None, end: datetime) -> Iterator[datetime]:
    """When to look on a day: when a time runs out during it, and at its end."""
    if episode is not None and episode.due_at is not None and episode.due_at < end:
        yield episode.due_at
    yield end


def _note(firings: list[Firing], before: Episode | None, episode: Episode, day: int) -> None:
    assert episode.fired_at is not None
    if before is None or before.fired_at is None:
        firings.append(Firing(day, episode.fired_at, None))
    if not episode.is_live:
        last = firings[-1]
        firings[-1] = Firing(last.day, last.fired_at, episode.ended_at)
