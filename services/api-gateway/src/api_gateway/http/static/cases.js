// What people work on: cases, gravest and newest first as the alerts service lists them.
import { accountPage, address, call, guarded, notice } from "./api.js";
import { byId, fill, h, row } from "./dom.js";
import { freshness, listen } from "./live.js";
import { ago, instant, money, spaced } from "./words.js";

const form = byId("filters"), body = byId("cases").tBodies[0], more = byId("more");
let cursor = null, currency = null, count = 0;

function statuses() {
  const wanted = form.elements.status.value;
  return wanted === "unresolved" ? ["open", "acknowledged"] : wanted ? [wanted] : [];
}

function shown(one) {
  const evidence = one.alerts.filter((alert) => one.status === "resolved" || alert.state === "firing").map((alert) => alert.evidence);
  const status = one.status === "resolved" ? `closed: ${spaced(one.resolution ?? "no verdict")}` : one.status === "acknowledged" ? `acknowledged by ${one.acknowledged_by ?? "somebody"}` : "open";
  return row([
    { content: h("span", { class: `badge ${one.severity}` }, one.severity) },
    { class: "wide", content: [h("a", { href: accountPage(one.account) }, one.account_name ?? one.account), h("span", { class: "sub" }, [one.segment, one.owner].filter(Boolean).join(" · "))] },
    { class: "wide", content: evidence.length ? evidence.map((words) => h("div", {}, words)) : "No signal fires any more" },
    { label: "MRR", class: "num", content: money(one.mrr, currency) },
    { label: "Status", content: [status, one.assignee ? h("span", { class: "sub" }, one.assignee) : null].filter(Boolean) },
    { label: "Since", content: [ago(one.opened_at), h("span", { class: "sub" }, instant(one.opened_at))] },
  ]);
}

async function load(start) {
  const page = await call(address("/v1/alerts", { status: statuses(), limit: 100, cursor: start ? null : cursor }));
  if (start) { fill(body); count = 0; }
  body.append(...page.data.map(shown));
  count += page.data.length;
  cursor = page.next_cursor;
  more.hidden = !cursor;
  notice(null);
  byId("count").textContent = count === 0 ? "No cases" : `${count}${cursor ? " or more" : ""} case${count === 1 ? "" : "s"}`;
}

form.addEventListener("change", () => guarded(() => load(true)));
more.addEventListener("click", () => guarded(() => load(false)));
await guarded(async () => { currency = (await call("/v1/metrics")).settings.currency; });
await guarded(() => load(true));
listen("/v1/stream?topics=metrics,alerts", { metrics: freshness, alerts: () => guarded(() => load(true)) }, () => guarded(() => load(true)));
