"""What is remembered of accounts about which nothing needs to be written."""

import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from alerts.domain.rules import Rule
from alerts.ports.records import Account, Definitions
from alerts.use_cases.calm import CalmAccounts

NOW = datetime(2026, 11, 23, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
FIGURES = {f"figure_{n}": n / 7 for n in range(60)}


def rule(*inputs: str) -> Rule:
    return Rule(
        "r",
        "R",
        "",
        "warning",
        inputs,
        (),
        timedelta(0),
        timedelta(0),
        "",
        "",
        lambda _figures, _traits: False,
    )


RULES = Definitions(1, 3, {"r": rule(*FIGURES), "s": rule("figure_1")}, (), "EUR")
ACME = Account(7, 1, "acme", {"plan": "pro", "seats": 5}, FIGURES, Decimal(1), None, NOW)


def test_an_account_is_calm_until_something_that_rules_read_is_another() -> None:
    calm = CalmAccounts()
    calm.add(ACME, RULES, LATER)
    assert calm.is_calm(replace(ACME, figures={**FIGURES, "of_no_rule": 1}), RULES, NOW)
    assert not calm.is_calm(replace(ACME, figures={**FIGURES, "figure_3": None}), RULES, NOW)
    assert not calm.is_calm(replace(ACME, figures={**FIGURES, "figure_3": str(3 / 7)}), RULES, NOW)
    assert not calm.is_calm(replace(ACME, traits={"plan": "pro", "seats": 6}), RULES, NOW)
    assert not calm.is_calm(ACME, replace(RULES, version=4), NOW)
    assert not calm.is_calm(ACME, RULES, LATER)
    assert not calm.is_calm(replace(ACME, account_id=8), RULES, NOW)


def test_what_was_computed_anew_and_is_the_same_need_not_be_read_again() -> None:
    calm = CalmAccounts()
    calm.add(ACME, RULES, LATER)
    assert calm.is_as_it_was(7, NOW, NOW)
    again = NOW + timedelta(seconds=9)
    assert not calm.is_as_it_was(7, again, NOW)
    assert calm.is_calm(replace(ACME, computed_at=again), RULES, NOW)
    assert calm.is_as_it_was(7, again, NOW)


def test_an_account_takes_half_a_kilobyte_however_much_its_rules_read() -> None:
    """A hundred thousand of them, each with what its sixty figures say, were 400 MB."""
    calm, most = CalmAccounts(), 2_000
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for n in range(most):
            figures = {name: n + value for name, value in FIGURES.items()}
            calm.add(replace(ACME, account_id=10_000 + n, figures=figures), RULES, LATER)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / most < 512
