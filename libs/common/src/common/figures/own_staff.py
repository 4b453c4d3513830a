"""Leaving out what our own people took of a customer's steps: the condition in SQL."""

from __future__ import annotations

from typing import Any

from common.catalogue.models import Catalogue, Measure
from common.catalogue.staff import left_out


def counted(row: str) -> str:
    """That a row of `published.step` counts; with `params_of` the measure, and `tenant`."""
    return f"""({row}.step = any(%(customers)s)) = %(others)s or {row}.person_id not in (
    select person_id from published.person where tenant_id = %(tenant)s and is_internal)"""


def params_of(measure: Measure | None, catalogue: Catalogue) -> dict[str, Any]:
    customers = None if measure is None else left_out(measure, catalogue)
    return {
        "customers": list(customers.names) if customers else [],
        "others": customers is not None and customers.others,
    }
