"""Asks another service whether it is ready."""

import httpx

# Whoever asks has other things to do; a neighbour on the same network answers in milliseconds.
SECONDS = 0.5


def readiness_of(url: str) -> str | None:
    """None when it is; else what is wrong. Never raises, takes about a second at most."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}/readyz", timeout=SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return type(error).__name__
    return None if answer.is_success else f"status {answer.status_code}"
