"""Which Bellwether the commands talk to: options first, then the environment, then what `bellwether up` wrote down."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

import httpx

from common.environment import database_address

# Where `bellwether up` and `bellwether demo` keep their data by default; the file is there while they run.
_DATA_DIRECTORIES: Final = (Path(".local/bellwether"), Path(".local/demo"))
STACK_FILE: Final = "stack.json"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class NoTargetError(Exception):
    """Something the command needs is not known; the message says how to give it."""


@dataclass(frozen=True)
class Target:
    """Addresses end without a slash. `keys` is by scope: ingest, read, act, admin; `any` fits where the scope's own is missing."""

    urls: Mapping[str, str] = field(default_factory=lambda: _NONE)
    keys: Mapping[str, str] = field(default_factory=lambda: _NONE, repr=False)
    database_url: str | None = field(default=None, repr=False)
    kafka: str | None = None
    topic: str = "bellwether.events.v1"
    directory: Path | None = None  # where the local stack keeps its data, when one runs

    def url(self, service: str) -> str:
        url = self.urls.get(service)
        if url is None:
            name = f"BELLWETHER_{service.upper()}_URL"
            raise NoTargetError(
                f"The address of {service} is not known: give it as an option or in {name}, "
                "or start a local stack with `bellwether up`."
            )
        return url

    def key(self, *scopes: str) -> str:
        """The key of the first of these scopes that we have."""
        for scope in (*scopes, "any"):
            if scope in self.keys:
                return self.keys[scope]
        raise NoTargetError(
            f"No API key with scope {' or '.join(scopes)}: give one with --key or in BELLWETHER_{scopes[0].upper()}_KEY "
            "(`bellwether keys create` makes one)."
        )

    def database(self) -> str:
        if self.database_url is None:
            raise NoTargetError(
                "The database is not known: set DATABASE_URL, or start a local stack with `bellwether up`."
            )
        return self.database_url


def find(environ: Mapping[str, str], data_dir: Path | None = None) -> Target:
    """Raises NoTargetError when the stack's file is there and unreadable, or DATABASE_URL no address; a missing one is no error."""
    given = data_dir or Path(environ.get("BELLWETHER_DATA_DIR") or ".")
    named = data_dir is not None or bool(environ.get("BELLWETHER_DATA_DIR"))
    files = [directory / STACK_FILE for directory in ((given,) if named else _DATA_DIRECTORIES)]
    stack = next((_read_stack(path) for path in files if path.exists()), Target())
    urls = {**stack.urls, **_from_environment(environ, "URL", ("ingest", "gateway", "alerts", "engine"))}
    keys = {**stack.keys, **_from_environment(environ, "KEY", ("ingest", "read", "act", "admin"))}
    if environ.get("BELLWETHER_KEY"):
        keys = {"any": environ["BELLWETHER_KEY"]}
    return Target(
        urls={name: url.rstrip("/") for name, url in urls.items()},
        keys=keys,
        database_url=database_of(environ) or stack.database_url,
        kafka=environ.get("KAFKA_BOOTSTRAP_SERVERS") or stack.kafka,
        topic=environ.get("BELLWETHER_EVENTS_TOPIC") or stack.topic,
        directory=stack.directory,
    )


def database_of(environ: Mapping[str, str]) -> str | None:
    given = environ.get("DATABASE_URL")
    try:
        return database_address(given) if given else None
    except ValueError as error:
        raise NoTargetError(f"DATABASE_URL {error}.") from error


def _from_environment(environ: Mapping[str, str], what: str, names: tuple[str, ...]) -> dict[str, str]:
    found = {name: environ.get(f"BELLWETHER_{name.upper()}_{what}") for name in names}
    return {name: value for name, value in found.items() if value}


def _read_stack(path: Path) -> Target:
    try:
        text = path.read_text()
    except OSError as error:
        raise NoTargetError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        return replace(from_stack_line(text), directory=path.parent)
    except (ValueError, KeyError, TypeError) as error:
        raise NoTargetError(
            f"{path} is not what `bellwether up` writes ({error}): delete it and start the stack again."
        ) from error


def from_stack_line(text: str) -> Target:
    """From the line that `bellwether up --json` prints. Raises ValueError, KeyError or TypeError when it is another."""
    found = json.loads(text)
    return Target(
        urls={str(name): str(url).rstrip("/") for name, url in found["urls"].items()},
        keys={str(name): str(key) for name, key in found["keys"].items()},
        database_url=found.get("database_url"),
        kafka=found.get("kafka"),
        topic=found.get("topic") or Target.topic,
    )


def http_client(base_url: str, key: str, *, timeout_seconds: float = 30.0) -> httpx.Client:
    """A client that sends the key, and that goes to this machine directly whatever proxies are set."""
    return httpx.Client(
        base_url=base_url,
        headers={"authorization": f"Bearer {key}", "user-agent": "bellwether-cli"},
        timeout=httpx.Timeout(timeout_seconds, connect=5.0),
        trust_env=urlsplit(base_url).hostname not in _LOOPBACK,
    )


def problem_text(response: httpx.Response) -> str:
    """One sentence from a problem document (RFC 9457), or what little another server says."""
    try:
        body = response.json()
        return f"{body['message']} ({body['code']})"
    except (ValueError, KeyError, TypeError):
        return f"{response.request.method} {response.request.url} answered {response.status_code}"
