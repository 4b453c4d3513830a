"""Rates and aims as their files say them: dates as their column shows, values in their unit, currencies that there are."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bellwether.imports.aims import Aim, Kind, aims
from bellwether.imports.columns import columns
from bellwether.imports.rates import Rate, rates
from bellwether.imports.report import Line
from bellwether.imports.table import opened
from bellwether.load.records import UnreadableFileError
from common.catalogue import Catalogue
from common.catalogue.loading import base_pack, examine

DAYS = st.dates(dt.date(2020, 1, 1), dt.date(2029, 12, 31))
Asked = Callable[..., list[Rate | Line]]
Stated = Callable[..., list[Aim | Line]]


@pytest.fixture(scope="module")
def pack() -> Catalogue:
    return examine(base_pack(), []).catalogue


@pytest.fixture
def rated(tmp_path: Path) -> Asked:
    def run(text: str, base: str | None = None, order: str | None = None) -> list[Rate | Line]:
        file = tmp_path / "rates.csv"
        file.write_text(text)
        with opened(file) as table:
            return list(rates(table, "EUR", base, order))

    return run


@pytest.fixture
def stated(tmp_path: Path, pack: Catalogue) -> Stated:
    def run(text: str, kind: Kind = "targets", order: str | None = None) -> list[Aim | Line]:
        file = tmp_path / "aims.csv"
        file.write_text(text)
        with opened(file) as table:
            return list(aims(table, kind, pack, "me", order))

    return run


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(DAYS, min_size=1, max_size=8, unique=True), st.sampled_from(["%d/%m/%Y", "%m/%d/%Y"]))
def test_days_are_read_as_their_column_shows(
    rated: Asked, stated: Stated, days: list[dt.date], form: str
) -> None:
    said = [day.strftime(form) for day in days]
    is_shown = any(day.day > 12 for day in days)
    expected = [day if is_shown or day.day == day.month else None for day in days]
    long = rated("day,currency,rate\n" + "".join(f"{day},USD,0.9\n" for day in said))
    wide = rated("Date,USD\n" + "".join(f"{day},0.9\n" for day in said))
    due = stated("metric,value,by,why\n" + "".join(f"mrr,{n},{day},plan\n" for n, day in enumerate(said)))
    assert [found.day if isinstance(found, Rate) else None for found in long] == expected
    assert [found.day if isinstance(found, Rate) else None for found in wide] == expected
    assert [found.at if isinstance(found, Aim) else None for found in due] == expected


def test_a_column_that_contradicts_itself_shows_nothing(rated: Asked) -> None:
    found = rated("day,currency,rate\n13/01/2026,USD,1\n01/13/2026,USD,1\n03/04/2026,USD,1\n")
    assert [isinstance(one, Rate) for one in found] == [True, True, False]
    assert isinstance(found[2], Line)
    assert "--dates dmy or --dates mdy" in (found[2].reason or "")


@pytest.mark.parametrize(
    ("metric", "value", "kept"),
    [
        ("grr_12m", "0.95", Decimal("0.95")),
        ("grr_12m", "95 %", Decimal("0.95")),
        ("grr_12m", "95", "Write 0.95 for 95 %"),
        ("grr_12m", "-1 %", "Write 0.95 for 95 %"),
        ("nps", "101", "Points lie from -100 to 100"),
        ("events", "1.5", "no whole number of events"),
        ("events", "-1", "isn't negative"),
        ("mrr", "-12.50", Decimal("-12.5")),
    ],
)
def test_a_value_that_the_metric_cannot_have_is_refused(
    stated: Stated, metric: str, value: str, kept: Decimal | str
) -> None:
    (found,) = stated(f"metric,value,why\n{metric},{value},plan\n")
    if isinstance(kept, Decimal):
        assert isinstance(found, Aim)
        assert found.value == kept
    else:
        assert isinstance(found, Line)
        assert kept in (found.reason or "")
    (ranged,) = stated(f"metric,low,source\n{metric},{value},survey\n", "ranges")
    assert isinstance(ranged, Aim) == isinstance(found, Aim)


def test_currencies_are_read_in_any_case_and_only_those_that_are_money(rated: Asked) -> None:
    none = "X" * 3
    found = rated(
        f"day,currency,rate\n2026-01-01,usd,0.9\n2026-01-01,{none},1\n2026-01-01,XTS,1\n2026-01-01,us,1\n2026-01-01,eur,1\n"
    )
    assert isinstance(found[0], Rate)
    assert found[0].currency == "USD"
    assert [one.reason for one in found[1:] if isinstance(one, Line)] == [
        f"'{none}' is no currency code such as USD",
        "'XTS' is no currency code such as USD",
        "'US' is no currency code such as USD",
        "EUR is the tenant's own currency",
    ]


@pytest.mark.parametrize(
    ("header", "base", "why"),
    [
        ("Date,USD", "US", "--base US is no currency code such as EUR"),
        ("Date,USD", "XTS", "--base XTS is no currency code"),
        ("Date,JPY", "USD", "has no column EUR, the tenant's currency, to convert by. Is --base right?"),
        ("Date,XTS", None, "The header has Date, XTS"),
    ],
)
def test_a_table_that_cannot_be_converted_is_refused_once(
    rated: Asked, header: str, base: str | None, why: str
) -> None:
    with pytest.raises(UnreadableFileError) as refused:
        rated(f"{header}\n2026-01-01,1\n2026-01-02,1\n", base)
    assert why in str(refused.value)


@pytest.mark.parametrize("header", ["Date,USD,USD", "day,currency,rate,Rate"])
def test_a_currency_that_two_columns_tell_is_refused(rated: Asked, header: str) -> None:
    with pytest.raises(UnreadableFileError, match=r"has the column \w+ twice"):
        rated(f"{header}\n2026-01-01,1,2,3\n")


def test_a_value_that_two_columns_tell_is_refused(stated: Stated) -> None:
    with pytest.raises(UnreadableFileError, match="has the column value twice"):
        stated("metric,value,Value,by,why\ngrr_12m,0.9,0.8,2027-01-01,w\n")


@pytest.mark.parametrize(
    "header", ["account,owner,Owner", "Account ID,account_id", "account,Renewal Date,renewal_date"]
)
def test_what_two_columns_of_one_name_say_of_accounts_is_refused(header: str) -> None:
    with pytest.raises(UnreadableFileError, match=r"has the column \w+ twice"):
        columns(header.split(","), {}, ())


def test_columns_that_nothing_takes_may_be_there_twice() -> None:
    assert columns(["account", "notes", "notes"], {}, ()).left == ("notes", "notes")
