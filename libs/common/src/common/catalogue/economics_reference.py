"""Formulas about what customers are worth, cost and get, in words for the page of reference."""

from __future__ import annotations

from common.catalogue.economics import (
    AtRisk,
    Attained,
    Benefit,
    Lifetime,
    NpsChange,
    NpsWave,
    Recorded,
    RelativeTrend,
    Repeated,
    Unaided,
)
from common.catalogue.economics_checks import Economics


def formula_text(formula: Economics) -> str:
    if isinstance(formula, Recorded):
        return _recorded(formula)
    if isinstance(formula, Unaided):
        without = " or ".join(f"`{step}`" for step in formula.without)
        return (
            f"Share of `{formula.measure}` that took `{formula.step}` in the bucket without {without} before"
        )
    if isinstance(formula, Repeated):
        return f"Share of accounts with `{formula.step}` of `{formula.measure}` in the bucket that had one before"
    if isinstance(formula, Attained):
        return f"Share of `{formula.measure}` due in the bucket that reached their target by then"
    if isinstance(formula, Benefit):
        if formula.of == "share":
            return f"Share of paying accounts with `{formula.step}` of `{formula.measure}` in {formula.valid_days} days"
        return f"Last amount of `{formula.measure}` in {formula.valid_days} days over 12 times `{formula.mrr}` and `{formula.effort}`"
    if isinstance(formula, Lifetime):
        return f"`{formula.measure}` an account times gross margin times months of life by `{formula.by}`, at most {formula.cap_months}"
    if isinstance(formula, AtRisk):
        return f"Terms of `{formula.measure}` by notice deadline, times the account's `{formula.probability}`"
    if isinstance(formula, RelativeTrend):
        return f"Trend of `{formula.measure}` over {formula.window_days} days less that of the accounts' `{formula.by}`; unknown under {formula.min_base} in the base"
    if isinstance(formula, NpsChange):
        return f"Change of `{formula.measure}` of those who answered at both ends of the bucket, marked under n = {formula.min_n}"
    if isinstance(formula, NpsWave):
        return f"`{formula.measure}` of the answers in the bucket, everybody's latest of each wave, marked under n = {formula.min_n}"
    return (
        f"`{formula.measure}` of accounts whose {f'`{formula.trait}`' if formula.trait else 'health'} became "
        f"{' or '.join(formula.at_risk)} in the bucket, the share "
        f"resolved {formula.within_days} days on"
    )


def _recorded(formula: Recorded) -> str:
    what = "Sum of amounts" if formula.sum == "amount" else "Number"
    which = f" with a {formula.labelled}" if formula.labelled else ""
    when = f" {formula.offset_days} days before" if formula.offset_days else ""
    spread = f", spread over their `{formula.period}`" if formula.period else ""
    return f"{what} of `{formula.step}` of `{formula.measure}`{which} told in the bucket{when}{spread}"
