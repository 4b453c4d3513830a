// The work queue: cases, most at stake first.
import { casePage, address, call, guarded, notice } from "./api.js";
import { byId, fill, h, present, row } from "./dom.js";
import { freshness, listen } from "./live.js";
import { showRota } from "./rota.js";
import { ago, date, inDays, moment, money, share, spaced } from "./words.js";

const form = byId("filters"), body = byId("cases").tBodies[0], more = byId("more");
const SHOWN_REASONS = 3;
let cursor = null, currency = null, count = 0, asked = 0;
const people = new Set();

function question() {
  const { status, ...rest } = Object.fromEntries(new FormData(form));
  return { ...rest, status: status === "unresolved" ? ["open", "acknowledged"] : [status] };
}

function reasons(one) {
  const told = one.alerts.filter((alert) => one.status === "resolved" || alert.state === "firing");
  if (!told.length) return one.phase === "no-data" ? "Its figures are unknown now" : "No signal fires any more";
  const left = told.length - SHOWN_REASONS;
  // What was said when it fired may be over already: figures that are well again are not presented as news.
  const over = (alert) => (alert.phase === "recovering" ? h("span", { class: "quiet" }, " (recovering)") : null);
  return [...told.slice(0, SHOWN_REASONS).map((alert) => h("div", {}, alert.evidence, over(alert), present(alert))), left > 0 ? h("span", { class: "sub" }, `and ${left} more`) : null].filter(Boolean);
}

function quiet(one) {
  const way = { silenced: "silenced", muted: "muted" }[one.held];
  return way ? h("span", { class: "sub" }, `${way}${one.held_until ? ` until ${moment(one.held_until)}` : ""}`) : null;
}

function status(one) {
  const words = one.status === "resolved" ? `closed: ${spaced(one.resolution ?? "no verdict")}` : one.status === "acknowledged" ? `${one.acknowledged_by ?? "somebody"} has it` : one.lapsed_at ? "open again: nothing happened" : "open";
  if (one.status === "resolved") return [words, h("span", { class: "sub" }, ago(one.resolved_at))];
  return [words, h("span", { class: "sub" }, `since ${ago(one.opened_at)}`.replace("since just now", "just now").replace(/^since (.*) ago$/, "for $1")), one.snoozed_until ? h("span", { class: "sub" }, `snoozed until ${moment(one.snoozed_until)}`) : null, quiet(one)].filter(Boolean);
}

function todo(one) {
  if (!one.steps_todo || one.status === "resolved") return "";
  return [`${one.steps_todo} step${one.steps_todo === 1 ? "" : "s"}`, one.steps_overdue ? h("span", { class: "sub worse" }, `${one.steps_overdue} overdue`) : null].filter(Boolean);
}

function shown(one) {
  const who = one.stand_in ? `${one.stand_in} for ${one.responsible}` : one.responsible;
  if (one.responsible && !people.has(one.responsible)) { people.add(one.responsible); byId("people").append(h("option", { value: one.responsible })); }
  return row([
    { class: "wide", content: [h("span", { class: `badge ${one.severity}` }, one.severity), " ", h("a", { href: casePage(one.id) }, one.account_name ?? one.account), h("span", { class: "sub" }, [one.segment, who].filter(Boolean).join(" · "))] },
    { class: "wide", content: reasons(one) },
    { label: one.queue === "growth" ? "MRR" : "At risk a year", class: "num", content: one.queue === "growth" ? money(one.mrr, currency) : [money(one.money_at_risk, currency), one.probability === null ? null : h("span", { class: "sub" }, `${share(Number(one.probability))} ${one.probability_from === "severity" ? "assumed" : "likely"}`)].filter(Boolean) },
    { label: "Notice by", class: "short", content: one.notice_deadline ? [date(one.notice_deadline), h("span", { class: "sub" }, inDays(one.notice_deadline))] : one.queue === "growth" ? "" : h("span", { class: "quiet" }, "unknown") },
    { label: "To do", class: "short", content: todo(one) },
    { label: "Status", class: "short", content: status(one) },
  ]);
}

async function load(start) {
  const mine = ++asked;
  const page = await call(address("/v1/alerts", { ...question(), limit: 100, cursor: start ? null : cursor }));
  if (mine !== asked) return;
  byId("stake-title").textContent = form.elements.queue.value === "growth" ? "MRR" : "At risk a year";
  if (start) { fill(body); count = 0; }
  body.append(...page.data.map(shown));
  count += page.data.length;
  cursor = page.next_cursor;
  more.hidden = !cursor;
  notice(null);
  byId("count").textContent = count === 0 ? "No cases" : `${count}${cursor ? " or more" : ""} case${count === 1 ? "" : "s"}`;
}

// The address holds the question, so that it can be kept and sent to others.
for (const [name, value] of new URLSearchParams(location.search)) if (form.elements[name]) form.elements[name].value = value;
let waiting = null;
form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    history.replaceState(null, "", address(location.pathname, Object.fromEntries(new FormData(form))));
    guarded(() => load(true));
  }, 200);
});
form.addEventListener("submit", (event) => event.preventDefault());
more.addEventListener("click", () => guarded(() => load(false)));
await guarded(async () => { currency = (await call("/v1/metrics")).settings.currency; });
await guarded(() => load(true));
await guarded(showRota);
listen("/v1/stream?topics=metrics,alerts", { metrics: freshness, alerts: () => guarded(() => load(true)) }, () => guarded(() => load(true)));
