"""The morning's digest: each owner's open cases, most at stake first, once a working day in their own zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from alerts.domain.cases import NoticeType
from alerts.domain.digests import Due, Morning, due_on, missed_before
from alerts.domain.episodes import State
from alerts.domain.people import Team
from alerts.domain.present import beside
from alerts.domain.routing import Target
from alerts.domain.severity import rank
from alerts.domain.summaries import MAX_ENTRIES, Entry, digest_notice
from alerts.ports.ledger import Ledger
from alerts.ports.records import Definitions
from alerts.ports.rota import OwnCase
from alerts.use_cases.post import Post, present

# Whoever is further than this behind or ahead of us has another day, not another two.
_DAYS_BACK = timedelta(days=2)
# One after another on the thread that also looks at what happens now; a morning takes as long as it takes.
_MADE_A_ROUND = 20


@dataclass(frozen=True, slots=True)
class Digesting:
    """A morning and its notices are one transaction: it is told once, whatever is killed when."""

    post: Post
    name: str = "digesting"
    every: timedelta = timedelta(seconds=5)

    def round(self, ledger: Ledger, now: datetime) -> None:
        for tenant_id in ledger.tenants_with_cases():
            definitions = ledger.definitions(tenant_id)
            if definitions is not None and definitions.terms.digest_at is not None:
                self._tenant(ledger, definitions, now)

    def _tenant(self, ledger: Ledger, definitions: Definitions, now: datetime) -> None:
        tenant_id = definitions.tenant_id
        team = definitions.team.joined_by([one.leave for one in ledger.leaves(tenant_id, now)])
        made: dict[str, set[date]] = {}
        for name, morning_made in ledger.made_digests(tenant_id, (now - _DAYS_BACK).date()):
            made.setdefault(name, set()).add(morning_made)
        left = _MADE_A_ROUND
        for owner in {*team.people, *ledger.owners_of_cases(tenant_id)}:
            morning = _morning(owner, definitions, team)
            away = owner is not None and team.leave_of(owner, now) is not None
            due = due_on(morning, made.get(owner or "", ()), now, away=away) if morning else None
            if morning is not None and due is not None and left > 0:
                self._tell(ledger, owner, due, morning, definitions, team, now)
                left -= 1

    def _tell(
        self,
        ledger: Ledger,
        owner: str | None,
        due: Due,
        morning: Morning,
        definitions: Definitions,
        team: Team,
        now: datetime,
    ) -> None:
        tenant_id, day = definitions.tenant_id, due.day
        names = team.looked_after_by(owner, now) if owner is not None else None
        today = definitions.terms.calendar.day_of(now)
        with ledger.transaction():
            found = ledger.own_cases(
                tenant_id, sorted(names) if names is not None else None, today, due.began_at
            )
            if not ledger.make_digest(tenant_id, owner or "", day, len(found), now) or not found:
                return
            last = ledger.last_digest(tenant_id, owner or "", day)
            missed = _missed(ledger, definitions, due, last, morning, found) if last else []
            away = sorted(names - {owner or ""}) if names is not None else []
            evidence = _evidence(ledger, definitions, found[:MAX_ENTRIES])
            entries = [
                _entry(case, last[1] if last else None, evidence.get(case.case_id, "")) for case in found
            ]
            body = digest_notice(
                owner, away, day, entries, definitions.currency, self.post.public_url, now, missed
            )
            receivers = _receivers(ledger.targets(tenant_id), owner, team)
            occasion = f"{owner or ''} {day.isoformat()}"
            notices = self.post.to_all(tenant_id, NoticeType.DIGEST, body, receivers, now, occasion)
            ledger.add_notifications(notices)


def _morning(owner: str | None, definitions: Definitions, team: Team) -> Morning | None:
    terms = definitions.terms
    if terms.digest_at is None:
        return None
    person = team.people.get(owner) if owner is not None else None
    if person is None:
        return Morning(owner, terms.calendar, terms.digest_at)
    return Morning(owner, person.calendar, person.digest_at or terms.digest_at)


def _missed(
    ledger: Ledger,
    definitions: Definitions,
    due: Due,
    last: tuple[date, datetime],
    morning: Morning,
    cases: Sequence[OwnCase],
) -> list[date]:
    """Days since the last digest that an outage took."""
    day, made_at = last
    # Leaves that ended meanwhile are known as of then.
    team = definitions.team.joined_by([one.leave for one in ledger.leaves(definitions.tenant_id, made_at)])

    def away(at: datetime) -> bool:
        return morning.owner is not None and team.leave_of(morning.owner, at) is not None

    # Of the team everybody's mornings are kept; anybody else's only on days on which they looked after something, which may have been nothing.
    is_kept = morning.owner in team.people
    made = set() if is_kept else ledger.days_with_digests(definitions.tenant_id, day)
    return missed_before(due, day, morning, made, min(case.opened_at for case in cases), away)


def _receivers(targets: Sequence[Target], owner: str | None, team: Team) -> list[Target]:
    """The person's own; for whoever has none, the shared ones that list digests."""
    person = team.people.get(owner) if owner is not None else None
    own = person.receiver if person is not None else None
    if own is not None:
        return [one for one in targets if one.name == own and not one.disabled]
    return [
        one
        for one in targets
        if not one.disabled and NoticeType.DIGEST.value in one.events and one.name not in team.receivers
    ]


def _evidence(ledger: Ledger, definitions: Definitions, cases: Sequence[OwnCase]) -> dict[str, str]:
    """By case, what fires, the gravest first: as it was when it fired, and as it is now."""
    accounts = {one.account_id: one for one in ledger.accounts([case.account_id for case in cases])}
    said: dict[str, list[str]] = {case.case_id: [] for case in cases}
    for alert in sorted(ledger.alerts_of_cases(list(said)), key=lambda one: -rank(one.severity)):
        if alert.episode.state is State.FIRING:
            account = accounts.get(alert.account_id)
            now = present(alert, account, definitions) if account else None
            said[alert.case_id or ""].append(beside(alert.evidence, now.evidence if now else None))
    return {case_id: " ".join(texts) or "It recovered." for case_id, texts in said.items()}


def _entry(case: OwnCase, last: datetime | None, evidence: str) -> Entry:
    return Entry(
        case.case_id,
        case.account,
        case.account_name or case.account,
        case.severity,
        last is None or case.opened_at > last,
        case.is_acknowledged,
        case.lapsed_at is not None,
        case.money_at_risk,
        case.notice_deadline,
        evidence,
        case.steps_due,
    )
