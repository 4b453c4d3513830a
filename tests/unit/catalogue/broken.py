"""Overlays that are wrong in one way each: the files as somebody would write them, and where the fault lies.

`>>>` marks the line that a finding must name; it isn't part of the file.
"""

from __future__ import annotations

from dataclasses import dataclass

MARK = ">>>"


@dataclass(frozen=True)
class Broken:
    """`says`: a part of the message. `field`: what the finding names."""

    name: str
    file: str
    text: str
    field: str
    says: str
    beside: tuple[tuple[str, str], ...] = ()
    """Other files of the overlay that are in order."""

    @property
    def line(self) -> int:
        lines = self.text.splitlines()
        return next((number for number, line in enumerate(lines, 1) if MARK in line), 1)

    @property
    def written(self) -> str:
        return self.text.replace(MARK, "")


def metric(unit: str = "count", formula: str = "{type: simple, measure: events}", **change: str) -> str:
    """A metric in order, but for what is changed."""
    fields = {
        "name": "own",
        "label": "Own",
        "description": "Ours.",
        "unit": unit,
        "direction": "higher",
        "kind": "simple",
        "formula": formula,
        "rollup": "sum",
        "owner": "Us",
        "raci": "{responsible: We, accountable: They}",
        "decision": "What to do",
        "evidence": "direct",
        "cadence": "daily",
        "category": "quantity",
        "stage": "adopt",
        "settles_after": "24 hours",
        "version": "1",
        "effective_from": "2026-01-01",
        **change,
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def ratio(over: str, under: str, unit: str = "ratio") -> str:
    sides = f"numerator: {{measure: {over}}}, denominator: {{measure: {under}}}"
    return metric(f"{unit} {MARK}", f"{{type: ratio, {sides}}}", kind="ratio", rollup="ratio")


def derived(cel: str, unit: str = "ratio", **change: str) -> str:
    """The marked line is that of the formula, unless another one is."""
    mark = "" if MARK in unit + "".join(change.values()) else MARK
    formula = f"{{type: derived, cel: {cel!r}}} {mark}"
    return metric(unit, formula, **{"kind": "derived", "rollup": "ratio", **change})


def edge(name: str = "own", **change: str) -> str:
    fields = {
        "name": name,
        "driver": "stickiness",
        "moves": "nrr",
        "effect": "raises",
        "lag_days": "30",
        "why": "So we think.",
        "owner": "Us",
        "team": "Us",
        "control": "own",
        **change,
    }
    return "".join(f"{field}: {value}\n" for field, value in fields.items() if value)


def goal(kpis: str, label: str = "Win", more: str = "") -> str:
    return f"name: own\nlabel: {label}\n{more}kpis:\n{kpis}"


def target(**change: str) -> str:
    fields = {
        "name": "own",
        "metric": "grr_12m",
        "kind": "target",
        "value": "0.95",
        "unit": "ratio",
        "by": "2027-06-30",
        "set_by": "The board",
        "why": "Peers reach it.",
        **change,
    }
    return "".join(f"{field}: {value}\n" for field, value in fields.items() if value)


M, S, G, D = "metrics/own.yaml", "segments/own.yaml", "goals/own.yaml", "drivers/own.yaml"
E, B, R = "engagement-models/own.yaml", "benchmarks/own.yaml", "rules/own.yaml"
MEASURE, TYPE = "measures/own.yaml", "event-types/own.yaml"

FILES = [
    Broken("no YAML", M, f"name: own\nlabel: [a\n{MARK}", "", "not YAML"),
    Broken("a tab", M, f"formula:\n{MARK}\ttype: simple\n", "", "not YAML"),
    Broken("a control character", M, "name: a\x07b\n", "", "control characters"),
    Broken("a key twice", M, metric() + f"unit: users {MARK}\n", "unit", "is given twice"),
    Broken("no mapping", M, f"- text {MARK}\n", "", "isn't a definition"),
    Broken("an alias", M, metric(label="&x Own", description=f"*x {MARK}"), "description", "repeats another value by alias"),
    Broken("two documents", M, metric() + f"--- {MARK}\nname: b\n", "", "second document"),
    Broken("a key that is a list", M, metric() + f"? [a] {MARK}\n: b\n", "", "key that is no text"),
    Broken("nested without end", M, metric() + f"depends_on_teams: {MARK} {'[' * 90}{']' * 90}\n", "depends_on_teams", "nests deeper than 20 levels"),
    Broken("a day that isn't", M, metric(effective_from=f"2026-02-30 {MARK}"), "effective_from", "day is out of range"),
    Broken("a stray file", "metrik/own.yaml", "name: own\n", "", "stands where nothing is read"),
    Broken("a definition that isn't YAML", "metrics/own.json", "[]", "", "so it isn't read"),
    Broken("a character that can't be stored", M, metric(label=f'"a\\0b" {MARK}'), "label", "U+0000"),
    Broken("a name with a character that can't be stored", TYPE, f'name: own.done\nfields:\n  "a\\0b": {{type: number}} {MARK}\n', "fields", "U+0000"),
    Broken("a bound that is no number", TYPE, f"name: own.done\nfields:\n  a: {{type: number, min: .nan}} {MARK}\n", "fields.a.min", ".nan is no number"),
    Broken("a bound beyond all numbers", TYPE, f"name: own.done\nfields:\n  a: {{type: number, max: 1e400}} {MARK}\n", "own.done.fields.a.max", "must be a finite number"),
    Broken("an end in capitals", "metrics/own.YAML", metric() + f"colour: red {MARK}\n", "own.colour", "not permitted"),
    Broken("a tag that runs code", M, f"name: !!python/name:os.system own {MARK}\n", "", "not YAML"),
]  # fmt: skip
NAMES = [
    Broken("an unknown field", M, metric() + f"colour: red {MARK}\n", "own.colour", "not permitted"),
    Broken("a field left out", M, metric(owner=""), "own.owner", "Field required"),
    Broken("a name with capitals", M, metric(name=f"Own {MARK}"), "Own.name", "is not a name of small letters"),
    Broken("an unknown measure", M, metric(formula=f"{{type: simple, measure: evnts}} {MARK}"), "own.formula.measure", "measure 'evnts' is unknown"),
    Broken("an unknown type of formula", M, metric(formula=f"{{type: median}} {MARK}"), "own.formula", "expected tags"),
    Broken("a condition of nothing", M, metric("accounts", f"{{type: qualified, conditions: [{{measure: key_actions, window_days: 9, at_least: 0}}]}} {MARK}"), "own.formula.conditions.0.at_least", "greater than or equal to 1"),
    Broken("an unknown category", M, metric(category=f"beauty {MARK}"), "own.category", "'quantity'"),
    Broken("an unknown stage", M, metric(stage=f"delight {MARK}"), "own.stage", "'onboard'"),
    Broken("a settling time in weeks", M, metric(settles_after=f"2 weeks {MARK}"), "own.settles_after", "is not a number of hours or days"),
    Broken("a settling time of ages", M, metric(settles_after=f"99999999999 days {MARK}"), "own.settles_after", "longer than 3660 days"),
    Broken("a settling time of a day above the bound", M, metric(settles_after=f"3661 days {MARK}"), "own.settles_after", "longer than 3660 days"),
    Broken("a settling time in hours of ages", M, metric(settles_after=f"87841 hours {MARK}"), "own.settles_after", "longer than 87840 hours"),
    Broken("a settling time of endless digits", M, metric(settles_after=f"{'9' * 5000} hours {MARK}"), "own.settles_after", "longer than 87840 hours"),
    Broken("a proxy of nothing", M, metric(feasibility=f"proxy_of npss {MARK}"), "own.feasibility", "'npss' is unknown"),
    Broken("a metric twice", "metrics/two.yaml", metric(name=f"own {MARK}"), "own.name", "already defined in", ((M, metric()),)),
    Broken("removing what isn't there", M, f"name: nothing\nremoved: true {MARK}\n", "nothing.removed", "isn't defined"),
    Broken("an unknown type in a measure", MEASURE, f"name: own\nagg: count\nevent_types: [ticket.opend] {MARK}\n", "own.event_types.0", "event type 'ticket.opend' is unknown"),
    Broken("an unknown step", M, metric(formula=f"{{type: entered, measure: tickets, step: closed}} {MARK}"), "own.formula.step", "'closed' is no step"),
]  # fmt: skip
A_SHARE = f"{{type: share, measure: deals, step: won, among: [lost]}} {MARK}"
UNINVOICED = f"{{type: churn, measure: mrr, of: involuntary, invoices: tickets}} {MARK}"
NAMED = [
    Broken("a probability that isn't", M, metric("money", f"{{type: at_risk, measure: mrr, probability: renewal_rsk}} {MARK}", kind="derived"), "own.formula.probability", "no account has a figure"),
    Broken("an effort that isn't kept", M, metric("ratio", f"{{type: benefit, measure: benefits, step: confirmed, effort: efort}} {MARK}", kind="ratio", rollup="ratio"), "own.formula.effort", "label 'efort' is not kept"),
    Broken("a band that isn't", M, metric("ratio", f"{{type: risk_resolved, measure: mrr, at_risk: [terrible], healthy: [good]}} {MARK}", kind="conversion", rollup="cohort_recompute"), "own.formula.at_risk.0", "no health profile has a band 'terrible'"),
    Broken("invoices that are tickets", M, metric("ratio", UNINVOICED, kind="movement", rollup="cohort_recompute"), "own.formula.invoices", "needs the steps of invoices"),
    Broken("five of two windows", M, metric("accounts", f"{{type: seats, measure: active_users, of: adopted, window_days: 7, windows: 2, in_windows: 5}} {MARK}", kind="derived", rollup="last"), "own.formula.in_windows", "no account can be adopted"),
    Broken("a share of others", M, metric("ratio", A_SHARE, kind="ratio", rollup="ratio"), "own.formula.step", "would always be 0"),
    Broken("only accounts of no kind", M, metric(only=f"{{kind: []}} {MARK}"), "own.only.kind", "no value at all"),
    Broken("a field of no value", TYPE, f"name: own.done\nfields:\n  a: {{type: string, enum: []}} {MARK}\n", "own.done.fields.a.enum", "lists no value"),
    Broken("a step that accounts have already", MEASURE, f"name: own\nagg: steps\nsteps:\n  - {{name: first_seen, event_types: [ticket.opened]}} {MARK}\n", "own.steps.0.name", "already"),
    Broken("a label that is the account", MEASURE, f"name: own\nagg: steps\nentity: [data.n]\nlabels: [account] {MARK}\nsteps:\n  - {{name: done, event_types: [own.done]}}\n", "own.labels.0", "a dimension of its own", ((TYPE, "name: own.done\n"),)),
    Broken("a slice that is the top of the family", MEASURE, f"name: own\nagg: steps\nentity: [data.complaint]\nlabels: [theme]\nslices:\n  top_parent: theme {MARK}\nsteps:\n  - {{name: done, event_types: [complaint.filed]}}\n", "own.slices.top_parent", "a dimension of its own"),
    Broken("a zone of this machine", "settings.yaml", f"timezone: localtime {MARK}\n", "timezone", "is no time zone"),
]  # fmt: skip
# Money without a currency beside it is all in the tenant's own.
PAID = (
    (MEASURE, "name: paid\nagg: sum\nevent_types: [own.paid]\nfield: data.amount\nscale: 2\n"),
    (TYPE, "name: own.paid\nfields:\n  amount: {type: money}\n"),
)
UNITS = [
    Broken("money by users as ratio", M, ratio("paid", "active_users"), "own.unit", "money by users is no ratio", PAID),
    Broken("events by users as ratio", M, ratio("events", "active_users"), "own.unit", "events by users is no ratio"),
    Broken("a ratio in money", M, ratio("active_users", "active_users", "money"), "own.unit", "money doesn't fit"),
    Broken("money by accounts as ratio", M, derived("mrr / paying_accounts", f"ratio {MARK}"), "own.unit", "ratio doesn't fit: what comes out is money"),
    Broken("money by money as money", M, derived("mrr / won_amount", f"money {MARK}"), "own.unit", "what comes out is a number"),
    Broken("money by days as money", M, derived("mrr / time_to_value", f"money {MARK}"), "own.unit", "what comes out is money / days"),
    Broken("money times money", M, derived("mrr * won_amount", f"money {MARK}"), "own.unit", "money x money"),
    Broken("hours called days", M, derived("first_response_time", f"days {MARK}", rollup="distribution_recompute"), "own.unit", "what comes out is hours"),
    Broken("per 100 without the hundred", M, derived("complaints / paying_accounts", "per_100"), "own.formula.cel", "a hundred times a ratio"),
    Broken("a count as ratio", M, metric(unit=f"ratio {MARK}"), "own.unit", "ratio doesn't fit a formula of type simple"),
    Broken("a count as money", M, metric(unit=f"money {MARK}"), "own.unit", "money doesn't fit measure 'events', which counts"),
    Broken("a count as hours", M, metric(unit=f"hours {MARK}"), "own.unit", "hours doesn't fit measure 'events', which counts"),
    Broken("people as days", M, metric(f"days {MARK}", "{type: rolling, measure: active_users, window_days: 7}", kind="rolling", rollup="last"), "own.unit", "days doesn't fit measure 'active_users', which counts"),
    Broken("money as a count", M, metric(f"count {MARK}", "{type: entered, measure: deals, step: won, sum: amount}"), "own.unit", "count doesn't fit amounts of 'deals', which are money"),
    Broken("money spent as a count", M, metric(f"count {MARK}", "{type: recorded, measure: spend, step: service, sum: amount}"), "own.unit", "count doesn't fit amounts of 'spend', which are money"),
    Broken("a time from a step to itself", M, metric("days", f"{{type: duration, measure: tickets, start: [opened], end: [opened, resolved]}} {MARK}", kind="duration", rollup="distribution_recompute"), "own.formula.end", "whatever starts has ended at once"),
    Broken("a conversion of a step to itself", M, metric("ratio", f"{{type: conversion, measure: deals, start: [won], end: [won], within_days: 9}} {MARK}", kind="conversion", rollup="cohort_recompute"), "own.formula.end", "whatever starts has ended at once"),
    Broken("open until it opens", M, metric("count", f"{{type: open, measure: tickets, start: [opened], end: [opened]}} {MARK}", kind="semi_additive", rollup="last"), "own.formula.end", "whatever starts has ended at once"),
    Broken("a share of answers beyond the scale", M, metric("ratio", f"{{type: answers, survey_kind: csat, value: share, lowest: 1, highest: 5, at_least: 9}} {MARK}", kind="ratio", rollup="ratio"), "own.formula.at_least", "9 is not above 1 and at most 5"),
    Broken("a share of all answers", M, metric("ratio", f"{{type: answers, survey_kind: csat, value: share, lowest: 1, highest: 5, at_least: 1}} {MARK}", kind="ratio", rollup="ratio"), "own.formula.at_least", "1 is not above 1"),
    Broken("a duration in users", M, metric(f"users {MARK}", "{type: duration, measure: tickets, start: [opened], end: [resolved]}", kind="duration", rollup="distribution_recompute"), "own.unit", "users doesn't fit"),
    Broken("NPS in percent", M, metric(f"ratio {MARK}", "{type: nps, measure: nps}", kind="derived", rollup="distribution_recompute"), "own.unit", "ratio doesn't fit this formula"),
    Broken("a cohort added up", M, metric("ratio", "{type: movement, measure: mrr, movement: grr}", kind="movement", rollup=f"sum {MARK}"), "own.rollup", "sum doesn't fit"),
    Broken("a mean added up", M, metric("money", "{type: entered, measure: deals, step: won, sum: mean_amount}", rollup=f"sum {MARK}"), "own.rollup", "sum doesn't fit"),
    Broken("a window that isn't kept", M, metric("users", f"{{type: rolling, measure: active_users, window_days: 90}} {MARK}", kind="rolling", rollup="last"), "own.formula.window_days", "keeps no window of 90 days"),
]  # fmt: skip
DERIVED = [
    Broken("money and accounts", M, derived("mrr + paying_accounts", "money", rollup="last"), "own.formula.cel", "money + count don't add up"),
    Broken("money and a number", M, derived("mrr - 100", "money"), "own.formula.cel", "money - a number don't add up"),
    Broken("points and a ratio", M, derived("nps + grr", "points"), "own.formula.cel", "points + ratio don't add up"),
    Broken("hours and days deep within", M, derived("mrr / (time_to_value + first_response_time)", "money_per_day"), "own.formula.cel", "days + hours don't add up"),
    Broken("accounts called points", M, derived("paying_accounts - new_accounts", f"points {MARK}"), "own.unit", "what comes out is count"),
    Broken("a formula that ends early", M, derived("mrr +", "money"), "own.formula.cel", "line 1, column 6: Syntax error"),
    Broken("a formula of nothing", M, derived("", "money"), "own.formula.cel", "Syntax error"),
    Broken("a formula without metrics", M, derived("100 * settings.gross_margin"), "own.formula.cel", "names no metric"),
    Broken("a setting that is no number", M, derived("mrr * settings.currency", "money"), "own.formula.cel", "undeclared reference to 'settings.currency'"),
    Broken("a field of a metric", M, derived("mrr.numerator / mrr"), "own.formula.cel", "column 4"),
    Broken("a comparison", M, derived("mrr > 5"), "own.formula.cel", "gives BOOL, not a number"),
    Broken("a choice", M, derived("nrr > grr ? nrr : grr"), "own.formula.cel", "a choice is more than arithmetic"),
    Broken("a call", M, derived('double("1") + nrr'), "own.formula.cel", "more than arithmetic"),
    Broken("a text", M, derived('nrr + "1"'), "own.formula.cel", "no matching overload"),
    Broken("a rest", M, derived("mrr % 7", "money"), "own.formula.cel", "no matching overload"),
    Broken("a power of ten", M, derived("1.0e3 * nrr"), "own.formula.cel", "1.0e3 is no number such as 100 or 0.5"),
    Broken("a division by nothing", M, derived("nrr / (2 - 2)"), "own.formula.cel", "divides by 0"),
    Broken("more than is read", M, derived(" + ".join(["nrr"] * 200)), "own.formula.cel", "is too long: a long formula is made of parts in brackets"),
    Broken("more metrics than are asked for at once", M, derived(" + ".join(f"({' + '.join(f'm{n}' for n in range(at, at + 26))})" for at in (0, 26))), "own.formula.cel", "names 52 metrics, more than 50"),
    Broken("a metric that isn't", M, derived("nrr - no_such"), "own.formula.cel", "metric 'no_such' is unknown"),
    Broken("a sum that is a ratio", M, derived("nrr - grr", kind=f"ratio {MARK}", rollup="cohort_recompute"), "own.kind", "a formula that doesn't divide"),
    Broken("a quotient that is summed", M, derived("events / paying_accounts", "events", rollup=f"sum {MARK}"), "own.rollup", "sum doesn't fit what events and paying_accounts make"),
    Broken("a sum of sums that is a ratio", M, derived("events + complaints", "events", rollup=f"ratio {MARK}"), "own.rollup", "ratio doesn't fit what events and complaints make"),
    Broken("the formula of before", M, metric("ratio", f"{{type: combined, times: [nrr]}} {MARK}", kind="derived", rollup="ratio"), "own.formula", "'combined'"),
]  # fmt: skip
CIRCLES = [
    Broken("a metric made of itself", M, derived("own / 2"), "own.formula", "own -> own"),
    Broken("a proxy of itself", M, metric(feasibility=f"proxy_of own {MARK}"), "own.feasibility", "own -> own"),
    Broken("goals that serve each other", G, f"- {{name: a, label: Win, serves: b}} {MARK}\n- {{name: b, label: Keep, serves: a}}\n", "a.serves", "a -> b -> a"),
    Broken("drivers that move each other", D, edge(driver="grr", moves=f"adoption_rate {MARK}"), "own.moves", "goes round in a circle"),
    Broken("a driver of itself", D, edge(driver="nrr", moves=f"nrr {MARK}"), "own.moves", "can't move itself"),
    Broken("segments made of each other", S, f"- {{name: a, label: A, all_of: [b]}} {MARK}\n- {{name: b, label: B, none_of: [a]}}\n", "a", "a -> b -> a"),
]  # fmt: skip
EVERYTHING = "".join(f"- {{name: {name}, removed: true}}\n" for name in ("bring_to_value", "make_it_a_habit", "keep_customers", "help_when_needed", "listen", "grow_with_customers", "win_new_customers", "serve_with_care", "succeed_with_partners"))  # fmt: skip
TREE = [
    Broken("no quality", "goals/a.yaml", f"- name: own {MARK}\n  label: Win\n  kpis: [{{metric: mrr}}, {{metric: deal_size}}]\n{EVERYTHING}", "own", "no KPI of quality"),
    Broken("nothing but quantity", "goals/a.yaml", f"- name: own {MARK}\n  label: Win\n  kpis: [{{metric: mrr}}]\n{EVERYTHING}", "own", "no KPI of quality and none of efficiency"),
    Broken("a KPI that isn't", G, goal(f"  - {{metric: nrr_24m}} {MARK}\n"), "own.kpis.0.metric", "metric 'nrr_24m' is unknown"),
    Broken("an unknown figure beside", G, goal(f"  - {{metric: reviews_held, beside: [revews]}} {MARK}\n"), "own.kpis.0.beside.0", "metric 'revews' is unknown"),
    Broken("a KPI of the pack under a goal whose name comes first", "goals/x.yaml", "- {name: aaa, label: Keep what we have, kpis: [{metric: grr_12m}]} # !\n".replace("# !", MARK), "aaa.kpis.0.metric", "stands under"),
    Broken("an edge of the pack under a name that comes first", "drivers/x.yaml", edge("aaa", driver="nps", moves=f"grr {MARK}"), "aaa.moves", "is said by"),
    Broken("no hours of business", "settings.yaml", f"business_hours: {{days: {{}}}} {MARK}\n", "business_hours", "names no hours"),
    Broken("a KPI in two places", G, goal(f"  - {{metric: nps}} {MARK}\n"), "own.kpis.0.metric", "stands under 'listen' already"),
    Broken("a goal for a goal that isn't", G, goal("  - {metric: reviews_held}\n", more=f"serves: kep_customers {MARK}\n"), "own.serves", "goal 'kep_customers' is unknown"),
    Broken("a goal without words", G, goal("  - {metric: reviews_held}\n", label=f"'' {MARK}"), "own.label", "at least 1 character"),
    Broken("no mission", "tree.yaml", f"mission: '' {MARK}\n", "mission", "at least 1 character"),
    Broken("an edge from nowhere", D, edge(driver=f"logins {MARK}"), "own.driver", "metric 'logins' is unknown"),
    Broken("an edge to nowhere", D, edge(moves=f"churn_rate {MARK}"), "own.moves", "metric 'churn_rate' is unknown"),
    Broken("an edge twice", "drivers/x.yaml", edge("x", moves=f"nrr {MARK}"), "x.moves", "is said by 'own' too", ((D, edge()),)),
    Broken("an edge without owner", D, edge(owner=""), "own.owner", "Field required"),
    Broken("control against the metric", D, edge(driver="reviews_held", control=f"other {MARK}"), "own.control", "says own"),
    Broken("a lag in the past", D, edge(lag_days=f"-1 {MARK}"), "own.lag_days", "greater than or equal to 0"),
    Broken("an effect in words", D, edge(effect=f"helps {MARK}"), "own.effect", "'raises' or 'lowers'"),
]  # fmt: skip
SEGMENTS = [
    Broken("a segment of everybody", S, "name: own\nlabel: Own\n", "own", "holds every account"),
    Broken("a trait with no value", S, f"name: own\nlabel: Own\nfilter:\n  plan: [] {MARK}\n", "own.filter.plan", "no value at all"),
    Broken("an unknown segment", S, f"name: own\nlabel: Own\nnone_of: [partnrs] {MARK}\n", "own.none_of.0", "segment 'partnrs' is unknown"),
    Broken("in and out", S, f"name: own\nlabel: Own\nall_of: [partners]\nnone_of: [partners] {MARK}\n", "own.none_of.0", "in 'partners' and not in it"),
    Broken("a condition cut short", S, f"name: own\nlabel: Own\nwhere: traits.seats > {MARK}\n", "own.where", "Syntax error"),
    Broken("a condition that is a number", S, f"name: own\nlabel: Own\nwhere: size(traits.plan) + 1 {MARK}\n", "own.where", "not true or false"),
    Broken("a condition on figures", S, f"name: own\nlabel: Own\nwhere: a.mrr > 100 {MARK}\n", "own.where", "undeclared reference"),
    Broken("a day without quotes", S, f"name: own\nlabel: Own\nfilter:\n  renewal_at: [2026-01-01] {MARK}\n", "own.filter.renewal_at.0", "is no text"),
    Broken("traits not by name", S, f"name: own\nlabel: Own\nwhere: traits['plan'] == 'pro' {MARK}\n", "own.where", "read by name"),
]  # fmt: skip
MODEL = "name: own\nlabel: Own\nplaybook: Call.\n"
STEERING = [
    Broken("an interval of nothing", E, MODEL + f"contact_interval_days: 0 {MARK}\n", "own.contact_interval_days", "greater than or equal to 1"),
    Broken("two defaults", E, MODEL + f"contact_interval_days: 9\ndefault: true {MARK}\n", "own.default", "'tech' is the default already"),
    Broken("one value for two models", E, MODEL + f"contact_interval_days: 9\nvalue: high {MARK}\n", "own.value", "stands for 'high'"),
    Broken("no default", E, f"name: tech {MARK}\nlabel: T\nplaybook: Write.\ncontact_interval_days: 9\n", "tech", "no engagement model is the default"),
    Broken("an unknown KPI on the card", "scorecard.yaml", f"kpis:\n  - nps\n  - happiness {MARK}\n", "kpis.1", "metric 'happiness' is unknown"),
    Broken("a KPI twice on the card", "scorecard.yaml", f"kpis:\n  - nps\n  - nps {MARK}\n", "kpis.1", "is there twice"),
    Broken("an empty card", "scorecard.yaml", f"kpis: [] {MARK}\n", "kpis", "at least 1 item"),
    Broken("a volume that is a quality", "scorecard.yaml", f"north_star:\n  volume: nps {MARK}\n  efficiency: grr_12m\n", "north_star.volume", "of category quality, not quantity"),
    Broken("an efficiency about time", "scorecard.yaml", f"north_star:\n  volume: mrr\n  efficiency: first_response_time {MARK}\n", "north_star.efficiency", "neither about money nor about kept customers"),
    Broken("half a north star", "scorecard.yaml", f"north_star: {{volume: mrr}} {MARK}\n", "north_star.efficiency", "Field required"),
]  # fmt: skip
BENCHMARKS = [
    Broken("a target of nothing", B, target(metric=f"grr_13m {MARK}"), "own.metric", "metric 'grr_13m' is unknown"),
    Broken("a target in percent", B, target(value=f"95 {MARK}"), "own.value", "95 is no value of 'grr_12m'"),
    Broken("a target in another unit", B, target(metric="time_to_value", value="30", unit=f"hours {MARK}"), "own.unit", "hours isn't the unit of 'time_to_value', which is days"),
    Broken("a target without a unit", B, target(unit=""), "own", "target needs unit"),
    Broken("a target without a day", B, target(by=""), "own", "target needs by"),
    Broken("a target that nobody set", B, target(set_by=""), "own", "target needs set_by"),
    Broken("a target without a reason", B, target(why=""), "own", "target needs why"),
    Broken("a value and a range", B, target(low="0.9"), "own", "needs a value, or low and high"),
    Broken("a range upside down", B, target(value="", low=f"0.9 {MARK}", high="0.8"), "own.low", "lies above high"),
    Broken("half an account", B, target(metric="paying_accounts", unit="accounts", value=f"10.5 {MARK}"), "own.value", "no whole number of accounts"),
    Broken("NPS beyond its ends", B, target(metric="nps", unit="points", value=f"140 {MARK}"), "own.value", "140 is no value of 'nps'"),
    Broken("a target of a segment that isn't", B, target(segment=f"enterprise {MARK}"), "own.segment", "segment 'enterprise' is unknown"),
    Broken("a range of an industry by hearsay", B, "name: own\nmetric: grr_12m\nkind: industry\nlow: 0.8\nhigh: 0.9\nunit: ratio\n", "own", "industry needs source"),
    Broken("a past with a target", B, f"name: own\nmetric: csat\nkind: own_history\nmonths: 12\nvalue: 0.9 {MARK}\n", "own.value", "own_history has no value"),
    Broken("a target inside a metric without why", M, metric(benchmarks=f"[{{kind: target, value: 9, unit: count, by: 2027-01-01, set_by: Us}}] {MARK}"), "own.benchmarks.0", "target needs why"),
]  # fmt: skip
DIMENSIONS = "dimensions:\n" + "".join(
    f"  - {name}\n" for name in ("segment", "kind", "engagement_model", "partner", "owner", "region")
)
THE_REST = [
    Broken("bounds of a text", TYPE, f"name: own.done\nfields:\n  a: {{type: string, min: 1}} {MARK}\n", "own.done.fields.a", "has bounds but is of type string"),
    Broken("a sum of nothing", MEASURE, "name: own\nagg: sum\nactivity: true\n", "own", "sum needs a field"),
    Broken("a filter that isn't CEL", MEASURE, f"name: own\nagg: count\nactivity: true\nwhere: event.data.n == {MARK}\n", "own.where", "Syntax error"),
    Broken("a filter that looks at everything in turn", MEASURE, f"name: own\nagg: count\nactivity: true\nwhere: event.data.a.exists(x, event.data.b.exists(y, x == y)) {MARK}\n", "own.where", "more than a filter of events may do"),
    Broken("a filter by regular expression", MEASURE, f"name: own\nagg: count\nactivity: true\nwhere: event.data.note.matches('(a+)+$') {MARK}\n", "own.where", "more than a filter of events may do"),
    Broken("a filter that computes", MEASURE, f"name: own\nagg: count\nactivity: true\nwhere: event.data.n * 2 > 3 {MARK}\n", "own.where", "more than a filter of events may do"),
    Broken("two measures under one name", MEASURE, f"name: nps_answers {MARK}\nagg: count\nactivity: true\n", "nps_answers.name", "as measure 'nps' does"),
    Broken("a rule on a figure that isn't", R, f"name: own\nlabel: Own\ndescription: d\ncondition: a.mood < 3 {MARK}\nseverity: info\nevidence: e\nnext_step: n\n", "own.condition", "undeclared reference to 'a.mood'"),
    Broken("a zone that isn't", "settings.yaml", f"timezone: Europe/Atlantis {MARK}\n", "timezone", "is no time zone"),
    Broken("a dimension twice", "settings.yaml", DIMENSIONS + f"  - segment {MARK}\n", "dimensions.6", "'segment' is there twice"),
    Broken("a dimension without a name", "settings.yaml", DIMENSIONS + f"  - '' {MARK}\n", "dimensions.6", "'' is the name of no trait"),
    Broken("a dimension with a blank before it", "settings.yaml", DIMENSIONS + f"  - ' size' {MARK}\n", "dimensions.6", "' size' is the name of no trait"),
    Broken("a dimension that is the account", "settings.yaml", DIMENSIONS + f"  - account {MARK}\n", "dimensions.6", "'account' is a dimension of its own"),
    Broken("a dimension that is the top of the family", "settings.yaml", DIMENSIONS + f"  - top_parent {MARK}\n", "dimensions.6", "'top_parent' is a dimension of its own"),
    Broken("a dimension that is a segment", "settings.yaml", DIMENSIONS + f"  - segment:partners {MARK}\n", "dimensions.6", "'segment:partners' is a dimension of its own"),
    Broken("a year of 13 months", "settings.yaml", f"fiscal_start_month: 13 {MARK}\n", "fiscal_start_month", "less than or equal to 12"),
    Broken("hours upside down", "settings.yaml", f'business_hours:\n  days:\n    monday: ["17:00-09:00"] {MARK}\n', "business_hours.days.monday", "opens after it closes"),
    Broken("a rule driven by nothing", R, f"name: own\nlabel: Own\ndescription: d\ncondition: a.mrr > 3\nseverity: info\nevidence: e\nnext_step: n\ndriven_by: [ticket.open] {MARK}\n", "own.driven_by.0", "event type 'ticket.open' is unknown"),
    Broken("a route for a rule that isn't", "receivers.yaml", f"routes:\n  - receivers: []\n    match: {{rule: [usage_fel]}} {MARK}\n", "routes.0.match.rule.0", "rule 'usage_fel' is unknown"),
    Broken("a type removed that is measured", TYPE, f"name: complaint.resolved\nremoved: true {MARK}\n", "complaint.resolved.removed", "still uses it"),
    Broken("a segment removed that others are made of", S, f"name: partners\nremoved: true {MARK}\n", "partners.removed", "still uses it"),
    Broken("the north star removed", M, f"name: grr_12m\nremoved: true {MARK}\n", "grr_12m.removed", "still uses it"),
    Broken("a route to nobody", "receivers.yaml", f"routes:\n  - receivers: [nobody] {MARK}\n", "routes.0", "'nobody' is no receiver"),
    Broken("a heartbeat to nobody", "alerting.yaml", f"heartbeat:\n  every_minutes: 5\n  receiver: nobody {MARK}\n", "heartbeat.receiver", "'nobody' is no receiver"),
    Broken("two mute times of one name", "alerting.yaml", f'mute_times:\n  - {{name: nights, weekdays: [monday], begins: "20:00", ends: "06:00"}}\n  - {{name: nights, weekdays: [friday], begins: "20:00", ends: "06:00"}} {MARK}\n', "mute_times.1", "'nights' is defined twice"),
    Broken("a deputy who isn't", "people.yaml", f"people:\n  - name: dana\n    deputy: kim {MARK}\n", "people.0.deputy", "'kim' is nobody in this file"),
    Broken("a leave backwards", "people.yaml", f"people:\n  - name: dana\n    leave:\n      - {{first: 2026-03-09, last: 2026-03-02}} {MARK}\n", "people.0.leave.0", "ends before it begins"),
    Broken("a rotation of nobody", "on-call.yaml", f"rotations:\n  - name: cs\n    starts_on: 2026-01-05\n    escalate_after_minutes: 30\n    people: [dana]\n    default: [] {MARK}\n", "rotations.0.default", "at least 1"),
    Broken("a route to a rotation that isn't", "receivers.yaml", f"routes:\n  - on_call: cs {MARK}\n", "routes.0.on_call", "'cs' is no rotation"),
    Broken("a measure removed that metrics read", MEASURE, f"name: reviews_held\nremoved: true {MARK}\n", "reviews_held.removed", "still uses it"),
]  # fmt: skip
OWN_TYPE = ((TYPE, "name: own.done\nfields:\n  size: {type: number, enum: [1, 2.5]}\n"),)
FIELDS = [
    Broken("a sum of texts", MEASURE, f"name: own\nagg: sum\nevent_types: [activity.logged]\nfield: data.owner {MARK}\n", "own.field", "declared as string, and nothing of that can be added up"),
    Broken("a text above a number", MEASURE, f"name: own\nagg: count\nevent_types: [activity.logged]\nwhere: event.data.kind > 3 {MARK}\n", "own.where", "declared as string, and 3 is none"),
    Broken("a truth in words", MEASURE, f"name: own\nagg: count\nevent_types: [activity.logged]\nwhere: event.data['two_way'] == 'yes' {MARK}\n", "own.where", "declared as boolean, and 'yes' is none"),
    Broken("a step by a number of texts", MEASURE, f"name: own\nagg: steps\nsteps:\n  - name: done\n    event_types: [ticket.opened]\n    where: 3 == event.data.priority {MARK}\n", "own.steps.0.where", "declared as string, and 3 is none"),
    Broken("a type that declares what the pack filters by as number", TYPE, f"name: feature.used\nfields:\n  feature: {{type: number}} {MARK}\n", "feature.used.fields.feature", "declared as number, and 'cancel_page' is none"),
    Broken("a sum of truths", MEASURE, f"name: own\nagg: sum\nevent_types: [activity.logged]\nfield: data.two_way {MARK}\n", "own.field", "declared as boolean"),
    Broken("a last value that is a text", MEASURE, f"name: own\nagg: last\nevent_types: [ticket.opened]\nfield: data.priority {MARK}\n", "own.field", "declared as string"),
    Broken("an amount that is a text", MEASURE, f"name: own\nagg: steps\namount: data.reason {MARK}\nsteps:\n  - {{name: lost, event_types: [deal.lost]}}\n", "own.amount", "declared as string"),
    Broken("a sum of several currencies", MEASURE, f"name: own\nagg: sum\nevent_types: [invoice.paid]\nfield: data.amount {MARK}\nscale: 2\n", "own.field", "all currencies would be added up as one"),
    Broken("a scale that loses what is declared", MEASURE, f"name: own\nagg: sum\nevent_types: [own.done]\nfield: data.size\nscale: 0 {MARK}\n", "own.scale", "may be 2.5, which has more than 0 decimals", OWN_TYPE),
    Broken("a type that declares the pack's amounts as text", TYPE, f"name: headcount.recorded\nfields:\n  team: {{type: string}}\n  fte: {{type: string}} {MARK}\n", "headcount.recorded.fields.fte", "declared as string"),
]  # fmt: skip
H = "health/own.yaml"


def profile(**change: str) -> str:
    """A health profile in order, but for what is changed."""
    fields = {
        "name": "own",
        "label": "Own",
        "applies_to": "a.age_days > 900",
        "order": "5",
        "bands": "[{name: low, from: 0}, {name: high, from: 50, healthy: true}]",
        "inputs": "[{name: use, label: Use, weight: 100, value: a.events_28d, points: [[0, 0], [9, 100]]}]",
        **change,
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def an_input(weight: str = "100", value: str = "a.events_28d", points: str = "[[0, 0], [9, 100]]") -> str:
    return f"[{{name: use, label: Use, weight: {weight}, value: {value}, points: {points}}}] {MARK}"


HEALTH = [
    Broken("weights of 90", H, profile(inputs=an_input(weight="90")), "own.inputs", "weights add up to 90, not 100"),
    Broken("points out of order", H, profile(inputs=an_input(points="[[9, 0], [0, 100]]")), "own.inputs.0.points", "values do not ascend"),
    Broken("more than all points", H, profile(inputs=an_input(points="[[0, 0], [9, 110]]")), "own.inputs.0.points", "points lie outside 0 to 100"),
    Broken("a line of one point", H, profile(inputs=an_input(points="[[9, 100]]")), "own.inputs.0.points", "a line needs two points"),
    Broken("a single band", H, profile(bands=f"[{{name: high, from: 0, healthy: true}}] {MARK}"), "own.bands", "tells nothing apart"),
    Broken("a band that begins late", H, profile(bands=f"[{{name: low, from: 10}}, {{name: high, from: 50, healthy: true}}] {MARK}"), "own.bands", "leave a gap or overlap"),
    Broken("nothing healthy", H, profile(bands=f"[{{name: low, from: 0}}, {{name: high, from: 50}}] {MARK}"), "own.bands", "the highest band is not healthy"),
    Broken("two bands of one name", H, profile(bands=f"[{{name: low, from: 0}}, {{name: low, from: 50, healthy: true}}] {MARK}"), "own.bands.1.name", "is there twice"),
    Broken("an input on a figure that isn't", H, profile(inputs=an_input(value="a.mood")), "own.inputs.0.value", "undeclared reference to 'a.mood'"),
    Broken("an input that is a truth", H, profile(inputs=an_input(value="a.mrr > 0")), "own.inputs.0.value", "gives BOOL, not a number"),
    Broken("health made of health", H, profile(inputs=an_input(value="a.health")), "own.inputs.0.value", "reads the health that it makes"),
    Broken("an override that is a number", H, profile(overrides=f"[{{name: o, when: a.mrr, at_most: 10, reason: r}}] {MARK}"), "own.overrides.0.when", "not true or false"),
    Broken("two profiles for everybody", H, f"{MARK}" + profile(applies_to=""), "own", "'standard' is for all other accounts already"),
    Broken("two profiles of one order", H, profile(order=f"10 {MARK}"), "own.order", "has the same order as"),
]  # fmt: skip
RISK = "risk/own.yaml"


def reason(**change: str) -> str:
    """A reason of renewal risk in order, but for what is changed."""
    fields = {
        "name": "own",
        "label": "Own",
        "value": "a.complaints_28d",
        "line": "[[0, 0], [3, 10]]",
        "text": "Complaints",
        "unknown_text": "Not known",
        **change,
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


RISKS = [
    Broken("a line that goes up and down", RISK, reason(line=f"[[0, 0], [3, 10], [5, 2]] {MARK}"), "own.line", "points go up and down again"),
    Broken("a line of one point of risk", RISK, reason(line=f"[[0, 0]] {MARK}"), "own.line", "a line needs two points"),
    Broken("a reason judged by nothing", RISK, MARK + reason(value="", line=""), "own", "is judged by nothing, or in two ways"),
    Broken("a reason judged twice", RISK, MARK + reason(when="a.mrr > 1", points="3"), "own", "is judged by nothing, or in two ways"),
    Broken("risk made of risk", RISK, reason(value=f"a.renewal_risk {MARK}"), "own.value", "reads the risk that it makes"),
    Broken("a reason on a figure that isn't", RISK, reason(value=f"a.mood {MARK}"), "own.value", "undeclared reference to 'a.mood'"),
    Broken("a reason on a signal that isn't", RISK, reason(value="", line="", signal=f"mood {MARK}", points="3"), "own.signal", "'mood' is unknown"),
    Broken("words that nothing fills in", RISK, reason(text=f"'{{mood}}' {MARK}"), "own.text", "{mood} is unknown"),
    Broken("no data that lowers the risk", RISK, reason(unknown_points=f"-1 {MARK}"), "own.unknown_points", "greater than or equal to 0"),
]  # fmt: skip
SIGNAL = "signals/own.yaml"


def signal(test: str, evidence: str = "'{value} of {baseline}.' # ") -> str:
    """A signal in order, but for its test or evidence."""
    fields = {
        "name": "own",
        "label": "Own",
        "description": "Ours.",
        "queue": "risk",
        "evidence": evidence,
        "test": test,
    }
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def level(bounds: str, value: str = "mrr") -> str:
    return signal(f"{{type: level, value: {value}, when: [{bounds}]}} {MARK}")


def moved(measure: str = "active_users", change: str = "0.3") -> str:
    return signal(f"{{type: moved, measure: {measure}, direction: fell, change: {change}}} {MARK}")


SIGNALS = [
    Broken("a signal on a figure that isn't", SIGNAL, level("{figure: mood, below: 3}"), "own.test.when.0.figure", "figure 'mood' is unknown"),
    Broken("a signal on health", SIGNAL, level("{figure: mrr, below: 3}", "health"), "own.test.value", "is itself made of signals"),
    Broken("a bound that compares twice", SIGNAL, level("{figure: mrr, below: 3, above: 1}"), "own.test.when.0", "compares with nothing, or twice"),
    Broken("bounds that nothing meets", SIGNAL, level("{figure: mrr, below: 3}, {figure: mrr, at_least: 3}"), "own.test.when.1", "no mrr meets this"),
    Broken("a signal on a measure that isn't", SIGNAL, moved("moods"), "own.test.measure", "measure 'moods' is unknown"),
    Broken("a signal on steps", SIGNAL, moved("tickets"), "own.test.measure", "counts nothing a day"),
    Broken("a fall by more than all", SIGNAL, moved(change="1.5"), "own.test.change", "can't fall by more than all of it"),
    Broken("no base stated", SIGNAL, signal("{type: moved, measure: events, direction: fell, change: 0.3}", f"'Only {{value}}.' {MARK}"), "own.evidence", "how many were to be expected"),
    Broken("a rule over a signal that isn't", "rules/own.yaml", f"name: own\nlabel: Own\ndescription: Ours.\nseverity: info\nevidence: So.\nnext_step: Go.\ncondition: s.mood.on {MARK}\n", "own.condition", "undeclared reference to 's.mood.on'"),
]  # fmt: skip
ALL = [
    *FIELDS,
    *HEALTH,
    *RISKS,
    *SIGNALS,
    *FILES,
    *NAMES,
    *NAMED,
    *UNITS,
    *DERIVED,
    *CIRCLES,
    *TREE,
    *SEGMENTS,
    *STEERING,
    *BENCHMARKS,
    *THE_REST,
]
