"""Ids of cases and notices from what is stored of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from alerts.adapters.connected import Connected
from alerts.domain.identities import Line, case_id, notice_id
from alerts.domain.priority import Queue
from alerts.ports.identities import Identities
from alerts.ports.records import Account, Notification


class PostgresIdentities(Connected, Identities):
    """Part of the ledger."""

    def next_case_ids(self, opening: Sequence[tuple[Account, Queue]]) -> dict[tuple[int, Queue], str]:
        numbers = self._rows(
            "case_numbers",
            accounts=[account.account_id for account, _ in opening],
            queues=[queue for _, queue in opening],
        )
        return {
            (account.account_id, queue): case_id(line, account.tenant_id, account.name, queue, before + 1)
            for (account, queue), (line, before) in zip(opening, numbers, strict=True)
        }

    def lock_line(self) -> Line:
        (row,) = self._rows("line")
        return Line(*row)

    def save_line(self, line: Line) -> None:
        self._do("save_line", name=line.name, seen_at=line.seen_at, settles_at=line.settles_at)

    def identified(self, notifications: Sequence[Notification]) -> list[Notification]:
        """With their ids. A notice that is about no case and has no occasion keeps the one it came with."""
        cases = sorted({one.case_id for one in notifications if one.case_id is not None})
        known = self._rows("same_notices", cases=cases) if cases else []
        before = Counter({(case, receiver, kind, occasion): n for case, receiver, kind, occasion, n in known})
        receivers = sorted({one.receiver_id for one in notifications})
        names = dict(self._rows("names_of_receivers", ids=receivers))
        found = []
        for one in notifications:
            kind = one.type.value
            if one.receiver_id not in names or (one.case_id is None and not one.occasion):
                found.append(one)
                continue
            same = (one.case_id or "", one.receiver_id, kind, one.occasion)
            named = (
                one.tenant_id,
                one.case_id or "",
                kind,
                names[one.receiver_id],
                one.occasion,
                before[same],
            )
            # What has an occasion and no case is written once, however often it is tried.
            before[same] += one.case_id is not None
            found.append(replace(one, id=notice_id(*named)))
        return found
