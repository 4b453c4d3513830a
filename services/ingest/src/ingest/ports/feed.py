"""Following what becomes of a tenant's events as it is decided."""

import asyncio
from contextlib import AbstractContextManager
from typing import Protocol

from ingest.ports.live import FateRow


class Followed(Protocol):
    """Rows for one stream. `lost` turns true when the stream read too slowly and rows were dropped."""

    rows: "asyncio.Queue[FateRow]"
    lost: bool


class Feed(Protocol):
    """Hands each new row to every subscription of its tenant, on the event loop."""

    def subscribe(self, tenant_id: int, newest_seq: int) -> AbstractContextManager[Followed]:
        """Receive rows above `newest_seq`; a row may come twice."""
        ...
