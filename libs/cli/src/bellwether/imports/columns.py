"""Which column of an accounts file says what. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bellwether.imports.cells import Kind
from bellwether.load.records import ACCOUNT_TEXTS, PERSON_TEXTS, UnreadableFileError, check_once

ACCOUNT: Final = "account"
CONTACT: Final = "contact"
CONTACTS: Final = "contacts"
CONTACT_TRAIT: Final = "contact."

_TRAITS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(ACCOUNT_TEXTS, Kind.TEXT),
    **dict.fromkeys(("contract_start", "renewal_at", "notice_deadline"), Kind.DATE),
    "auto_renew": Kind.BOOLEAN,
    "seats": Kind.NUMBER,
}
_CONTACT_TRAITS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(PERSON_TEXTS, Kind.TEXT),
    "champion": Kind.BOOLEAN,
    "is_internal": Kind.BOOLEAN,
}
_ALSO: Final[Mapping[str, tuple[str, ...]]] = {
    ACCOUNT: ("account_id", "accountid", "customer_id", "company_id", "external_id", "id", "customer"),
    "name": ("account_name", "company_name", "customer_name", "company"),
    "owner": ("account_owner", "owner_name", "csm", "customer_success_manager"),
    "renewal_at": ("renewal_date", "renewal", "renewal_on", "next_renewal_date"),
    "notice_deadline": ("notice_date", "notice", "notice_by", "notice_period_end"),
    "contract_start": ("contract_start_date", "start_date", "customer_since"),
    "parent": ("parent_id", "parent_account", "parent_account_id"),
    "auto_renew": ("auto_renewal", "autorenew"),
    "seats": ("licenses", "licences"),
    CONTACT: ("contact_id", "contact_email", "primary_contact", "primary_contact_email"),
    CONTACTS: ("contact_emails",),
    "contact.name": ("contact_name", "primary_contact_name"),
    "contact.role": ("contact_role", "contact_title"),
    "contact.phone": ("contact_phone",),
    "contact.champion": ("champion",),
}
_FIELD: Final = re.compile(r"(contact\.)?[A-Za-z_][A-Za-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class Column:
    """`field` is `account`, `contact` (a person's id), `contacts` (a list of them), `contact.TRAIT` or a trait's name."""

    index: int
    header: str
    field: str
    kind: Kind

    @property
    def contact_trait(self) -> str | None:
        return self.field.removeprefix(CONTACT_TRAIT) if self.field.startswith(CONTACT_TRAIT) else None

    @property
    def is_account_trait(self) -> bool:
        return self.field not in (ACCOUNT, CONTACT, CONTACTS) and self.contact_trait is None


@dataclass(frozen=True)
class Columns:
    taken: tuple[Column, ...]
    left: tuple[str, ...]
    """Headers that nothing is made of."""

    def one(self, field: str) -> Column | None:
        return next((column for column in self.taken if column.field == field), None)


def mapping(options: Sequence[str]) -> dict[str, tuple[str, Kind | None]]:
    """From `name=column` or `name:kind=column` to the column's header and kind by field. Raises UnreadableFileError."""
    found: dict[str, tuple[str, Kind | None]] = {}
    for option in options:
        target, equals, header = option.partition("=")
        field, colon, kind = target.strip().partition(":")
        if not equals or not header.strip() or not _FIELD.fullmatch(field):
            raise UnreadableFileError(
                f"--mapping {option} is not name=column, such as renewal_at=Renewal or tier:number=Tier."
            )
        if colon and kind not in list(Kind):
            raise UnreadableFileError(f"--mapping {option}: after the colon stands one of {', '.join(Kind)}.")
        if field in found:
            raise UnreadableFileError(f"--mapping gives {field} twice.")
        found[field] = header.strip(), Kind(kind) if colon else None
    return found


def columns(
    header: Sequence[str], mapped: Mapping[str, tuple[str, Kind | None]], dimensions: Sequence[str]
) -> Columns:
    """What is mapped, then what is known by its name. Raises UnreadableFileError when that can't be an accounts file."""
    by_name = {_plain(name): index for index, name in reversed(list(enumerate(header)))}
    taken: dict[int, Column] = {}
    for field, (name, kind) in mapped.items():
        index = by_name.get(_plain(name))
        if index is None:
            raise UnreadableFileError(f"The header has no column {name}; it has {', '.join(header)}.")
        if index in taken:
            raise UnreadableFileError(f"--mapping gives the column {name} twice.")
        taken[index] = Column(index, header[index], field, kind or _kind(field))
    known = (
        ACCOUNT,
        CONTACT,
        CONTACTS,
        *_TRAITS,
        *dimensions,
        *(f"contact.{name}" for name in _CONTACT_TRAITS),
    )
    for field in dict.fromkeys(known):
        if any(column.field == field for column in taken.values()):
            continue
        names = (field, field.replace(".", "_"), *_ALSO.get(field, ()))
        index = next(
            (by_name[name] for name in names if name in by_name and by_name[name] not in taken), None
        )
        if index is not None:
            taken[index] = Column(index, header[index], field, _kind(field))
    found = Columns(
        tuple(taken[index] for index in sorted(taken)),
        tuple(name for index, name in enumerate(header) if index not in taken and name),
    )
    _check(found, header)
    fields = {_plain(column.header) for column in found.taken}
    check_once(name for name in map(_plain, header) if name in fields)
    return found


def _check(found: Columns, header: Sequence[str]) -> None:
    if found.one(ACCOUNT) is None:
        raise UnreadableFileError(
            f"No column says which account a row is about; the header has {', '.join(header)}. "
            "Say --mapping account=COLUMN."
        )
    if found.one(CONTACT) is None and any(column.contact_trait for column in found.taken):
        raise UnreadableFileError(
            "There are columns about a contact and none with their id, such as an address. Say --mapping contact=COLUMN."
        )


def _kind(field: str) -> Kind:
    if field.startswith(CONTACT_TRAIT):
        return _CONTACT_TRAITS.get(field.removeprefix(CONTACT_TRAIT), Kind.TEXT)
    known = _TRAITS.get(field)
    if known is not None:
        return known
    return Kind.DATE if field.endswith(("_at", "_date", "_deadline", "_on")) else Kind.TEXT


def _plain(name: str) -> str:
    return re.sub(r"[\s\-/]+", "_", name.strip().lower())
