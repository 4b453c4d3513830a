"""Errors sorted by what the caller must do.

`code` is stable kebab-case and appears in JSON, logs, metrics and documents; `message` says what happened, why, and what to do.
Anything that is not one of these is a defect and ends the process or the request with a 500.
"""


class BellwetherError(Exception):
    """Base of all errors a caller is expected to handle."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Rejected(BellwetherError):
    """Permanent: the same input will be refused again (HTTP 4xx, rejected events)."""


class NotFound(BellwetherError):
    """Nothing of that name is visible to the caller (HTTP 404)."""


class Conflict(BellwetherError):
    """The state changed under the caller, who may look again and retry (HTTP 409)."""


class Unauthorized(BellwetherError):
    """No valid key (HTTP 401)."""


class Forbidden(BellwetherError):
    """A valid key without the scope that is needed (HTTP 403)."""


class Unavailable(BellwetherError):
    """Transient: pause and retry the same call (HTTP 503 with Retry-After)."""

    def __init__(self, code: str, message: str, retry_after_seconds: int = 1) -> None:
        super().__init__(code, message)
        self.retry_after_seconds = retry_after_seconds
