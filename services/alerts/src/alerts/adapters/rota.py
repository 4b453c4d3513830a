"""Leaves, overrides, pages, mute times and mornings in PostgreSQL."""

from collections.abc import Sequence
from datetime import date, datetime, time

from alerts.adapters.connected import Connected
from alerts.domain.on_call import Override, Page
from alerts.domain.people import Leave
from alerts.domain.workdays import WEEKDAYS, MuteTime, weekday_numbers
from alerts.ports.rota import MadeLeave, MadeMuteTime, OwnCase, Rota


class PostgresRota(Connected, Rota):
    """A part of the ledger, on its connection."""

    def mute_times(self, tenant_id: int) -> list[MadeMuteTime]:
        return [
            MadeMuteTime(
                made_id,
                MuteTime(
                    name,
                    weekday_numbers(weekdays),
                    time.fromisoformat(begins),
                    time.fromisoformat(ends),
                    hard_too,
                ),
                created_by,
                created_at,
            )
            for made_id, name, weekdays, begins, ends, hard_too, created_by, created_at in self._rows(
                "mute_times", tenant=tenant_id
            )
        ]

    def add_mute_time(self, tenant_id: int, made: MadeMuteTime) -> bool:
        window = made.window
        added = self._do(
            "add_mute_time",
            id=made.id,
            tenant=tenant_id,
            name=window.name,
            weekdays=[WEEKDAYS[number] for number in sorted(window.weekdays)],
            begins=f"{window.begins:%H:%M}",
            ends=f"{window.ends:%H:%M}",
            hard_too=window.hard_too,
            by=made.created_by,
            at=made.created_at,
        )
        return added == 1

    def delete_mute_time(self, tenant_id: int, mute_time_id: str) -> bool:
        return self._do("delete_mute_time", tenant=tenant_id, id=mute_time_id) == 1

    def leaves(self, tenant_id: int, now: datetime) -> list[MadeLeave]:
        return [
            MadeLeave(leave_id, Leave(person, first, last, deputy), created_by, created_at)
            for leave_id, person, first, last, deputy, created_by, created_at in self._rows(
                "leaves", tenant=tenant_id, now=now
            )
        ]

    def add_leave(self, tenant_id: int, made: MadeLeave) -> None:
        leave = made.leave
        self._do(
            "add_leave",
            id=made.id,
            tenant=tenant_id,
            person=leave.person,
            first=leave.first,
            last=leave.last,
            deputy=leave.deputy,
            by=made.created_by,
            at=made.created_at,
        )

    def delete_leave(self, tenant_id: int, leave_id: str) -> bool:
        return self._do("delete_leave", tenant=tenant_id, id=leave_id) == 1

    def on_call_overrides(self, tenant_id: int, now: datetime) -> list[Override]:
        return [Override(*row) for row in self._rows("on_call_overrides", tenant=tenant_id, now=now)]

    def add_on_call_override(self, tenant_id: int, made: Override) -> None:
        self._do(
            "add_on_call_override",
            id=made.id,
            tenant=tenant_id,
            rotation=made.rotation,
            person=made.person,
            starts_at=made.starts_at,
            ends_at=made.ends_at,
            comment=made.comment,
            by=made.created_by,
            at=made.created_at,
        )

    def delete_on_call_override(self, tenant_id: int, override_id: str) -> bool:
        return self._do("delete_on_call_override", tenant=tenant_id, id=override_id) == 1

    def add_pages(self, pages: Sequence[Page]) -> None:
        self._do_all("begin_pages", [_values(page) for page in pages])

    def due_pages(self, now: datetime, limit: int) -> list[Page]:
        return [Page(*row) for row in self._rows("due_pages", now=now, limit=limit)]

    def go_on(self, page: Page, ended: str, following: Page | None) -> None:
        self._do("end_page", **_values(page), ended=ended)
        if following is not None:
            last = "told-all" if following.due_at is None else None
            self._do("follow_page", **_values(following), ended=last)

    def pages_of_case(self, tenant_id: int, case_id: str) -> list[tuple[Page, str | None]]:
        found = self._rows("pages_of_case", tenant=tenant_id, case=case_id)
        return [(Page(*row[:-1]), row[-1]) for row in found]

    def made_digests(self, tenant_id: int, since: date) -> set[tuple[str, date]]:
        return {(row[0], row[1]) for row in self._rows("made_digests", tenant=tenant_id, since=since)}

    def make_digest(self, tenant_id: int, owner: str, day: date, cases: int, now: datetime) -> bool:
        return self._do("make_digest", tenant=tenant_id, owner=owner, day=day, cases=cases, now=now) == 1

    def last_digest(self, tenant_id: int, owner: str, before: date) -> tuple[date, datetime] | None:
        found = self._rows("last_digest", tenant=tenant_id, owner=owner, day=before)
        return (found[0][0], found[0][1]) if found else None

    def days_with_digests(self, tenant_id: int, since: date) -> set[date]:
        return {row[0] for row in self._rows("days_with_digests", tenant=tenant_id, since=since)}

    def tenants_with_cases(self) -> list[int]:
        return [row[0] for row in self._rows("tenants_with_cases")]

    def owners_of_cases(self, tenant_id: int) -> list[str | None]:
        return [row[0] for row in self._rows("owners_of_cases", tenant=tenant_id)]

    def own_cases(
        self, tenant_id: int, names: Sequence[str] | None, today: date, morning: datetime
    ) -> list[OwnCase]:
        asked = None if names is None else list(names)
        found = self._rows("own_cases", tenant=tenant_id, names=asked, today=today, morning=morning)
        return [OwnCase(*(*row[:-1], tuple(row[-1]))) for row in found]


def _values(page: Page) -> dict[str, object]:
    return {name: getattr(page, name) for name in Page.__slots__}
