"""Who is erased, told from keyed hashes: names that arrive again get their token at once."""

from functools import partial

from common.control.log import erasure_key, person_hash
from kpi_engine.domain.erasing import TokenOf, erased_event
from kpi_engine.ports.connection import Connection

_MOST_KNOWN = 200_000


class ErasedNames:
    """Erased port on PostgreSQL. Remembers answers; call `clear` after an erasure was applied, and when partitions are taken."""

    def __init__(self) -> None:
        self._key: bytes | None = None
        self._tokens: dict[int, dict[bytes, str]] = {}
        self._known: dict[tuple[int, str], str | None] = {}

    def clear(self) -> None:
        self._tokens.clear()
        self._known.clear()

    def token_of(self, connection: Connection, tenant_id: int) -> TokenOf | None:
        tokens = self._tokens.get(tenant_id)
        if tokens is None:
            rows = connection.execute(
                """select person_hash, token from control.control_log l where tenant_id = %s and kind = 'erasure'
                   and exists (select from engine.control_progress p where p.tenant_id = l.tenant_id and p.seq >= l.seq)""",
                (tenant_id,),
            )
            tokens = self._tokens[tenant_id] = {bytes(digest): token for digest, token in rows}
        if not tokens:
            return None
        if self._key is None:
            self._key = erasure_key(connection)
        return partial(self._token, self._key, tenant_id, tokens)

    def event(self, connection: Connection, tenant_id: int, body: bytes) -> bytes:
        token_of = self.token_of(connection, tenant_id)
        return body if token_of is None else erased_event(body, token_of)

    def _token(self, key: bytes, tenant_id: int, tokens: dict[bytes, str], name: str) -> str | None:
        if (tenant_id, name) not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[tenant_id, name] = tokens.get(person_hash(key, tenant_id, name))
        return self._known[tenant_id, name]
