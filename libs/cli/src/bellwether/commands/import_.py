"""`bellwether import`: files that people keep elsewhere, compared with what is known."""

import getpass
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import psycopg
import typer

from bellwether import terminal
from bellwether.commands.apply import the_tenant
from bellwether.imports import aims as stated
from bellwether.imports import rates as quoted
from bellwether.imports import sync
from bellwether.imports.columns import columns, mapping
from bellwether.imports.journal import Connection, Head, Journal
from bellwether.imports.table import Table, opened
from bellwether.load.delivery import Delivery, GivenUpError, InterruptedLoadError, Patience, StoppedError
from bellwether.load.records import FileType, UnreadableFileError
from bellwether.options import DatabaseUrl, TenantSlug
from bellwether.target import NoTargetError, Target, find, http_client
from common.auth.keys import parse, verify
from common.auth.store import find_key
from common.catalogue import current
from common.catalogue.models import Catalogue
from common.catalogue.store import at_version, latest_version
from common.db.lost import LOST
from common.db.session import OPTIONS
from common.errors import NotFound, Unauthorized

_PATIENCE_SECONDS: Final = 300.0

File = Annotated[str, typer.Argument(help="A CSV file, also in gzip or zip; - reads standard input.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only report what would change.")]
Dates = Annotated[
    str | None,
    typer.Option("--dates", help="What 03/04/2026 means: dmy or mdy. By default as the column shows."),
]
Encoding = Annotated[
    str | None, typer.Option("--encoding", help="By default UTF-8 or UTF-16 when it is, else Windows-1252.")
]
Show = Annotated[int, typer.Option("--show", min=0, help="Lines of each finding on the screen.")]
AsJson = Annotated[bool, typer.Option("--json", help="The counts and the import's id as JSON.")]
By = Annotated[str | None, typer.Option("--by", help="Who imports; by default the user of this machine.")]


def register(app: typer.Typer) -> None:
    commands = typer.Typer(
        no_args_is_help=True, help="Import accounts, exchange rates, targets or ranges of an industry."
    )
    for command in (accounts, rates, targets, ranges):
        commands.command()(command)
    app.add_typer(commands, name="import")


@dataclass(frozen=True)
class _Asked:
    kind: str
    file: str
    tenant: str | None
    database_url: str | None
    dry_run: bool
    dates: str | None
    encoding: str | None
    show: int
    as_json: bool
    by: str | None

    @property
    def who(self) -> str:
        return self.by or getpass.getuser()


@dataclass(frozen=True)
class _Import:
    """What every import has at hand, inside one transaction. `catalogue` is the one in force."""

    conn: Connection
    tenant_id: int
    catalogue: Catalogue
    table: Table
    journal: Journal


def accounts(
    file: File,
    mapped: Annotated[
        list[str] | None,
        typer.Option(
            "--mapping", help="name=column, such as renewal_at=Renewal; tier:number=Tier says the kind."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Differences hold from this day (2026-01-31) instead of today."),
    ] = None,
    url: Annotated[str | None, typer.Option("--url", help="Address of ingest.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="API key with scope ingest.")] = None,
    dry_run: DryRun = False,
    tenant: TenantSlug = None,
    dates: Dates = None,
    encoding: Encoding = None,
    show: Show = 20,
    as_json: AsJson = False,
    by: By = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Compare accounts and contacts with what is known, report, and send the differences as events."""
    asked = _Asked("accounts", file, tenant, database_url, dry_run, dates, encoding, show, as_json, by)
    with _ended(), tempfile.TemporaryFile() as spool:
        target = _target(url, key)
        if not dry_run:
            target.url("ingest"), target.key("ingest")  # said before anything is read
        with _begun(asked, _deciding_key(target, asked)) as it:
            zone = ZoneInfo(it.catalogue.settings.timezone)
            taken = columns(it.table.header, mapping(mapped or []), it.catalogue.settings.dimensions)
            plan = sync.Plan(it.tenant_id, taken, dates, zone, _day(since, zone))
            found = sync.find_differences(it.conn, it.table, plan, it.journal, spool)
            counts = {"rows": found.rows, "unchanged": found.unchanged, "events": found.events}
            if taken.left and not as_json:
                print(f"Columns left out: {', '.join(taken.left)}. --mapping takes them.")
            it.journal.count(counts)
            it.conn.commit()  # the report stands, whatever becomes of the sending
            if not dry_run and found.events:
                spool.seek(0)
                patience = Patience(_PATIENCE_SECONDS, lambda why, _: terminal.warn(why))
                with http_client(target.url("ingest"), target.key("ingest")) as client:
                    delivery = Delivery(client, FileType.NDJSON, patience)
                    counts["sent"] = sync.send(spool, delivery, it.journal)
            _finish(it, asked, counts)


def rates(
    file: File,
    base: Annotated[
        str | None,
        typer.Option(
            "--base", help="Of a table with a column a currency: whose unit they are worth; EUR by default."
        ),
    ] = None,
    dry_run: DryRun = False,
    tenant: TenantSlug = None,
    dates: Dates = None,
    encoding: Encoding = None,
    show: Show = 20,
    as_json: AsJson = False,
    by: By = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Keep dated exchange rates: day, currency, rate (units of your currency for one of it), or the ECB's table."""
    asked = _Asked("rates", file, tenant, database_url, dry_run, dates, encoding, show, as_json, by)
    with _ended(), _begun(asked) as it:
        quote = it.catalogue.settings.currency
        _check_settled(it, quote)
        told = quoted.rates(it.table, quote, base.upper() if base else None, dates)
        keeping = quoted.Keeping(it.conn, it.tenant_id, quote, it.journal, keep=not dry_run)
        _finish(it, asked, keeping.all(told))


def targets(
    file: File,
    dry_run: DryRun = False,
    tenant: TenantSlug = None,
    dates: Dates = None,
    encoding: Encoding = None,
    show: Show = 20,
    as_json: AsJson = False,
    by: By = None,
    database_url: DatabaseUrl = None,
) -> None:
    """State targets: metric, value or low and high, by (a day), set_by, why, segment, source."""
    _state(
        "targets", _Asked("targets", file, tenant, database_url, dry_run, dates, encoding, show, as_json, by)
    )


def ranges(
    file: File,
    dry_run: DryRun = False,
    tenant: TenantSlug = None,
    dates: Dates = None,
    encoding: Encoding = None,
    show: Show = 20,
    as_json: AsJson = False,
    by: By = None,
    database_url: DatabaseUrl = None,
) -> None:
    """State what an industry reaches: metric, value or low and high, by (day of the study), source, segment, why."""
    _state(
        "ranges", _Asked("ranges", file, tenant, database_url, dry_run, dates, encoding, show, as_json, by)
    )


def _state(kind: stated.Kind, asked: _Asked) -> None:
    with _ended(), _begun(asked) as it:
        told = stated.aims(it.table, kind, it.catalogue, asked.who, asked.dates)
        segments = stated.segments_of(it.conn, it.tenant_id, it.catalogue)
        counts = stated.store(it.conn, it.tenant_id, kind, told, it.journal, segments, keep=not asked.dry_run)
        if strange := counts.get("about_no_accounts"):
            terminal.warn(
                f"Of the rows, {strange} are about a segment that no account is in: the report names them."
            )
        _finish(it, asked, counts)


@contextmanager
def _begun(asked: _Asked, key: str | None = None) -> Iterator[_Import]:
    """`key`: what is sent goes to its tenant, so that one is compared with."""
    if asked.dates not in (None, "dmy", "mdy"):
        terminal.fail("--dates is dmy or mdy.", code=terminal.USAGE_ERROR)
    path = None if asked.file == "-" else Path(asked.file)
    database = asked.database_url or find(os.environ).database()
    with opened(path, asked.encoding) as table, psycopg.connect(database, options=OPTIONS) as conn:
        table.check_filled()
        tenant_id = _tenant_of(conn, asked.tenant, key) if key else the_tenant(conn, asked.tenant)[1]
        catalogue = current(conn, tenant_id) or Catalogue()
        head = Head(tenant_id, asked.kind, path.name if path else "-", asked.who, asked.dry_run)
        yield _Import(conn, tenant_id, catalogue, table, Journal(conn, head, asked.show))


def _check_settled(it: _Import, quote: str) -> None:
    """Ends the command while another currency is on its way: whoever just changed it means rates into that, and would put them among those into the former."""
    latest = latest_version(it.conn, it.tenant_id)
    coming = None if latest is None else at_version(it.conn, it.tenant_id, latest)
    if coming is not None and coming.settings.currency != quote:
        terminal.fail(
            f"Version {latest} of the definitions, in {coming.settings.currency}, is not in force yet: its past is being counted, and until "
            f"then rates lead into {quote}. Nothing was imported. Import again once it is in force; `bellwether apply --wait` waits for it."
        )


def _deciding_key(target: Target, asked: _Asked) -> str | None:
    """The key whose tenant it is. A rehearsal for a tenant that is named sends nothing and needs none."""
    if asked.dry_run:
        return None if asked.tenant else target.keys.get("ingest", target.keys.get("any"))
    return target.key("ingest")


def _tenant_of(conn: Connection, slug: str | None, key: str) -> int:
    """Ends the command when the key is of another tenant than the one that is named. Raises Unauthorized."""
    holder = verify(parse(key), find_key(conn, parse(key).id), datetime.now(UTC))
    if slug not in (None, holder.tenant):
        terminal.fail(
            f"The key {holder.key_id} is one of tenant {holder.tenant}, where everything sent with it goes, and --tenant says {slug}. "
            f"Give a key of {slug} with --key (`bellwether keys create --scope ingest --tenant {slug} --name import` makes one), "
            "or leave --tenant out.",
            code=terminal.USAGE_ERROR,
        )
    return holder.tenant_id


def _finish(it: _Import, asked: _Asked, counts: dict[str, int]) -> None:
    """Ends the report, tells it, and ends the command with 1 when lines were refused."""
    told = it.journal.end(counts)
    it.conn.commit()
    if asked.as_json:
        print(json.dumps({"id": it.journal.id, "dry_run": asked.dry_run, "counts": told}))
    else:
        for line in it.journal.tally.told():
            print(line)
        rest = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
        nothing = " Nothing was sent or kept: --dry-run." if asked.dry_run else ""
        print(f"{rest}.{nothing} The whole report: GET /v1/imports/{it.journal.id}")
    if told.get("refused"):
        raise typer.Exit(1)


@contextmanager
def _ended() -> Iterator[None]:
    """Errors as sentences."""
    try:
        yield
    except (KeyboardInterrupt, InterruptedLoadError):
        terminal.fail("Interrupted. Run the same command again: what was sent counts once.", code=130)
    except (NoTargetError, UnreadableFileError, StoppedError, GivenUpError) as error:
        terminal.fail(str(error))
    except NotFound as error:
        terminal.fail(error.message)
    except Unauthorized as error:
        terminal.fail(f"The ingest key is of no use here: {error.message}.")
    except psycopg.errors.UndefinedTable:
        terminal.fail("The database has no such tables yet. Run `bellwether migrate` first.")
    except LOST as error:
        terminal.fail(f"The database can't be used: {error}".strip())
    except OSError as error:
        terminal.fail(f"{error.filename or 'The file'} can't be read: {error.strerror}.")


def _target(url: str | None, key: str | None) -> Target:
    target = find(os.environ)
    urls = {**target.urls, "ingest": url.rstrip("/")} if url else target.urls
    keys = {**target.keys, "ingest": key} if key else target.keys
    return replace(target, urls=urls, keys=keys)


def _day(text: str | None, zone: ZoneInfo) -> date:
    if text is None:
        return datetime.now(UTC).astimezone(zone).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        terminal.fail(f"--since {text} is no day such as 2026-01-31.", code=terminal.USAGE_ERROR)
