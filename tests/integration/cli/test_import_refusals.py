"""What can't be read of an accounts file takes nothing from what is known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.cli.command import Cli
from tests.integration.cli.importing import Engine, Importing
from tests.integration.cli.peer import Door

from common.catalogue import load, store
from common.catalogue.loading import base_pack

HEADER = "account,name,owner,renewal_at,seats,contact,contact.name,contact.champion"
WHOLE = f"""{HEADER}
n1,North One,olga,2027-03-31,10,a@n1,Ann,yes
n1,,,,,b@n1,Bob,
n2,North Two,olga,2027-03-31,20,c@n2,Cid,
"""


def lines_of(engine: Engine, done: dict[str, Any], *findings: str) -> list[tuple[Any, ...]]:
    """(finding, line, subject, person, field, old) of the report."""
    return [line[:6] for line in engine.report(done["id"]) if line[0] in findings]


def known(engine: Engine, importing: Importing) -> None:
    importing(WHOLE)
    engine.apply()


def test_a_bad_cell_takes_nothing_from_its_account(engine: Engine, door: Door, importing: Importing) -> None:
    known(engine, importing)
    done = importing(WHOLE.replace("n1,North One,olga,2027-03-31", "n1,North One,olga,31.13.2027"))
    assert lines_of(engine, done, "changed") == []
    assert lines_of(engine, done, "kept") == [
        ("kept", 3, "n1", "a@n1", "contact", True),
        ("kept", 3, "n1", None, "name", "North One"),
        ("kept", 3, "n1", None, "owner", "olga"),
        ("kept", 3, "n1", None, "renewal_at", "2027-03-31"),
        ("kept", 3, "n1", None, "seats", 10),
    ]
    assert "sent" not in done["counts"]
    assert (done["status"], done["counts"]["refused"], done["counts"]["unchanged"]) == (1, 1, 2)


def test_what_the_other_rows_say_is_sent(engine: Engine, door: Door, importing: Importing) -> None:
    known(engine, importing)
    done = importing(WHOLE.replace("a@n1,Ann,yes", "a@n1,Ann,vielleicht").replace("Bob", "Rob"))
    assert lines_of(engine, done, "changed") == [("changed", 3, "n1", "b@n1", "name", "Bob")]


def test_a_contact_of_a_refused_row_stays_a_contact(engine: Engine, door: Door, importing: Importing) -> None:
    known(engine, importing)
    done = importing(WHOLE.replace("b@n1,Bob,", "b@n1,Bob,vielleicht"))
    assert lines_of(engine, done, "changed", "kept") == [("kept", 2, "n1", "b@n1", "contact", True)]
    otherwise = importing(WHOLE.replace("n1,,,,,b@n1", "n1,North 1,,,,b@n1"))
    assert lines_of(engine, otherwise, "changed", "kept") == [("kept", 2, "n1", "b@n1", "contact", True)]


def test_a_row_that_does_not_say_whose_it_is_may_be_anybodys(
    engine: Engine, door: Door, importing: Importing
) -> None:
    known(engine, importing)
    done = importing(WHOLE.replace("n1,,,,,b@n1", ",,,,,b@n1").replace("n2,North Two,olga", "n2,North Two,"))
    assert lines_of(engine, done, "changed", "kept", "refused") == [
        ("kept", 2, "n1", "b@n1", "contact", True),
        ("kept", 3, None, None, None, None),
        ("kept", 4, "n2", None, "owner", "olga"),
        ("refused", 3, None, None, None, None),
    ]


def test_what_an_unclosed_quote_swallowed_is_not_said_to_be_missing(
    engine: Engine, door: Door, importing: Importing
) -> None:
    known(engine, importing)
    rows = f'{HEADER}\nn3,Three,,,,,,\n"n1,North One,,,,,,\nn2,North Two,,,,,,\n'
    done = importing(rows)
    assert lines_of(engine, done, "missing", "changed") == []
    kept = [line[7] for line in engine.report(done["id"]) if line[0] == "kept" and line[1] == 3]
    assert kept == [
        "the line was refused and may be about any account, so nothing is cleared and none is said to be missing"
    ]
    assert done["counts"]["added"] == 1
    done = importing(f"{HEADER}\nn3,Three,,,,,,\n")
    assert [line[2] for line in lines_of(engine, done, "missing")] == ["n1", "n2"]


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        ("accounts", HEADER),
        ("rates", "day,currency,rate"),
        ("rates", "Date,USD,GBP"),
        ("targets", "metric,value,by,why"),
        ("ranges", "metric,low,high,by,source"),
    ],
)
def test_a_header_without_rows_says_nothing_of_anything(
    engine: Engine, cli: Cli, importing: Importing, tmp_path: Path, kind: str, header: str
) -> None:
    known(engine, importing)
    file = tmp_path / "empty.csv"
    file.write_text(f"{header}\n,,\n")
    for rehearsed in ([], ["--dry-run"]):
        done = cli.run("import", kind, str(file), *rehearsed)
        assert (done.returncode, "nothing was compared or changed" in done.stderr) == (1, True), done.stderr
    assert engine.conn.execute("select count(*) from control.import").fetchone() == (1,)


def test_rates_wait_for_a_currency_that_is_not_in_force_yet(
    engine: Engine, cli_with: Callable[..., Cli], postgres_url: str, tmp_path: Path
) -> None:
    """Who changed the currency means rates into the new one; they would have been kept among those into the former."""
    cli = cli_with(DATABASE_URL=postgres_url)
    base = load(base_pack())
    elsewhere = {"currency": "USD", "timezone": "America/New_York"}
    settings = base.settings.model_copy(update=elsewhere)
    store.apply(engine.conn, "default", base)
    store.apply(engine.conn, "default", base.model_copy(update={"settings": settings}))
    file = tmp_path / "rates.csv"
    file.write_text("day,currency,rate\n2026-01-01,GBP,1.3\n")
    for rehearsed in ([], ["--dry-run"]):
        done = cli.run("import", "rates", str(file), *rehearsed)
        assert (done.returncode, "Version 2" in done.stderr, "in USD" in done.stderr) == (1, True, True), (
            done.stderr
        )
    assert engine.conn.execute("select count(*) from control.rate").fetchone() == (0,)
    engine.conn.execute("update control.definition set needs_past = false")
    assert cli.run("import", "rates", str(file)).returncode == 0
    assert engine.conn.execute("select quote, currency from control.rate").fetchall() == [("USD", "GBP")]


def test_a_repeated_row_holds_nothing_back(engine: Engine, door: Door, importing: Importing) -> None:
    known(engine, importing)
    repeated = WHOLE.replace("n2,North Two,olga", "n2,North Two,")
    done = importing(repeated + repeated.splitlines()[-1] + "\n")
    assert lines_of(engine, done, "changed", "kept") == [("changed", 4, "n2", None, "owner", "olga")]
    assert lines_of(engine, done, "refused") == [("refused", 5, "n2", None, None, None)]


def test_parents_that_make_no_family_are_told(engine: Engine, door: Door, importing: Importing) -> None:
    rows = "account,parent,seats\nn1,,1\nn2,n3,2\nn3,n2,3\nn4,n4,4\nn5,nobody,5\nn6,n1,6\nn7,n2,7\n"
    expected = [
        ("n2", "its parents lead back to the account itself"),
        ("n3", "its parents lead back to the account itself"),
        ("n4", "the account is its own parent"),
        ("n5", "the parent is no account that is known or in the file"),
    ]

    def told(done: dict[str, Any], finding: str) -> list[tuple[Any, ...]]:
        return [(line[2], line[7]) for line in engine.report(done["id"]) if line[0] == finding and line[7]]

    first = importing(rows)
    assert (first["status"], first["counts"]["sent"], told(first, "added")) == (0, 7, expected)
    engine.apply()
    again = importing(rows)
    assert (told(again, "kept"), again["counts"]["unchanged"]) == (expected, 7)
    moved = importing("account,parent,seats\nn1,n6,1\nn5,n1,5\n")
    assert told(moved, "changed") == [("n1", "its parents lead back to the account itself")], (
        "n6 is known to be below n1"
    )
    assert told(importing("account,seats\nn4,4\n"), "kept") == []
