"""Who is erased, told from keyed hashes: names that arrive again get their token at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from common.control.log import erasure_key, person_hash
from kpi_engine.domain.erasing import TokenOf, erased_event
from kpi_engine.ports.connection import Connection

_MOST_KNOWN = 200_000
_ERASED = """
select l.person_hash, l.token, array_agg(distinct p.partition) from control.control_log l
join engine.control_progress p on p.tenant_id = l.tenant_id and p.seq >= l.seq
where l.tenant_id = %s and l.kind = 'erasure' group by l.person_hash, l.token
"""


@dataclass(frozen=True, slots=True)
class _Erased:
    """`partitions`: those that have applied the erasure."""

    token: str
    partitions: frozenset[int]


class ErasedNames:
    """Erased port on PostgreSQL. Remembers answers; call `clear` after an erasure was applied, and when partitions are taken."""

    def __init__(self) -> None:
        self._key: bytes | None = None
        self._erased: dict[int, dict[bytes, _Erased]] = {}
        self._known: dict[tuple[int, str], _Erased | None] = {}

    def clear(self) -> None:
        self._erased.clear()
        self._known.clear()

    def token_of(
        self, connection: Connection, tenant_id: int, partition: int | None = None
    ) -> TokenOf | None:
        erased = self._erased.get(tenant_id)
        if erased is None:
            rows = connection.execute(_ERASED, (tenant_id,))
            erased = {bytes(digest): _Erased(token, frozenset(where)) for digest, token, where in rows}
            self._erased[tenant_id] = erased
        if not any(partition is None or partition in one.partitions for one in erased.values()):
            return None
        if self._key is None:
            self._key = erasure_key(connection)
        return partial(self._token, self._key, tenant_id, erased, partition)

    def event(
        self, connection: Connection, tenant_id: int, body: bytes, partition: int | None = None
    ) -> bytes:
        token_of = self.token_of(connection, tenant_id, partition)
        return body if token_of is None else erased_event(body, token_of)

    def _token(
        self, key: bytes, tenant_id: int, erased: Mapping[bytes, _Erased], partition: int | None, name: str
    ) -> str | None:
        if (tenant_id, name) not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[tenant_id, name] = erased.get(person_hash(key, tenant_id, name))
        found = self._known[tenant_id, name]
        return found.token if found and (partition is None or partition in found.partitions) else None
