"""What makes a rule that fires on an account doubtful: people judged it not real, or it goes on and off."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.domain.cases import Case
from alerts.domain.episodes import Episode, Reason, State, Transition
from alerts.domain.rules import Rule
from alerts.domain.suppression import Judged, headline, is_worse
from alerts.domain.terms import Flapping
from alerts.ports.ledger import Ledger
from alerts.ports.lives import Suppression
from alerts.ports.records import Account, Alert, Definitions
from alerts.use_cases.weigh import share_of

Asked = tuple[Account, Rule, Alert | None]
Key = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Doubt:
    not_real_until: datetime | None = None
    is_worse: bool = False
    calm_for: timedelta | None = None


@dataclass(frozen=True)
class Doubts:
    """`turns`: how often a rule began to fire on an account within the window of its tenant."""

    suppressions: Mapping[Key, Suppression]
    turns: Mapping[Key, int]
    flapping: Mapping[int, Flapping]

    def about(self, account: Account, rule: Rule, now: datetime) -> Doubt:
        key = (account.account_id, rule.name)
        cap = self.flapping.get(account.tenant_id)
        calm_for = cap.within if cap is not None and self.turns.get(key, 0) >= cap.turns else None
        known = self.suppressions.get(key)
        if known is None or known.judged.until <= now:
            return Doubt(calm_for=calm_for)
        risk = share_of(account.figures.get("renewal_risk"))
        worse = is_worse(rule, known.judged, account.figures, account.traits, risk)
        return Doubt(None if worse else known.judged.until, worse, calm_for)


def doubts_of(ledger: Ledger, asked: Sequence[Asked], now: datetime) -> Doubts:
    """Of rules that fire, or did until now."""
    if not asked:
        return Doubts({}, {}, {})
    found = ledger.suppressions(sorted({account.account_id for account, _, _ in asked}), now)
    flapping: dict[int, Flapping] = {}
    for tenant_id in {account.tenant_id for account, _, _ in asked}:
        definitions = ledger.definitions(tenant_id)
        if definitions is not None and definitions.terms.flapping is not None:
            flapping[tenant_id] = definitions.terms.flapping
    turns: dict[Key, int] = {}
    for tenant_id, cap in flapping.items():
        pairs = [(a.account_id, rule.name) for a, rule, _ in asked if a.tenant_id == tenant_id]
        turns |= ledger.turns(pairs, now - cap.within)
    return Doubts({(one.account_id, one.rule): one for one in found}, turns, flapping)


def begins_to_fire(previous: Episode | None, transition: Transition) -> bool:
    """It came on: anew, or again before it was over."""
    if transition.episode is None or transition.episode.state is not State.FIRING:
        return False
    was_firing = previous is not None and previous.state is State.FIRING
    return not was_firing or transition.reason is Reason.RELAPSED


def suppressions(
    case: Case, account: Account, rules: Collection[str], definitions: Definitions, now: datetime
) -> list[Suppression]:
    """What is remembered of the rules of a case that turned out not to be real."""
    until = now + definitions.terms.not_real_for
    found = []
    for name in sorted(rules):
        known = definitions.rules.get(name)
        figure, value = (known and headline(known, account.figures)) or (None, None)
        judged = Judged(until, figure, value, share_of(account.figures.get("renewal_risk")))
        found.append(Suppression(case.tenant_id, case.account_id, name, case.id, now, judged))
    return found
