// One case: what is at stake, why, what to do, what was done and who was told.
import { accountPage, address, call, casePage, guarded, notice, rulePage } from "./api.js";
import { byId, fill, h, present } from "./dom.js";
import { freshness, listen } from "./live.js";
import { showPeople } from "./people-panel.js";
import { ago, date, inDays, instant, moment, money, share, spaced, UNKNOWN } from "./words.js";

const id = new URLSearchParams(location.search).get("id") ?? "";
const mayAct = ["act", "admin"].includes(document.body.dataset.scope);
const own = `/v1/alerts/${encodeURIComponent(id)}`;
const SEVERITIES = ["info", "warning", "critical"];
const OUTCOMES = { risk: [["saved", "Saved: they stay"], ["lost", "Lost: they leave"], ["not_real", "Not real: a false alarm"]], growth: [["won", "Won: they grew"], ["lost", "Lost: they did not"], ["not_real", "Not real"]] };
const PAGING = {
  "no-limit": "Told at once: no limit is set for paging.",
  "hard-event": "Told at once: this can't wait.",
  "money-and-deadline": "Told at once: enough money, and the notice deadline is near.",
  "under-limit": "Waits in the queue and the morning's digest: less money than paging asks for.",
  "deadline-unknown": "Waits in the queue and the morning's digest: its notice deadline is unknown.",
  "deadline-far": "Waits in the queue and the morning's digest: its notice deadline is far.",
  growth: "Growth never pages anybody.",
};
const TOLD = { "family-told": "People were told of another case of the same family.", storm: "Told in the summary of a storm, not one by one." };
const WAITING = ["snoozed", "silenced", "muted"];
let currency = null, account = null, rules = new Map();

function fact(label, value, sub) {
  return h("div", {}, h("dt", {}, label), h("dd", { class: value === UNKNOWN ? "unknown" : "" }, value, sub ? h("span", { class: "sub" }, sub) : null));
}

function away(one) {
  if (one.stand_in) return `stands in for ${one.responsible}, away until ${date(one.away_until)}`;
  return one.away_until ? `away until ${date(one.away_until)}, and nobody stands in` : null;
}

/** What keeps news back, and until when; what only waits in the queue is said by why it does. */
function held(one) {
  if (one.held === "silenced") return `A silence holds news back${one.held_until ? ` until ${moment(one.held_until)}` : ""}${one.held_by ? `: “${one.held_by}”` : ""}.`;
  if (one.held === "muted") return `The mute time ${one.held_by ? `“${spaced(one.held_by)}” ` : ""}holds news back${one.held_until ? ` until ${moment(one.held_until)}` : ""}.`;
  return TOLD[one.held] ?? null;
}

function showHead(one) {
  document.title = `${one.account_name ?? one.account} · Case · Bellwether`;
  fill(byId("name"), h("a", { href: accountPage(one.account) }, one.account_name ?? one.account));
  fill(byId("badge"), h("span", { class: `badge ${one.severity}` }, one.severity));
  const status = one.status === "resolved" ? `closed ${ago(one.resolved_at)}: ${spaced(one.resolution ?? "no verdict")}` : one.status === "acknowledged" ? `${one.acknowledged_by ?? "somebody"} has had it for ${ago(one.acknowledged_at).replace(" ago", "")}` : "open";
  byId("about").textContent = [one.account_name && one.account_name !== one.account ? one.account : null, one.segment, `opened ${ago(one.opened_at)}`, status].filter(Boolean).join(" · ");
  const responsible = one.stand_in ?? one.responsible;
  fill(byId("stakes"), [
    one.queue === "growth" ? null : fact("At risk a year", money(one.money_at_risk, currency), one.probability === null ? null : `${share(Number(one.probability))} likely to be lost${one.probability_from === "severity" ? ", assumed from the severity" : ""}`),
    fact("Monthly recurring revenue", money(one.mrr, currency)),
    fact("Notice by", date(one.notice_deadline), one.notice_deadline ? inDays(one.notice_deadline) : null),
    fact("Looked after by", responsible ?? UNKNOWN, away(one)),
  ].filter(Boolean));
}

/** Whom a load of history warned of is named in its summary; people are told of them only once they get worse. */
function paging(one) {
  if (one.origin === "load" && one.paged_at === null && one.queue !== "growth") return "Told in the summary of the load that brought it; on its own only when it gets worse.";
  return PAGING[one.paging];
}

function showWork(one) {
  byId("work").dataset.severity = one.severity;
  const gravest = one.alerts.filter((alert) => alert.state === "firing").sort((a, b) => SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity))[0] ?? one.alerts[0];
  byId("next-step").textContent = one.status === "resolved" ? "This case is closed." : rules.get(gravest?.rule)?.next_step ?? "";
  byId("standing").textContent = [
    one.status === "resolved" || WAITING.includes(one.held) ? null : paging(one),
    one.snoozed_until ? `Snoozed until ${moment(one.snoozed_until)}.` : null,
    one.lapsed_at ? `Open again since ${instant(one.lapsed_at)}: it was taken and nothing happened.` : null,
    one.status === "resolved" ? null : held(one),
    one.real === null ? null : `People say that the risk was ${one.real ? "real" : "not real"}.`,
  ].filter(Boolean).join(" ");
  byId("actions").hidden = !mayAct || one.status === "resolved";
  byId("verdict-form").hidden = !mayAct || one.status !== "resolved";
  byId("verdict-form").elements.real.value = String(one.real ?? "");
  byId("acknowledge").hidden = one.status === "acknowledged";
  const outcome = byId("outcome-form").elements.outcome;
  if (!outcome.options.length) fill(outcome, OUTCOMES[one.queue].map(([value, words]) => h("option", { value }, words)));
}

function reason(alert) {
  const record = rules.get(alert.rule)?.record ?? "not known yet";
  return h("li", {},
    h("div", { class: "signal-head" }, h("a", { href: rulePage(alert.rule) }, alert.label), h("span", { class: `badge ${alert.phase === "firing" ? alert.severity : ""}` }, spaced(alert.phase).replaceAll("-", " "))),
    h("p", {}, alert.evidence, present(alert)),
    h("p", { class: "quiet small" }, `Since ${instant(alert.since_at)}${alert.ended_at ? `, until ${instant(alert.ended_at)}: ${spaced(alert.reason).replaceAll("-", " ")}` : ""}${alert.no_data_since ? `. Its figures are unknown since ${instant(alert.no_data_since)}` : ""}${rules.has(alert.rule) ? `. This rule: ${record}` : ""}.`));
}

function step(one) {
  const tools = mayAct ? (one.status === "todo"
    ? [h("button", { type: "button", onclick: () => endStep(one, "done") }, "Done"), h("button", { type: "button", onclick: () => endStep(one, "skipped") }, "Skip")]
    : [h("button", { type: "button", onclick: () => endStep(one, "todo") }, "Undo")]) : [];
  const told = one.status === "todo" ? [`by ${date(one.due_on)}`, one.owner ?? spaced(one.owner_role)] : [one.status, one.ended_by, instant(one.ended_at), one.note];
  return h("li", { class: one.status }, h("div", {}, h("strong", {}, one.label), h("span", { class: `sub${one.overdue ? " worse" : ""}` }, [one.overdue ? "overdue" : null, ...told].filter(Boolean).join(" · "))), h("div", { class: "actions" }, tools));
}

function done(one) {
  const detail = one.detail ?? {};
  const words = detail.comment ?? detail.note ?? detail.assignee ?? (detail.until ? `until ${instant(detail.until)}` : detail.outcome ? spaced(detail.outcome) : detail.label ?? "");
  return h("li", {}, h("time", { datetime: one.at }, instant(one.at)), h("span", {}, `${one.actor}: ${spaced(one.kind).replaceAll("-", " ")}${words ? `, ${words}` : ""}`));
}

function told(one) {
  const state = one.status === "delivered" ? `delivered ${instant(one.delivered_at)}` : one.status === "failed" ? `failed: ${spaced(one.reason ?? "").replaceAll("-", " ")}` : one.next_attempt_at ? `tried ${one.attempts} times, next ${instant(one.next_attempt_at)}` : "waiting";
  return h("li", {}, h("time", { datetime: one.created_at }, instant(one.created_at)), h("span", {}, `${one.receiver}: ${one.type.replaceAll(".", " ")}`, h("span", { class: `sub${one.status === "failed" ? " worse" : ""}` }, state)));
}

const page = (one) => h("li", {}, h("time", { datetime: one.paged_at }, instant(one.paged_at)), h("span", {}, `${one.person ?? "the default receivers"} paged, step ${one.step} of ${one.rotation}`, h("span", { class: "sub" }, one.ended ? spaced(one.ended).replaceAll("-", " ") : `next at ${instant(one.due_at)}`)));

/** What the loss of the account taught: what people found, else what history tells by itself. */
async function showReview(one) {
  const { data } = one.queue === "risk" ? await call(address("/v1/loss-reviews", { account: one.account, limit: 20 })) : { data: [] };
  const review = data.find((each) => each.case_id === one.id);
  byId("review").hidden = !review;
  if (!review) return;
  const { proposal } = review, label = (rule) => rules.get(rule)?.label ?? spaced(rule);
  const missed = review.should_have_fired?.map((rule) => label(rule)) ?? proposal.should_have_fired.map((each) => `${label(each.rule)} (${each.why})`);
  const told = { open: "nobody has judged it yet", completed: `judged by ${review.completed_by}, ${date(review.completed_at)}`, returned: "it pays again, so it was not lost" };
  byId("review-words").textContent = `Lost ${date(review.lost_at)}; ${told[review.status]}.`;
  const facts = [
    ["Cause", review.cause ?? proposal.cause],
    ["First warning", proposal.first_warning_at ? `${date(proposal.first_warning_at)}, ${proposal.days_before < 0 ? "after the last day to act" : proposal.days_before ? `${proposal.days_before} day${proposal.days_before === 1 ? "" : "s"} before the last day to act` : "on the last day to act"}` : "none"],
    ["Warned in time", proposal.warned_in_time.map(label).join(", ") || "no rule"],
    ["Should have warned", missed.join("; ") || "no rule could have"],
    ["Comment", review.comment],
  ];
  fill(byId("review-facts"), facts.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

async function showCase() {
  const one = await call(own);
  notice(null);
  showHead(one);
  showWork(one);
  fill(byId("why"), one.alerts.length ? one.alerts.map(reason) : h("li", { class: "quiet" }, "Nothing is attached."));
  byId("playbook").hidden = !one.steps.length;
  fill(byId("steps"), one.steps.map(step));
  fill(byId("log"), one.actions.length ? one.actions.map(done) : h("li", { class: "quiet" }, "Nothing yet."));
  byId("family").hidden = !one.relatives.length;
  fill(byId("relatives"), one.relatives.map((relative) => h("li", {}, h("a", { href: casePage(relative.case_id) }, relative.account), `: ${relative.severity}, ${money(relative.money_at_risk, currency)} at risk a year`)));
  await guarded(() => showReview(one));
  if (account !== one.account) await guarded(() => showPeople(account = one.account));
  const notices = (await call(address("/v1/notifications", { case: id, limit: 50 }))).data;
  const rows = [...notices.map((n) => [n.created_at, told(n)]), ...one.pages.map((p) => [p.paged_at, page(p)])].sort(([a], [b]) => (a < b ? 1 : -1)).map(([, made]) => made);
  fill(byId("notices"), rows.length ? rows : h("li", { class: "quiet" }, one.status === "resolved" ? "Nobody." : "Nobody yet."));
}

async function act(name, body) {
  try {
    await call(`${own}/${name}`, body);
    notice(null);
    await showCase();
    return true;
  } catch (error) {
    notice(error);
    return false;
  }
}

const endStep = (one, status) => act(`steps/${encodeURIComponent(one.id)}`, { status });
const opener = (form) => document.querySelector(`[data-opens="${form}"]`);
const said = (comment) => (comment.trim() ? { comment: comment.trim() } : {});
const verdict = (real) => (real === "" ? null : real === "true");
const endOfDay = (day) => new Date(`${day}T23:59:59`).toISOString();

function formOf(name, action, bodyOf) {
  const form = byId(name);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!(await act(action, bodyOf(Object.fromEntries(new FormData(form)))))) return;
    form.reset();
    const button = opener(name);
    if (button) { form.hidden = true; button.setAttribute("aria-expanded", "false"); }
  });
}

for (const button of document.querySelectorAll("[data-opens]")) button.addEventListener("click", () => {
  for (const other of document.querySelectorAll("[data-opens]")) {
    const open = other === button && byId(other.dataset.opens).hidden;
    byId(other.dataset.opens).hidden = !open;
    other.setAttribute("aria-expanded", String(open));
  }
  byId(button.dataset.opens).querySelector("input, select").focus();
});
byId("more-people").addEventListener("click", () => guarded(() => showPeople(account, false)));
byId("acknowledge").addEventListener("click", () => act("acknowledge", {}));
formOf("assign-form", "assign", ({ assignee }) => ({ assignee: assignee.trim() || null }));
formOf("snooze-form", "snooze", ({ until }) => ({ until: endOfDay(until) }));
formOf("comment-form", "comment", ({ text }) => ({ comment: text.trim() }));
formOf("expected-form", "expected", ({ until, comment }) => ({ until: endOfDay(until), ...said(comment) }));
formOf("outcome-form", "outcome", ({ outcome, real, comment }) => ({ outcome, real: outcome === "not_real" ? false : verdict(real), ...said(comment) }));
formOf("verdict-form", "verdict", ({ real }) => ({ real: verdict(real) }));

await guarded(async () => { currency = (await call("/v1/metrics")).settings.currency; });
await guarded(async () => { rules = new Map((await call("/v1/rules")).data.map((rule) => [rule.name, rule])); });
await guarded(showCase);
listen("/v1/stream?topics=metrics,alerts", { metrics: freshness, alerts: ({ alerts }) => { if (alerts.some((one) => one.id === id)) guarded(showCase); } }, () => guarded(showCase));
