"""Segments: filters over the traits of accounts, saved under a name."""

from __future__ import annotations

from pydantic import Field

from common.catalogue.base import Model, Name

FilterValue = str | int | float | bool | None


class Segment(Model):
    """An account is in it while everything that is said holds of the account's traits.

    `filter`: each trait has one of its values (null: has none), as in a query. `where`: CEL over `traits`; unknown isn't in.
    `all_of`, `any_of`, `none_of`: other segments that it must be in, be in one of, or be in none of.
    """

    name: Name
    label: str = Field(min_length=1)
    description: str = ""
    filter: dict[str, tuple[FilterValue, ...]] = Field(default={})
    where: str | None = None
    all_of: tuple[Name, ...] = ()
    any_of: tuple[Name, ...] = ()
    none_of: tuple[Name, ...] = ()

    @property
    def parts(self) -> tuple[Name, ...]:
        """The segments that it is made of."""
        return (*self.all_of, *self.any_of, *self.none_of)
