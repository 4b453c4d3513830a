// All accounts: sorted, filtered, searched, and changing in place.
import { account as accountAddress, accountPage, address, call, guarded, notice } from "./api.js";
import { byId, fill, freshen, h, row } from "./dom.js";
import { freshAsOf, freshness, listen } from "./live.js";
import { date, instant, money, number, share, spaced, trend } from "./words.js";

const form = byId("filters"), body = byId("accounts").tBodies[0], more = byId("more");
const rows = new Map();
const choices = { segment: new Set(), owner: new Set() };
let cursor = null, currency = null, asked = 0;

const question = () => Object.fromEntries(new FormData(form));

/** How healthy it is, beside the risk that it explains. */
function health({ figures, held_by_case: held }) {
  if ((figures.health ?? null) === null) return "no health";
  return `${spaced(figures.health_band ?? "")} ${number(figures.health)}${held ? ", held by its case" : ""}`;
}

function cells(account) {
  const trendWords = trend(account.figures.login_trend);
  const against = account.figures.login_trend_vs_segment;
  return [
    { class: "wide", content: [h("a", { href: accountPage(account.id) }, account.name), account.name !== account.id ? h("span", { class: "sub" }, account.id) : null].filter(Boolean) },
    { label: "Segment", class: "whole", content: account.segment ?? "" },
    { label: "Owner", class: "whole", content: account.owner ?? "" },
    { label: "Risk", class: "num", content: [share(account.figures.renewal_risk), h("span", { class: "sub" }, health(account))] },
    { label: "MRR", class: "num", content: money(account.mrr, currency) },
    { label: "Active use", class: "num", content: [trendWords, h("span", { class: "sub" }, `${number(account.figures.active_users_28d)} user${account.figures.active_users_28d === 1 ? "" : "s"}`), against === null || against === undefined ? null : h("span", { class: "sub" }, `${trend(against)} vs segment`)].filter(Boolean) },
    { label: "Last activity", class: "whole", content: instant(account.last_activity_at) },
    { label: "Notice by", class: "whole", content: date(account.notice_deadline) },
    { class: account.case ? "wide case-cell" : "case-cell", content: account.case ? [h("span", { class: `badge ${account.case.severity}` }, account.case.severity), h("span", { class: "sub" }, account.case.summary || "No signal fires any more")] : "" },
  ];
}

function show(page, start) {
  for (const account of page.data) {
    const shown = row(cells(account));
    rows.set(account.id, { account, shown });
    freshAsOf(account.as_of);
    for (const name of ["segment", "owner"]) if (account[name] && !choices[name].has(account[name])) {
      choices[name].add(account[name]);
      byId(`${name}s`).append(h("option", { value: account[name] }));
    }
  }
  if (start) fill(body);
  body.append(...page.data.map((account) => rows.get(account.id).shown));
  cursor = page.next_cursor;
  more.hidden = !cursor;
  count();
}

function count() {
  byId("count").textContent = rows.size === 0 ? "No account matches" : `${rows.size}${cursor ? " or more" : ""} account${rows.size === 1 ? "" : "s"}`;
}

async function load(start) {
  const mine = ++asked;
  const page = await call(address("/v1/accounts", { ...question(), limit: 100, cursor: start ? null : cursor }));
  if (mine !== asked) return;
  if (start) rows.clear();
  notice(null);
  show(page, start);
}

function told({ accounts, as_of: asOf }) {
  freshAsOf(asOf);
  for (const change of accounts) {
    const known = rows.get(change.id);
    if (known && change.gone) { // nothing is left of it
      known.shown.remove();
      rows.delete(change.id);
      count();
    }
    if (!known || !change.figures) continue; // named alone: its figures follow
    known.account = { ...known.account, ...change };
    const shown = row(cells(known.account));
    known.shown.replaceWith(shown);
    known.shown = shown;
    freshen(shown);
  }
}

async function caseChanged({ alerts }) {
  for (const { account: id } of alerts) {
    const known = rows.get(id);
    if (!known) continue;
    const account = await call(accountAddress(id));
    told({ accounts: [account], as_of: account.as_of });
  }
}

// The address holds the question, so that it can be kept and sent to others.
const given = new URLSearchParams(location.search);
for (const [name, value] of given) if (form.elements[name]) form.elements[name].value = value;
let waiting = null;
form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    history.replaceState(null, "", address(location.pathname, question()));
    guarded(() => load(true));
  }, 200);
});
form.addEventListener("submit", (event) => event.preventDefault());
more.addEventListener("click", () => guarded(() => load(false)));
await guarded(async () => { currency = (await call("/v1/metrics")).settings.currency; });
await guarded(() => load(true));
listen("/v1/stream?topics=metrics,accounts,alerts", { metrics: freshness, accounts: told, alerts: (data) => guarded(() => caseChanged(data)) }, () => guarded(() => load(true)));
