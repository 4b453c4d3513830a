"""`bellwether import accounts` day after day: what differs is sent once, and the report says what and why."""

from pathlib import Path

from tests.integration.cli.command import Cli
from tests.integration.cli.importing import Engine, Importing
from tests.integration.cli.peer import Door

from api_gateway.adapters.imports import PostgresImports
from api_gateway.ports.imports import ImportRow
from common.auth.store import ensure_tenant
from common.db.pool import open_pool
from common.testing import wait_until

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
    again = importing(FIRST)
    assert again["counts"] == {"refused": 2, "rows": 5, "unchanged": 2, "events": 0, "kept": 1}
    assert [line[4:] for line in engine.report(again["id"]) if line[0] == "kept"] == [
        ("parent", None, "holding", "the parent is no account that is known or in the file")
    ]

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


def test_the_tenant_is_the_keys(
    engine: Engine, door: Door, cli: Cli, importing: Importing, tmp_path: Path
) -> None:
    ensure_tenant(engine.conn, "other")
    done = importing("account,name\nacme,Acme\n")
    tenant = "select t.slug from control.import i join control.tenant t on t.id = i.tenant_id where i.id = %s"
    assert engine.conn.execute(tenant, (done["id"],)).fetchone() == ("default",), (
        "two tenants, and the key says which"
    )
    file = tmp_path / "accounts.csv"
    file.write_text("account,name\nbeta,Beta\n")
    refused = cli.run("import", "accounts", str(file), "--tenant", "other")
    assert (refused.returncode, len(door.bodies)) == (2, 1)
    assert "is one of tenant default" in refused.stderr
    assert "keys create --scope ingest --tenant other" in refused.stderr
    assert engine.conn.execute("select count(*) from control.import").fetchone() == (1,)
    assert cli.run("import", "accounts", str(file), "--tenant", "other", "--dry-run").returncode == 0
    unknown = cli.run("import", "accounts", str(file), "--key", "bw_ingest_strange_key")
    assert (unknown.returncode, "not an API key of this installation" in unknown.stderr) == (1, True)


def test_an_import_that_was_killed_is_said_to_be_interrupted(
    engine: Engine, door: Door, cli: Cli, importing: Importing, postgres_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "accounts.csv"
    file.write_text("account,name\nacme,Acme\n")
    pool = open_pool(postgres_url, "tests")
    reader = PostgresImports(pool)

    def newest() -> ImportRow:
        return reader.page(engine.tenant_id, 1, None)[0]

    cli.environment["DATABASE_URL"] = postgres_url
    door.close_after = 0
    sending = cli.start("import", "accounts", str(file))
    wait_until(door.waiting.is_set, 90, "the import to send")
    assert (newest().state, newest().ended_at) == ("running", None)
    sending.kill()
    sending.communicate(timeout=90)
    wait_until(lambda: newest().state == "interrupted", 90, "its session to end")
    assert newest().counts == {"added": 1, "rows": 1, "unchanged": 0, "events": 1}
    door.close_after = None
    door.open.set()
    importing(file.read_text())
    assert newest().state == "ended"
    assert reader.one(engine.tenant_id, newest().id).state == "ended"
    pool.close()
