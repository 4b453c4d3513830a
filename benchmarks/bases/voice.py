"""What is heard of an account: complaints, tickets, surveys, contacts, plans, people who go. Facts as (instant, type, data).

Background rates are assumptions: a complaint a year and about four tickets a year for three people, more with the square root of people.
One grievance in four brings two to four complaints within ten days, in accounts that stay too.
Relationship surveys go out each quarter, and 30 % of up to six people asked answer; an account's mood is 8.2 with a spread of 1.2.
An account that complains files four to ten complaints with growing frequency, opens three times the tickets and waits longer; its mood is
3. One that fades answers rarely; a third of those take their data out before they give notice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from benchmarks.bases.activity import People
from benchmarks.bases.calendar import DAYS
from benchmarks.bases.money import Fact
from benchmarks.bases.plan import COMPLAINING, FADING, SAVED, YEAR, Account, Cause, at

_COMPLAINTS_A_YEAR: Final = 0.55  # times the square root of people
_GRIEVANCE_SHARE: Final = 0.25  # of complaints that others follow at once
_TICKETS_A_YEAR: Final = 2.4  # the same
_WAVE_DAYS: Final = 91
_CONTACT_DAYS: Final = {"high": 14, "mid": 30, "tech": 90}
_EXPORTS_A_YEAR: Final = 0.15
_LOOKS_AT_CANCELLING_A_YEAR: Final = 0.05  # out of curiosity
_THEMES: Final = ("reliability", "support", "missing feature", "billing")


@dataclass(frozen=True)
class _Scene:
    account: Account
    staff: People
    rng: np.random.Generator
    begins: int

    def anybody(self, day: int) -> str:
        """Somebody who has a login on that day; the champion's name when nobody has."""
        there = np.flatnonzero((self.staff.joined <= day) & (day < self.staff.left))
        return f"u{self.rng.choice(there)}" if len(there) else "u0"

    def in_danger(self, day: int) -> bool:
        danger = self.account.danger
        return danger is not None and danger.onset <= day < (self.account.stepped_in or danger.over)

    def times(self, a_year: float, start: int | None = None, end: int | None = None) -> list[int]:
        """Days of a Poisson process."""
        first = max(self.begins if start is None else start, self.begins)
        last = min(self.account.gone if end is None else end, DAYS - 1)
        if last <= first:
            return []
        return sorted(
            self.rng.integers(first, last, self.rng.poisson(a_year * (last - first) / YEAR)).tolist()
        )


def of(account: Account, staff: People, rng: np.random.Generator) -> Iterator[Fact]:
    scene = _Scene(account, staff, rng, max(account.joins, 0))
    for told in (_people, _milestones, _complaints, _tickets, _surveys, _contacts, _plan, _price, _parting):
        yield from (fact for fact in told(scene) if at(scene.begins, 0) <= fact[0] < at(DAYS, 0))


def _people(scene: _Scene) -> Iterator[Fact]:
    for n, (joined, left) in enumerate(
        zip(scene.staff.joined.tolist(), scene.staff.left.tolist(), strict=True)
    ):
        if left <= joined or joined >= scene.account.gone:
            continue
        traits = {"role": "admin" if n == 0 else "member", "champion": n == 0}
        yield at(max(joined, scene.begins), 7), "user.created", {"user": f"u{n}", "traits": traits}
        # Of half of those who go somebody tells us.
        if left < scene.account.gone and (n == 0 or scene.rng.random() < 0.5):
            yield at(left, 17), "user.left", {"user": f"u{n}"}


def _milestones(scene: _Scene) -> Iterator[Fact]:
    if scene.account.joins >= 0:
        for after, milestone in ((3, "kickoff"), (12, "configured"), (20, "first_value"), (35, "live")):
            yield at(scene.begins + after), "onboarding.milestone_reached", {"milestone": milestone}


def _complaints(scene: _Scene) -> Iterator[Fact]:
    days = [(day, "low") for day in scene.times(_COMPLAINTS_A_YEAR * scene.account.people**0.5)]
    for day, _ in list(days):
        if scene.rng.random() < _GRIEVANCE_SHARE:
            follow = scene.rng.integers(0, 10, int(scene.rng.integers(1, 4)))
            days += [(day + later, "low") for later in follow.tolist() if day + later < scene.account.gone]
    danger = scene.account.danger
    if danger and scene.account.cause in COMPLAINING:
        end = scene.account.stepped_in or danger.over
        # The square root of an even draw piles up at the end.
        shares = np.sqrt(scene.rng.random(int(scene.rng.integers(4, 11))))
        days += [(danger.onset + int(share * (end - danger.onset)), "high") for share in shares]
    for n, (day, severity) in enumerate(sorted(days)):
        data = {
            "complaint": f"{scene.account.name}-c{n}",
            "severity": severity,
            "theme": str(scene.rng.choice(_THEMES)),
        }
        yield at(day, 11), "complaint.filed", data
        yield at(day + (3 if severity == "low" else 12), 15), "complaint.resolved", data


def _tickets(scene: _Scene) -> Iterator[Fact]:
    rate = _TICKETS_A_YEAR * scene.account.people**0.5
    days = scene.times(rate)
    danger, is_loud = scene.account.danger, scene.account.cause in COMPLAINING
    if danger and is_loud:
        days = sorted(days + scene.times(2 * rate, danger.onset, scene.account.stepped_in or danger.over))
    for n, day in enumerate(days):
        slow = 3.0 if is_loud and scene.in_danger(day) else 1.0
        data = {"ticket": f"{scene.account.name}-t{n}", "priority": "high" if slow > 1 else "normal"}
        yield at(day, 10), "ticket.opened", data
        yield at(day, 13), "ticket.first_responded", data
        yield at(day + max(round(scene.rng.lognormal(0.4, 0.8) * slow), 1), 16), "ticket.resolved", data


def _surveys(scene: _Scene) -> Iterator[Fact]:
    usual = scene.rng.normal(8.2, 1.2)
    first = scene.begins + int(scene.rng.integers(0, _WAVE_DAYS))
    for n, day in enumerate(range(first, scene.account.gone, _WAVE_DAYS)):
        survey = {"survey": "relationship", "kind": "nps", "wave": f"{scene.account.name}-{n}"}
        yield at(day, 9), "survey.sent", survey
        mood, answers = usual, 0.3
        if scene.in_danger(day) and scene.account.cause in COMPLAINING:
            mood, answers = 3.0, 0.4
        elif scene.in_danger(day) and scene.account.cause in FADING:
            mood, answers = usual - 1.5, 0.1
        elif scene.in_danger(day) and scene.account.cause is Cause.CHEAPER:
            mood = usual - 2
        there = np.flatnonzero((scene.staff.joined <= day) & (day + 14 < scene.staff.left))
        for person in scene.rng.permutation(there)[:6].tolist():
            if scene.rng.random() < answers:
                score = int(np.clip(round(scene.rng.normal(mood, 1.3)), 0, 10))
                when = at(day + int(scene.rng.integers(0, 8)), 12)
                yield when, "survey.responded", {**survey, "user": f"u{person}", "score": score}


def _contacts(scene: _Scene) -> Iterator[Fact]:
    """At about the interval of the engagement model; one in five is a message that nobody answers, three in five to an account that fades."""
    account, every = scene.account, _CONTACT_DAYS[scene.account.touch]
    day = scene.begins + int(scene.rng.integers(0, every))
    while day < account.gone:
        unanswered = 0.6 if scene.in_danger(day) and account.cause in FADING else 0.2
        kind = "review" if scene.rng.random() < 0.15 else "call"
        data = {"owner": account.owner, "kind": kind, "two_way": bool(scene.rng.random() > unanswered)}
        yield at(day, 10), "activity.logged", data
        day += max(round(every * scene.rng.uniform(0.7, 1.4)), 3)
    if account.cause in SAVED and account.stepped_in is not None:
        for after, kind in ((0, "call"), (4, "meeting"), (10, "review")):
            yield (
                at(account.stepped_in + after, 13),
                "activity.logged",
                {"owner": account.owner, "kind": kind, "two_way": True},
            )


def _plan(scene: _Scene) -> Iterator[Fact]:
    """Accounts that somebody looks after have a goal for the year; its progress stands still while they fade."""
    if scene.account.touch == "tech" or scene.rng.random() < 0.4:
        return
    start, reached = scene.begins + 30, 0.0
    due = start + 300
    goal = {
        "goal": "hours saved",
        "measure": "hours",
        "baseline": 0,
        "target": 100,
        "confirmed_by_customer": True,
    }
    yield at(start), "success_plan.set", {**goal, "due": at(due).date().isoformat(), "value": 0}
    for day in range(start + 30, min(due, scene.account.gone), 30):
        if not (scene.in_danger(day) and scene.account.cause in FADING):
            reached += max(scene.rng.normal(10.5, 4), 0)
        yield at(day, 9), "success_plan.progressed", {"goal": "hours saved", "value": round(reached)}


def _price(scene: _Scene) -> Iterator[Fact]:
    danger = scene.account.danger
    if danger and scene.account.cause is Cause.CHEAPER:
        for day in scene.times(12, danger.onset, danger.over):
            data = {
                "user": scene.anybody(day),
                "channel": "mail",
                "theme": "price",
                "text": "It costs us too much.",
            }
            yield at(day, 14), "feedback.received", data


def _parting(scene: _Scene) -> Iterator[Fact]:
    """Data is taken out now and then by anybody, and more often before a notice."""
    account = scene.account
    days = scene.times(_EXPORTS_A_YEAR)
    chance = {Cause.SILENT: 0.35, Cause.LOUD: 0.25, Cause.SUDDEN: 0.1}.get(account.cause, 0.0)
    if account.danger and scene.rng.random() < chance:
        days.append(max(account.danger.notice - int(scene.rng.integers(2, 30)), account.danger.onset))
    for day in days:
        yield at(day, 15), "feature.used", {"user": scene.anybody(day), "feature": "data_export"}
    for day in scene.times(_LOOKS_AT_CANCELLING_A_YEAR):
        yield at(day, 16), "feature.used", {"user": scene.anybody(day), "feature": "cancel_page"}
    if account.danger and scene.rng.random() < chance / 2:
        yield (
            at(account.danger.notice - 3, 15),
            "feature.used",
            {"user": scene.anybody(account.danger.notice), "feature": "cancel_page"},
        )
