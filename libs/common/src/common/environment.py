"""What settings of several services have in common: the database's address, what events are judged by, and how what is wrong is told."""

import sys
from datetime import timedelta
from typing import Annotated

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, ValidationError

from common.contracts.diagnosis import Limits, Terms

WRONG = 2
"""Exit status of a program whose settings can't work."""


def database_address(text: str) -> str:
    """As it is; raises ValueError for what is none, which never repeats it: it may hold a password."""
    try:
        is_known = bool(conninfo_to_dict(text))
    except psycopg.ProgrammingError:
        is_known = False
    if not is_known:
        raise ValueError("must be the address of a PostgreSQL, postgresql://user:password@host:port/database")
    return text


DatabaseUrl = Annotated[str, AfterValidator(database_address)]

_USUAL = Terms()


class EventTerms(BaseModel):
    """What events are judged by, by the names that ingest has for it, prefix `INGEST_`. The gateway judges corrected events by the same
    variables: they have to be the same for both."""

    max_event_bytes: int = Field(_USUAL.limits.event_bytes, ge=1024, le=1024 * 1024)
    max_depth: int = Field(_USUAL.limits.depth, ge=4, le=200, description="How deep an event may nest.")
    max_keys: int = Field(_USUAL.limits.keys, ge=10, description="Keys in all objects of one event.")
    oldest_event: AwareDatetime = _USUAL.oldest
    future_seconds: int = Field(
        _USUAL.ahead // timedelta(seconds=1),
        ge=0,
        description="How far an event's time may lie after its arrival.",
    )

    @property
    def terms(self) -> Terms:
        """Return them as the judge takes them."""
        limits = Limits(self.max_event_bytes, self.max_depth, self.max_keys)
        return Terms(limits, self.oldest_event, timedelta(seconds=self.future_seconds))


def tell_wrong(program: str, error: ValidationError, *kinds: type[BaseModel]) -> int:
    """Says on stderr what is wrong, by the names that the environment has for it, never with a value; returns the exit status."""
    prefixes = {kind.__name__: str(dict(kind.model_config).get("env_prefix", "")) for kind in kinds}
    for found in error.errors(include_input=False, include_url=False):
        name = "_".join(str(part) for part in found["loc"])
        # What has a name of its own (`validation_alias`) is told by it.
        known = name if name.isupper() else f"{prefixes.get(error.title, '')}{name}".upper()
        sys.stderr.write(f"{program}: setting {known}: {found['msg'].removeprefix('Value error, ')}\n")
    return WRONG
