"""What can't be read of an accounts file takes nothing from what is known."""

from typing import Any

from tests.integration.cli.importing import Engine, Importing
from tests.integration.cli.peer import Door

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
        ("kept", 4, "n2", None, "owner", "olga"),
        ("refused", 3, None, None, None, None),
    ]


def test_a_repeated_row_holds_nothing_back(engine: Engine, door: Door, importing: Importing) -> None:
    known(engine, importing)
    repeated = WHOLE.replace("n2,North Two,olga", "n2,North Two,")
    done = importing(repeated + repeated.splitlines()[-1] + "\n")
    assert lines_of(engine, done, "changed", "kept") == [("changed", 4, "n2", None, "owner", "olga")]
    assert lines_of(engine, done, "refused") == [("refused", 5, "n2", None, None, None)]
