"""A rule asked about one account at the end of every day of its past, with its pending and recovering time."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.domain.episodes import Cause, Circumstances, Episode, State, decide
from alerts.domain.rules import Figures, Rule, Verdict, judge
from common.catalogue.cel import SIGNALS

Asked = Callable[[int], tuple[Figures, Mapping[str, Any]]]
"""The figures and traits of a day."""


@dataclass(frozen=True, slots=True)
class Firing:
    """An episode that fired. `day` is the one whose figures are its evidence; `ended_at` is None while it lasts."""

    day: int
    fired_at: datetime
    ended_at: datetime | None


def replay(rule: Rule, asked: Asked, ends: Sequence[datetime], first: int) -> list[Firing]:
    """From day `first` on; `ends[d]` is the end of day d. What live evaluation holds back because it is history, or being loaded, is not held back.

    Between two ends nothing is known to change, so a pending or recovering time that runs out there does so with the verdict before.
    """
    circumstances = Circumstances(Cause.NOW, rule.pending_for, rule.recover_for)
    answers = _Answers(rule, {})
    firings: list[Firing] = []
    episode: Episode | None = None
    verdict = Verdict.HEALTHY
    for day in range(first, len(ends)):
        for at in _moments(episode, ends[day]):
            if at == ends[day]:
                is_firing = episode is not None and episode.state is State.FIRING
                verdict = answers.verdict(*asked(day), is_firing=is_firing)
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
    known: dict[Hashable, tuple[Mapping[str, Any], Verdict]]

    def verdict(self, figures: Figures, traits: Mapping[str, Any], *, is_firing: bool) -> Verdict:
        said = str(figures.get(SIGNALS)) if self.rule.reads_values else ""
        key = (tuple(figures.get(name) for name in self.rule.inputs), said, id(traits), is_firing)
        found = self.known.get(key)
        if found is None:
            # The traits are kept, so that no others get their identity.
            found = self.known[key] = (
                traits,
                judge(self.rule, figures, traits, is_firing=is_firing).verdict,
            )
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
