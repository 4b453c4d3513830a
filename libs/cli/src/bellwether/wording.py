"""An account's figures as sentences a person can check. Pure; unknown figures are left out, never taken for zero."""

from collections.abc import Iterator, Mapping
from datetime import datetime

Figures = Mapping[str, object]


def sentences(figures: Figures, now: datetime) -> list[str]:
    told = (_use(figures), _silence(figures, now), _complaints(figures), _answers(figures), _people(figures))
    return [sentence for part in told for sentence in part]


def _use(figures: Figures) -> Iterator[str]:
    last, base, trend = (
        _number(figures, name) for name in ("user_days_28d", "user_days_base", "login_trend")
    )
    if last is None or base is None:
        return
    text = (
        f"Its people were there on {last:g} user-days in the last 28 days, and on {base:g} in the 28 before"
    )
    if trend is None:
        yield f"{text}: too few to speak of a trend."
        return
    text += f": {trend:+.0%}"
    segment, difference = _number(figures, "segment_login_trend"), _number(figures, "login_trend_vs_segment")
    if segment is not None and difference is not None:
        text += f", where its segment moved by {segment:+.0%}: {difference * 100:+.0f} points against it"
    yield f"{text}."


def _silence(figures: Figures, now: datetime) -> Iterator[str]:
    days, gap = _number(figures, "days_silent"), _number(figures, "usual_gap_days")
    last = figures.get("last_activity_at")
    if days is None or not isinstance(last, str):
        yield "It has never been active."
        return
    ago = now - datetime.fromisoformat(last)
    text = f"Its last activity was {duration(ago.total_seconds())} ago"
    yield (
        f"{text}; its usual gap between active days is {_counted(gap, 'day')}."
        if gap is not None
        else f"{text}."
    )


def _complaints(figures: Figures) -> Iterator[str]:
    week, month, base = (
        _number(figures, name) for name in ("complaints_7d", "complaints_28d", "complaints_base")
    )
    if week is None:
        return
    text = f"{_counted(week, 'complaint')} in the last 7 days"
    text += f", {month:g} in the last 28" if month is not None else ""
    yield (
        f"{text}; its usual week has {_counted(round(base, 1), 'complaint')}."
        if base is not None
        else f"{text}."
    )


def _answers(figures: Figures) -> Iterator[str]:
    score = _number(figures, "nps_latest")
    if score is not None:
        kind = "promoters" if score >= 9 else "passives" if score >= 7 else "detractors"
        yield f"The latest relationship NPS answer is {score:g}: among the {kind}."


def _people(figures: Figures) -> Iterator[str]:
    week, month = _number(figures, "active_users_7d"), _number(figures, "active_users_28d")
    if week is not None and month is not None:
        yield f"{_counted(month, 'person', 'people')} active in 28 days, {week:g} of them or others in the last 7."


def _number(figures: Figures, name: str) -> float | None:
    value = figures.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _counted(number: float, one: str, many: str | None = None) -> str:
    return f"{number:g} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """Rounded to what a person would say."""
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return _counted(round(seconds / size), name)
    return _counted(max(0, round(seconds)), "second")


def money(amount: object, currency: str = "") -> str:
    return f"{amount} {currency}".strip() if amount is not None else "nothing known"
