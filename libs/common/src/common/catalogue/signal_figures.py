"""Figures of an account that signals rest on beside those that were there before, and which kinds of data each figure comes from.

A kind is `measure.NAME` (its events), `trait.NAME` (of the account), `person.champion`, `answers` (of surveys) or `subscriptions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

SIGNAL_FIGURES: Mapping[str, Literal["number", "text"]] = {
    "key_users_28d": "number",
    "active_users_28d_before": "number",
    "seats": "number",
    "seats_before": "number",
    "seats_used": "number",
    "champions": "number",
    "champions_lost": "number",
    "champion_lost_at": "text",
    "tickets_28d": "number",
    "first_response_hours": "number",
    "first_response_usual": "number",
    "resolution_hours": "number",
    "resolution_usual": "number",
    "nps_change": "number",
    "nps_answered_at": "text",
    "days_since_answer": "number",
    "days_since_survey": "number",
    "days_not_asked": "number",
    "plan_progress": "number",
    "plan_expected": "number",
    "days_since_plan_reached": "number",
    "mrr_90d_ago": "number",
    "mrr_under_notice": "number",
    "notice_given_at": "text",
    "invoices_failed": "number",
    "invoice_failed_at": "text",
    "owner_changes": "number",
    "days_since_owner_change": "number",
    "owner_changed_at": "text",
    "days_to_decide": "number",
}

_USE = ("measure.active_users",)
_TICKETS = ("measure.tickets",)
_PLANS = ("measure.success_plans",)
SOURCES: Mapping[str, tuple[str, ...]] = {
    "active_users_7d": _USE,
    "active_users_28d": _USE,
    "active_users_28d_before": _USE,
    "user_days_28d": _USE,
    "user_days_base": _USE,
    "login_trend": _USE,
    "segment_login_trend": _USE,
    "login_trend_vs_segment": _USE,
    "days_silent": ("measure.active_accounts",),
    "usual_gap_days": ("measure.active_accounts",),
    "quiet_days": ("measure.active_accounts",),
    "complaints_7d": ("measure.complaints",),
    "complaints_28d": ("measure.complaints",),
    "complaints_base": ("measure.complaints",),
    "key_users_28d": ("measure.key_users",),
    "seats": ("trait.seats",),
    "seats_before": ("trait.seats",),
    "seats_used": ("trait.seats", *_USE),
    "champions": ("person.champion",),
    "champions_lost": ("person.champion",),
    "tickets_28d": _TICKETS,
    "first_response_hours": _TICKETS,
    "first_response_usual": _TICKETS,
    "resolution_hours": _TICKETS,
    "resolution_usual": _TICKETS,
    "nps_latest": ("answers",),
    "nps_change": ("answers",),
    "days_since_answer": ("answers",),
    "days_since_survey": ("measure.surveys",),
    "days_not_asked": ("measure.surveys",),
    "plan_progress": _PLANS,
    "plan_expected": _PLANS,
    "days_since_plan_reached": _PLANS,
    "mrr": ("subscriptions",),
    "mrr_90d_ago": ("subscriptions",),
    "mrr_under_notice": ("subscriptions",),
    "invoices_failed": ("measure.invoices",),
    "owner_changes": ("trait.owner",),
    "days_since_owner_change": ("trait.owner",),
}
"""Figures that aren't named rest on nothing that could be missing for a whole company."""
COMPARED_FROM: Mapping[str, str] = {
    "champions_lost": "champions",
    "first_response_usual": "tickets_28d",
    "resolution_usual": "tickets_28d",
    "nps_change": "days_since_answer",
}
"""Figures that are unknown of an account with too little to compare, and by which other figure it is known that it has some."""
