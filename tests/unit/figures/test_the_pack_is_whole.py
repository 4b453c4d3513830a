"""Every KPI and driver that the product promises is a file of the base pack."""

import pytest

from common.catalogue import Catalogue, load
from common.catalogue.loading import base_pack

KPIS = """
accounts_onboarded time_to_value time_to_value_30d time_to_value_60d time_to_value_90d time_to_activation activation_rate time_to_go_live
events active_users_1d active_users_7d active_users_28d active_accounts_1d active_accounts_7d active_accounts_28d value_active_accounts
stickiness portal_logins portal_logins_per_day login_trend login_trend_vs_segment adoption_rate adopted_accounts feature_breadth
self_serve_share mrr committed_mrr mrr_new mrr_expansion mrr_contraction mrr_churned mrr_reactivation mrr_transfer_in mrr_transfer_out
mrr_fx net_new_mrr grr nrr grr_12m nrr_12m logo_retention logo_churn mrr_churn involuntary_churn mrr_due_share activity_churn
avoidable_churn churn_coding_rate renewal_rate renewal_rate_logos renewal_mrr_at_risk risk_resolution_rate nps nps_accounts nps_wave nps_change
csat ces survey_response_rate complaints complaints_per_100_accounts complaint_resolution_time tickets_opened ticket_backlog
first_response_time resolution_time csm_coverage engagement pipeline pipeline_qualified deals_created deals_won deal_size win_rate
win_rate_cohort lead_to_customer_rate time_to_close deal_velocity partner_sourced_revenue partner_share partner_roi programme_roi
deals_registered partner_logins deal_response_time ltv cac ltv_to_cac cac_payback_months results_per_fte cost_to_serve customer_roi
customer_roi_share success_plan_attainment repeat_customer_ratio feedback stories journey_conversion onboarding_csat market_share
employee_nps
"""
DRIVERS = """
time_to_kickoff time_to_configured portal_logins_per_day feature_breadth seats_used complaints first_response_time ticket_backlog
csm_coverage reviews_held partner_logins deals_registered deal_response_time failed_invoices success_plan_attainment
"""
EDGES = """
time_to_kickoff>time_to_value time_to_configured>time_to_value portal_logins_per_day>adoption_rate feature_breadth>adoption_rate
seats_used>adoption_rate adoption_rate>grr complaints>csat complaints>nps first_response_time>csat first_response_time>nps
ticket_backlog>csat ticket_backlog>nps csat>grr nps>grr csm_coverage>renewal_rate reviews_held>renewal_rate
partner_logins>partner_sourced_revenue deals_registered>partner_sourced_revenue deal_response_time>time_to_close
failed_invoices>involuntary_churn success_plan_attainment>nrr
"""
CARD = """
accounts_onboarded onboarding_csat time_to_value activation_rate
value_active_accounts adopted_accounts login_trend self_serve_share
grr_12m renewal_rate risk_resolution_rate avoidable_churn nps complaints_per_100_accounts first_response_time
nrr_12m partner_sourced_revenue ltv_to_cac
"""


@pytest.fixture(scope="module")
def pack() -> Catalogue:
    return load(base_pack())


def test_every_kpi_and_driver_is_there(pack: Catalogue) -> None:
    assert {*KPIS.split(), *DRIVERS.split()} - pack.metrics.keys() == set()


def test_the_edges_and_the_card_are_those_that_the_product_promises(pack: Catalogue) -> None:
    assert {f"{edge.driver}>{edge.moves}" for edge in pack.drivers.values()} == {*EDGES.split()}
    assert pack.scorecard is not None
    assert list(pack.scorecard.kpis) == CARD.split()


def test_every_driver_says_who_can_move_it(pack: Catalogue) -> None:
    assert {name for name in DRIVERS.split() if pack.metrics[name].control is None} == set()


def test_what_rests_on_an_assumed_margin_says_so(pack: Catalogue) -> None:
    """Gross margin is a number somebody put into the settings."""
    made_of_it = {
        name
        for name, metric in pack.metrics.items()
        if "settings.gross_margin" in getattr(metric.formula, "cel", "") or name == "ltv"
    }
    assert {"ltv", "cac_payback_months", "partner_roi", "programme_roi"} <= made_of_it
    assert {pack.metrics[name].evidence for name in made_of_it} == {"assumed"}
