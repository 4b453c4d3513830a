// All customers at a glance: figures, their last 90 days, open cases, who is most at risk.
import { accountPage, address, call, casePage, guarded } from "./api.js";
import { byId, fill, freshen, h, row, sparkline } from "./dom.js";
import { freshAsOf, listen } from "./live.js";
import { plot } from "./plot.js";
import { ago, bucketDay, date, dayIn, figure, isoDay, money, share } from "./words.js";

const SHOWN = ["mrr", "nrr", "grr", "logo_churn", "active_accounts_28d", "active_users_28d", "stickiness", "nps", "complaints", "events"];
const DAYS = 90;
const COMPARED_DAYS = 28;
let currency = null, zone = null;
let chosen = null;
const cards = new Map();

const toNumber = (value) => (value === null ? null : Number(value));

async function series(metrics, from, grain) {
  const found = new Map(metrics.map((name) => [name, []]));
  let cursor = null;
  do {
    const page = await call("/v1/query", { metrics, from, to: dayIn(zone, 1), grain, cursor });
    for (const one of page.data) {
      found.get(one.metric).push({ at: bucketDay(one.bucket), value: toNumber(one.value), asOf: one.as_of, lowN: one.low_n });
      if (one.as_of) freshAsOf(one.as_of);
    }
    cursor = page.next_cursor;
  } while (cursor);
  return found;
}

function change(metric, points, monthly) {
  const now = points.at(-1)?.value ?? null;
  const before = points.at(monthly ? -2 : -1 - COMPARED_DAYS)?.value ?? null;
  const delta = (...words) => h("span", { class: "delta" }, ...words);
  if (monthly) return delta(before === null ? "this month" : `this month; ${figure(before, metric.unit, currency)} last`);
  // A sum of the running day is not comparable with a whole one.
  if (metric.formula.type === "simple") return delta(`today; ${figure(points.at(-2)?.value ?? null, metric.unit, currency)} yesterday`);
  if (now === null || before === null) return delta(" ");
  const moved = metric.unit === "ratio" || metric.unit === "points" ? now - before : before ? (now - before) / Math.abs(before) : null;
  if (moved === null) return delta(" ");
  if (Math.abs(moved) < 0.0005) return delta(`unchanged in ${COMPARED_DAYS} days`);
  const good = (moved > 0) === (metric.direction === "higher") ? "better" : "worse";
  const arrow = moved > 0 ? "▲ " : "▼ ";
  const amount = metric.unit === "ratio" ? `${Math.abs(moved * 100).toFixed(1)} pts` : metric.unit === "points" ? `${Math.abs(moved).toFixed(0)} pts` : `${Math.abs(moved * 100).toFixed(1)} %`;
  return delta(h("span", { class: good }, `${arrow}${amount}`), ` in ${COMPARED_DAYS} days`);
}

function card(metric, points, monthly) {
  const last = points.at(-1);
  const value = h("span", { class: last?.value === null || last === undefined ? "value unknown" : "value" }, figure(last?.value ?? null, metric.unit, currency));
  const button = h("button", { type: "button", class: "card", "aria-pressed": "false", title: metric.description, onclick: () => choose(metric.name) },
    h("span", { class: "label" }, metric.label), value, change(metric, points, monthly), sparkline(points.map((point) => point.value)));
  cards.set(metric.name, { metric, points, monthly, button, value });
  return button;
}

function choose(name) {
  chosen = name;
  const { metric, points, monthly } = cards.get(name);
  for (const [other, { button }] of cards) button.setAttribute("aria-pressed", String(other === name));
  byId("plot-title").textContent = `${metric.label}, last ${monthly ? "12 months" : `${DAYS} days`}`;
  byId("plot-words").textContent = metric.description;
  plot(byId("plot"), points, { label: metric.label, unit: metric.unit, currency });
}

async function showFigures() {
  const catalogue = await call("/v1/metrics");
  ({ currency, timezone: zone } = catalogue.settings);
  const known = new Map(catalogue.data.map((metric) => [metric.name, metric]));
  let names = SHOWN.filter((name) => known.has(name));
  if (names.length === 0) names = catalogue.data.slice(0, 8).map((metric) => metric.name);
  const monthlyNames = names.filter((name) => known.get(name).formula.type === "movement");
  const dailyNames = names.filter((name) => !monthlyNames.includes(name));
  const yearAgo = bucketDay(dayIn(zone, 0)); yearAgo.setMonth(yearAgo.getMonth() - 11, 1);
  const [daily, monthly] = await Promise.all([
    dailyNames.length ? series(dailyNames, dayIn(zone, -DAYS), "day") : new Map(),
    monthlyNames.length ? series(monthlyNames, isoDay(yearAgo), "month") : new Map(),
  ]);
  cards.clear();
  fill(byId("cards"), names.map((name) => card(known.get(name), daily.get(name) ?? monthly.get(name), monthly.has(name))));
  choose(chosen && cards.has(chosen) ? chosen : names[0]);
}

function told({ metrics }) {
  for (const one of metrics) {
    freshAsOf(one.as_of);
    const known = cards.get(one.metric);
    if (!known) continue;
    const words = figure(one.value, known.metric.unit, currency);
    const last = known.points.at(-1), at = bucketDay(one.bucket);
    if (last && last.at.getTime() === at.getTime()) last.value = toNumber(one.value);
    else if (!last || at > last.at) known.points.push({ at, value: toNumber(one.value) });
    if (known.value.textContent === words) continue;
    known.value.textContent = words;
    known.value.classList.toggle("unknown", one.value === null);
    freshen(known.button);
  }
}

function caseItem(account) {
  const { id, severity, summary, opened_at: openedAt, status } = account.case;
  return h("li", {},
    h("div", { class: "line" }, h("a", { href: casePage(id) }, account.name), h("span", { class: `badge ${severity}` }, severity)),
    h("span", {}, summary || "No signal fires any more"),
    h("span", { class: "quiet" }, `opened ${ago(openedAt)}${status === "acknowledged" ? ", acknowledged" : ""} · ${money(account.mrr, currency)} a month`));
}

async function showRisk() {
  const [open, risk] = await Promise.all([call(address("/v1/accounts", { case: "open", sort: "risk", limit: 6 })), call(address("/v1/accounts", { sort: "renewal_risk", limit: 10 }))]);
  fill(byId("cases"), open.data.length ? open.data.map(caseItem) : h("li", { class: "quiet" }, "No open cases."));
  fill(byId("risk").tBodies[0], risk.data.map((account) => row([
    { class: "wide", content: [h("a", { href: accountPage(account.id) }, account.name), h("span", { class: "sub" }, [account.segment, account.owner].filter(Boolean).join(" · "))] },
    { label: "Risk", class: "num", content: share(account.figures.renewal_risk) },
    { label: "MRR", class: "num", content: money(account.mrr, currency) },
    { label: "Notice by", content: date(account.notice_deadline) },
  ])));
}

let pending = false;
function refreshRisk() {
  if (pending) return;
  pending = true;
  setTimeout(async () => { pending = false; await guarded(showRisk); }, 2000);
}

const load = () => Promise.all([guarded(showFigures), guarded(showRisk)]);
await load();
listen("/v1/stream?topics=metrics,alerts", { metrics: told, alerts: refreshRisk }, load);
