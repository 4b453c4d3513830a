"""`bellwether import accounts` day after day: what differs is sent once, and the report says what and why."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.integration.cli.command import Cli
from tests.integration.cli.peer import Door

from common.auth.store import ensure_tenant

HEADER = "Account ID;Account Name;Account Owner;Renewal Date;Notice;Seats;Auto Renewal;Parent;Contact Email;Contact Name;Fax"
FIRST = f"""{HEADER}
="0012";"ACME ""Nord"" GmbH";anna;31.12.2026;46260;1.250,50;WAHR;holding;a@acme.com;"Anna
Meier";1
beta;Beta;ben;15/03/2027;;10;nein;;;;
="0012";;;;;;;;b@acme.com;Ben;
beta;Beta 2;;;;;;;;;
gamma;=VLOOKUP(A1);;;;;;;;;
"""
SECOND = f"""{HEADER}
="0012";"ACME ""Nord"" GmbH";carl;2027-12-31;46260;1.250,50;WAHR;;a@acme.com;Anna Meier;1
gamma;Gamma;;;;;;;;;
"""
Importing = Callable[..., dict[str, Any]]


class Engine:
    """Takes up what arrived at the door, as far as accounts and people are concerned."""

    def __init__(self, conn: psycopg.Connection[Any], door: Door) -> None:
        self.conn = conn
        self.tenant_id = ensure_tenant(self.conn, "default")
        self._door = door

    def apply(self) -> None:
        """Each event once, however often it came."""
        for event in self._door.bodies.values():
            account = self._id("account (tenant_id, name, partition)", (self.tenant_id, event["subject"], 0))
            person = event["data"].get("user")
            person_id = person and self._id(
                "person (tenant_id, account_id, name)", (self.tenant_id, account, person)
            )
            for name, value in event["data"]["traits"].items():
                self.conn.execute(
                    """insert into engine.trait (tenant_id, account_id, person_id, name, at, source, event_id, value)
                       values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing""",
                    (self.tenant_id, account, person_id or 0, name, event["time"], event["source"], event["id"], json.dumps(value)),
                )  # fmt: skip

    def _id(self, table: str, values: tuple[object, ...]) -> int:
        marks = ", ".join(["%s"] * len(values))
        name = table.partition(" ")[0]
        self.conn.execute(f"insert into engine.{table} values ({marks}) on conflict do nothing", values)
        row = self.conn.execute(
            f"select max(id) from engine.{name} where name = %s",
            (values[-1] if name == "person" else values[1],),
        ).fetchone()
        assert row is not None
        return int(row[0])

    def report(self, import_id: str) -> list[tuple[Any, ...]]:
        return self.conn.execute(
            """select finding, line, subject, person, field, old, new, reason from control.import_line
               where import_id = %s order by finding, line, subject, person, field""",
            (import_id,),
        ).fetchall()


@pytest.fixture
def engine(postgres_url: str, door: Door) -> Iterator[Engine]:
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        yield Engine(conn, door)


@pytest.fixture
def importing(cli: Cli, postgres_url: str, engine: Engine, tmp_path: Path) -> Importing:
    """Imports a text as a gzipped file of Windows; returns what the command says."""
    cli.environment["DATABASE_URL"] = postgres_url

    def run(text: str, *options: str) -> dict[str, Any]:
        file = tmp_path / "accounts.csv.gz"
        file.write_bytes(gzip.compress(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()))
        done = cli.run("import", "accounts", str(file), "--json", *options)
        assert done.stdout, done.stderr
        return {**json.loads(done.stdout), "status": done.returncode}

    return run


def test_a_directory_is_synced_day_after_day(engine: Engine, door: Door, importing: Importing) -> None:
    tried = importing(FIRST, "--dry-run")
    assert (tried["counts"]["events"], door.stored) == (4, {})
    first = importing(FIRST)
    assert first["status"] == 1, "some lines were refused"
    assert first["counts"] == {"added": 4, "refused": 2, "rows": 5, "unchanged": 0, "events": 4, "sent": 4}
    acme = next(e for e in door.bodies.values() if e["subject"] == "0012" and e["type"] == "account.created")
    assert acme["data"]["traits"] == {
        "name": 'ACME "Nord" GmbH', "owner": "anna", "renewal_at": "2026-12-31", "notice_deadline": "2026-08-26",
        "seats": 1250.5, "auto_renew": True, "parent": "holding",
    }  # fmt: skip
    assert [(line[1], line[7]) for line in engine.report(first["id"]) if line[0] == "refused"] == [
        (6, "the account is in line 4 already, and says otherwise about name"),
        (7, "Account Name: '=VLOOKUP(A1)' is a formula; export its value"),
    ]
    importing(FIRST)
    assert set(door.stored.values()) == {2}, (
        "before it was counted a repeat sends the same events with the same ids"
    )
    engine.apply()
    assert importing(FIRST)["counts"] == {"refused": 2, "rows": 5, "unchanged": 2, "events": 0}

    second = importing(SECOND)
    assert engine.report(second["id"]) == [
        ("added", 3, "gamma", None, None, None, {"name": "Gamma"}, None),
        ("changed", 2, "0012", "a@acme.com", "name", "Anna\nMeier", "Anna Meier", None),
        ("changed", 2, "0012", "b@acme.com", "contact", True, None, None),
        ("changed", 2, "0012", None, "owner", "anna", "carl", None),
        ("changed", 2, "0012", None, "renewal_at", "2026-12-31", "2027-12-31", None),
        ("kept", None, None, None, "Parent", None, None, "the column is empty in every row, so what is known stays"),
        ("missing", None, "beta", None, None, None, None, None),
    ]  # fmt: skip
    engine.apply()
    assert importing(SECOND)["counts"]["events"] == 0


def test_columns_of_other_names_are_mapped(engine: Engine, door: Door, importing: Importing) -> None:
    done = importing(
        "customer,Tier\nacme,3\n", "--mapping", "account=customer", "--mapping", "tier:number=Tier"
    )
    assert (done["status"], done["counts"]["sent"]) == (0, 1)
    assert next(iter(door.bodies.values()))["data"] == {"traits": {"tier": 3}}
    assert engine.report(done["id"])[0][:3] == ("added", 2, "acme")


def test_files_that_are_no_accounts_change_nothing(
    engine: Engine, cli: Cli, importing: Importing, tmp_path: Path
) -> None:
    for text, why in (
        ("a,b\n1,2\n", "--mapping account=COLUMN"),
        ("", "no header row"),
        ("account,contact_name\nx,y\n", "--mapping contact=COLUMN"),
    ):
        file = tmp_path / "other.csv"
        file.write_text(text)
        done = cli.run("import", "accounts", str(file), "--dry-run")
        assert (done.returncode, why in done.stderr) == (1, True), done.stderr
    assert engine.conn.execute("select count(*) from control.import").fetchone() == (0,)
