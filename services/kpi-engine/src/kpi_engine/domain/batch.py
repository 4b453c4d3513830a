"""New events of one tenant as columns: what the arithmetic half of the engine reads."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from common.catalogue.models import Catalogue

Ints = npt.NDArray[np.int64]


# No person has an id as large.
NOBODY_NEW = 1 << 62


def _nothing() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Pending:
    """A version of the definitions that is being counted, beside the one in force."""

    version: int
    catalogue: Catalogue


@dataclass(frozen=True, slots=True)
class TenantBatch:
    """New (already de-duplicated) events of one tenant in one engine batch; index i is the same event in every column."""

    tenant_id: int
    catalogue: Catalogue
    partitions: npt.NDArray[np.int16]
    account_ids: Ints  # 0: an event of the tenant itself
    person_ids: Ints  # 0: nobody is named
    internal: npt.NDArray[np.bool_]  # the person is marked internal, as known when the batch was resolved
    types: list[str]
    event_at_us: Ints  # epoch microseconds
    sources: list[str]
    ids: list[str]
    bodies: list[bytes]  # the whole event; its data is decoded only for types that need it
    ingested_at_us: Ints = field(default_factory=_nothing)  # ingest stamps; empty where they are not known
    pending: Pending | None = None
    new_people_from: int = NOBODY_NEW  # of people with ids from here on nothing is stored yet
