"""What settings of several services have in common: the database's address, and how what is wrong is told."""

import sys
from typing import Annotated

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, BaseModel, ValidationError

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


def tell_wrong(program: str, error: ValidationError, *kinds: type[BaseModel]) -> int:
    """Says on stderr what is wrong, by the names that the environment has for it, never with a value; returns the exit status."""
    prefixes = {kind.__name__: str(dict(kind.model_config).get("env_prefix", "")) for kind in kinds}
    for found in error.errors(include_input=False, include_url=False):
        name = "_".join(str(part) for part in found["loc"])
        # What has a name of its own (`validation_alias`) is told by it.
        known = name if name.isupper() else f"{prefixes.get(error.title, '')}{name}".upper()
        sys.stderr.write(f"{program}: setting {known}: {found['msg'].removeprefix('Value error, ')}\n")
    return WRONG
