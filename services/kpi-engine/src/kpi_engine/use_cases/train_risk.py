"""Trains the tenants whose turn it is, one after the other, in a process of its own."""

from datetime import timedelta

from common.catalogue import store as definitions
from common.catalogue.models import Catalogue
from common.clock import Clock
from common.contracts.known import KnownCounts
from common.logs import get_logger
from common.risk.learning import due, learn
from common.risk.store import save
from common.risk.training import Training, refused
from kpi_engine.ports.connection import Connection

log = get_logger("training")

# Keeps our advisory lock apart from those of others in the same database.
_LOCK = 0x62_72_69_73_6B
_TAKE = "select pg_try_advisory_lock(%s)"


def train_due(connection: Connection, every: timedelta, clock: Clock) -> int:
    """Keeps a version of each where a model is allowed to judge; returns how many. None while another process trains."""
    row = connection.execute(_TAKE, (_LOCK,)).fetchone()
    if row is None or not row[0]:
        return 0
    trained = 0
    for tenant_id in due(connection, every, clock.now()):
        catalogue = definitions.current(connection, tenant_id)
        if catalogue is not None and catalogue.risk_settings.model == "when_better":
            training, known = _learnt(connection, tenant_id, catalogue, clock)
            version = save(connection, tenant_id, training, known, clock.now())
            log.info("risk_trained", tenant_id=tenant_id, version=version, refused=training.refusal)
            trained += 1
    return trained


def _learnt(
    connection: Connection, tenant_id: int, catalogue: Catalogue, clock: Clock
) -> tuple[Training, KnownCounts]:
    try:
        with connection.transaction():
            return learn(connection, tenant_id, catalogue, clock.now())
    except MemoryError:
        return refused("it needs more memory than ENGINE_TRAIN_RISK_MEMORY_MB allows"), KnownCounts()
