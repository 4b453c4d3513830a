"""Refuses parameters that are all but spelt like one of the address: `?segmnet=mid` would otherwise be answered with all accounts.

What resembles nothing is let through, for browsers, proxies and dashboards add parameters of their own.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from fastapi import Request
from fastapi.dependencies.models import Dependant

from common.errors import Rejected

_ALIKE = 0.8
_SHOWN = 40


async def well_spelt(request: Request) -> None:
    """As a dependency of an application: of all its addresses that declare what they take."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    if not request.query_params or not isinstance(dependant, Dependant):
        return
    known = frozenset(_declared(dependant))
    for name in request.query_params:
        meant = resembled(name, known)
        if meant is not None:
            raise Rejected(
                "parameter-unknown",
                f"there is no parameter {name[:_SHOWN]!r}; did you mean {meant!r}? Known are {', '.join(sorted(known))}",
            )


@lru_cache(maxsize=4096)
def resembled(name: str, known: frozenset[str]) -> str | None:
    """The known parameter that was meant; None where it is known, or resembles none."""
    if name in known or len(name) > _SHOWN:
        return None
    swapped = (one for one in known if len(one) > 1 and sorted(one) == sorted(name))
    close = get_close_matches(name, known, n=1, cutoff=_ALIKE)
    return next(iter(close), next(swapped, None))


def _declared(dependant: Any) -> Iterable[str]:
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _declared(inner)
