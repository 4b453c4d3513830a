// One account: how it is, what happened, and its case.
import { account as accountAddress, call, guarded, notice } from "./api.js";
import { byId, fill, h, row } from "./dom.js";
import { freshAsOf, freshness, listen } from "./live.js";
import { showHealth } from "./health-panel.js";
import { showCase } from "./case-panel.js";
import { showPeople, showPlans } from "./people-panel.js";
import { showRisk } from "./risk-panel.js";
import { showSignals } from "./signals-panel.js";
import { plot } from "./plot.js";
import { ago, bucketDay, date, dayIn, instant, money, number, spaced, trend, UNKNOWN } from "./words.js";

const id = new URLSearchParams(location.search).get("id") ?? "";
const DAYS = 90;
let currency = null, zone = null, metrics = [], cursor = null, last = null;

// Figure, words, how it is read, and what it is compared with.
const FIGURES = [
  ["active_users_7d", "Active users, 7 days", number],
  ["active_users_28d", "Active users, 28 days", number],
  ["login_trend", "Active use against 28 days before", trend, (f) => (f.login_trend_vs_segment ?? null) === null ? null : `${trend(f.login_trend_vs_segment)} against its segment`],
  ["events_28d", "Events, 28 days", number],
  ["complaints_7d", "Complaints, 7 days", number, (f) => (f.complaints_base ?? null) === null ? null : `${number(f.complaints_base)} a week before`],
  ["days_silent", "Days without activity", number, (f) => (f.usual_gap_days ?? null) === null ? null : (f.usual_gap_days === 1 ? "usually active every day" : `usually every ${number(f.usual_gap_days)} days`)],
  ["nps_latest", "Last recommendation score", number],
];

function showFigures(account) {
  const figures = account.figures;
  const money_ = h("div", {}, h("dt", {}, "Monthly recurring revenue"), h("dd", {}, money(account.mrr, currency)));
  fill(byId("figures"), money_, FIGURES.filter(([name]) => name in figures).map(([name, label, words, beside]) => {
    const sub = beside?.(figures);
    return h("div", {}, h("dt", {}, label), h("dd", { class: words(figures[name]) === UNKNOWN ? "unknown" : "" }, words(figures[name]), sub ? h("span", { class: "sub" }, sub) : null));
  }));
}

function showHead(account) {
  document.title = `${account.name} · Bellwether`;
  byId("name").textContent = account.name;
  const parts = [account.name !== account.id ? account.id : null, account.segment ? `segment ${account.segment}` : null, account.plan ? `plan ${account.plan}` : null, account.owner ? `looked after by ${account.owner}` : null, account.last_activity_at ? `active ${ago(account.last_activity_at)}` : "no activity yet",
    account.notice_deadline ? `notice by ${date(account.notice_deadline)}` : null, account.renewal_at ? `renews ${date(account.renewal_at)}` : null];
  byId("about").textContent = parts.filter(Boolean).join(" · ");
  freshAsOf(account.as_of);
}

function showSubscriptions(account) {
  const rows = account.subscriptions.map((one) => row([
    { content: [one.product ?? one.subscription, h("span", { class: "sub" }, one.seats === null ? one.change : `${one.change}, ${one.seats} ${one.seats === 1 ? "seat" : "seats"}`)] },
    { content: date(one.effective_at) },
    { class: "num", content: one.change === "cancelled" ? "ended" : money(one.mrr, one.currency ?? currency) },
    { content: date(one.notice_deadline) },
  ]));
  fill(byId("subscriptions").tBodies[0], rows.length ? rows : h("tr", {}, h("td", { colspan: "4", class: "quiet" }, "None known.")));
}

function showTraits(account) {
  const shown = Object.entries(account.traits).filter(([, value]) => value !== null).sort(([one], [other]) => one.localeCompare(other));
  const words = (value) => (typeof value === "object" ? JSON.stringify(value) : /^\d{4}-\d{2}-\d{2}(T|$)/.test(value) ? date(value) : String(value));
  fill(byId("traits"), shown.length ? shown.flatMap(([name, value]) => [h("dt", {}, spaced(name)), h("dd", {}, words(value))]) : h("dd", { class: "quiet" }, "None known."));
}

async function showAccount() {
  const account = await call(accountAddress(id));
  last = account;
  notice(null);
  showHead(account);
  showFigures(account);
  showSubscriptions(account);
  showTraits(account);
  await Promise.all([showCase(account.case), showHealth(id), showRisk(id, account.figures, currency), showSignals(id, metrics, zone), showPlans(id)]);
}

async function showPlots() {
  const page = await call("/v1/query", { metrics: ["active_users_1d", "events"], from: dayIn(zone, -DAYS), to: dayIn(zone, 1), grain: "day", accounts: [id] });
  for (const [metric, place, label] of [["active_users_1d", "users", "Active users"], ["events", "events", "Events"]]) {
    const points = page.data.filter((one) => one.metric === metric).map((one) => ({ at: bucketDay(one.bucket), value: one.value === null ? null : Number(one.value) }));
    plot(byId(place), points, { label });
  }
}

/** What a rule only watched is no case, and isn't shown like one. */
function moment(entry) {
  const watched = entry.kind === "case" && entry.case.id === null;
  return h("li", {}, h("time", { datetime: entry.at }, instant(entry.at)), h("span", { class: entry.kind === "case" && !watched ? "case" : "" }, entry.text, watched ? h("span", { class: "sub" }, "only watched: no case") : null));
}

async function showTimeline(start) {
  const page = await call(`${accountAddress(id)}/timeline?limit=30${start || !cursor ? "" : `&cursor=${encodeURIComponent(cursor)}`}`);
  const list = byId("timeline");
  if (start) fill(list);
  list.append(...page.data.map(moment));
  if (!list.children.length) list.append(h("li", { class: "quiet" }, "Nothing has happened yet."));
  cursor = page.next_cursor;
  byId("more").hidden = !cursor;
}

let pending = null;
function soon() {
  pending ??= setTimeout(async () => { pending = null; await guarded(showAccount); if (!byId("timeline").matches(":hover")) await guarded(() => showTimeline(true)); }, 1000);
}

function told({ accounts, as_of: asOf }) {
  freshAsOf(asOf);
  const change = accounts.find((one) => one.id === id);
  if (!change) return;
  if (last && change.figures) { last = { ...last, ...change }; showFigures(last); showHead(last); }
  soon();
}

byId("more").addEventListener("click", () => guarded(() => showTimeline(false)));
byId("more-people").addEventListener("click", () => guarded(() => showPeople(id, false)));
const load = () => Promise.all([guarded(showAccount), guarded(showPlots), guarded(() => showTimeline(true)), guarded(() => showPeople(id))]);
await guarded(async () => { const catalogue = await call("/v1/metrics"); ({ currency, timezone: zone } = catalogue.settings); metrics = catalogue.data; });
await load();
listen("/v1/stream?topics=metrics,accounts,alerts", { metrics: freshness, accounts: told, alerts: ({ alerts }) => { if (alerts.some((one) => one.account === id)) soon(); } }, load);
