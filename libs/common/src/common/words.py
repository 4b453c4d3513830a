"""Numbers, days and money as people read them."""

from datetime import date, datetime
from decimal import Decimal


def counted(number: float | Decimal, one: str) -> str:
    """`1 day`, `4 complaints`, `0.5 complaints`, `no complaints`, `2 people`. `one` is `person` or a regular English noun."""
    many = "people" if one == "person" else f"{one}s"
    if number == 0:
        return f"no {many}"
    text = quantity(number)
    return f"{text} {one if text == '1' else many}"


def quantity(number: float | Decimal) -> str:
    """At most one decimal below a hundred, thousands apart; what is not zero never reads 0."""
    plain = float(number)
    # Adding zero turns -0.0 into 0.0.
    rounded = round(plain, 1 if abs(plain) < 100 else 0) + 0.0
    if rounded == 0 and plain != 0:
        return "under 0.1" if plain > 0 else "over -0.1"
    return f"{rounded:,.0f}" if rounded.is_integer() else f"{rounded:,.1f}"


def change(ratio: float | Decimal) -> str:
    """`down 50%`, `up 3%`, `unchanged`, of a relative change."""
    percent = round(float(ratio) * 100)
    if percent == 0:
        return "unchanged"
    return f"{'up' if percent > 0 else 'down'} {abs(percent):,}%"


def money(amount: Decimal, currency: str) -> str:
    """`1,200 EUR`, `1,200.50 EUR`."""
    cents = round(amount, 2)
    return f"{cents:,.0f} {currency}" if cents == cents.to_integral_value() else f"{cents:,.2f} {currency}"


def day(at: date) -> str:
    """`2 March 2026`; of an instant, in the zone that it is given in."""
    return f"{at.day} {at:%B %Y}"


def minute(at: datetime) -> str:
    """`2 March 2026, 12:05 UTC`."""
    return f"{day(at)}, {at:%H:%M} {at.tzname()}"
