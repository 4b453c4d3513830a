"""Why the engine stops by name. Nothing is ever skipped to avoid one of these."""

import psycopg

from common.errors import Unavailable


class EngineStopped(Exception):
    """The engine must not go on; `code` names the runbook, the message says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Fenced(EngineStopped):
    """Another engine took the partition: this one's work is rolled back. Start again and join the group anew."""

    def __init__(self, topic: str, partition: int) -> None:
        super().__init__(
            "engine-fenced", f"another engine owns {topic}/{partition} now; this one's batch was rolled back"
        )


# Errors that say nothing about the data: the engine ends and is started again, and the batch is tried anew. Statements are always the same, so
# one that the server does not understand, or does not allow, tells of tables of another version (an upgrade under way) or of missing rights.
_TRANSIENT = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
    psycopg.ProgrammingError,
    psycopg.NotSupportedError,
    Unavailable,
    EngineStopped,
    MemoryError,
)
# Of psycopg's operational errors those that the data causes: a name too long for any index page, for one.
_OF_DATA = (psycopg.errors.ProgramLimitExceeded, psycopg.errors.StatementTooComplex)


def caused_by_data(error: Exception) -> bool:
    """Whether the same data would fail again, and other data would not."""
    return isinstance(error, _OF_DATA) or not isinstance(error, _TRANSIENT)


def without_values(error: Exception) -> str:
    """What a log may say of an error: the server's details quote the row, and with it people's names."""
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return repr(error) if primary is None else f"{type(error).__name__}: {primary}"
