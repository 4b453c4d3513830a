"""Trained models in the database: written once, read by who judges and who asks."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import psycopg

from common.contracts.known import KnownCounts
from common.risk.hazard import HazardModel
from common.risk.training import Training

_SAVE = """
insert into control.risk_model (tenant_id, version, made_at, accepted, training, known)
select %(tenant)s, coalesce(max(version), 0) + 1, %(now)s, %(accepted)s, %(training)s::jsonb, %(known)s::jsonb
from control.risk_model where tenant_id = %(tenant)s returning version
"""
_LATEST = """
select version, accepted, training from published.risk_model where tenant_id = %(tenant)s order by version desc limit 1
"""


class InForce(msgspec.Struct, frozen=True):
    """The model that judges a tenant's renewals."""

    version: int
    model: HazardModel


def save(
    conn: psycopg.Connection[Any], tenant_id: int, training: Training, known: KnownCounts, now: dt.datetime
) -> int:
    """Keeps what came of a training, as the tenant's next version."""
    parameters = {
        "tenant": tenant_id,
        "now": now,
        "accepted": training.model is not None,
        "training": msgspec.json.encode(training).decode(),
        "known": msgspec.json.encode(known).decode(),
    }
    row = conn.execute(_SAVE, parameters).fetchone()
    assert row is not None
    return int(row[0])


def in_force(conn: psycopg.Connection[Any], tenant_id: int) -> InForce | None:
    """The model of the latest training; None where that was refused: what was good once need not be so still."""
    row = conn.execute(_LATEST, {"tenant": tenant_id}).fetchone()
    if row is None or not row[1]:
        return None
    training = msgspec.convert(row[2], Training)
    return None if training.model is None else InForce(row[0], training.model)
