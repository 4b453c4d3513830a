// What is unusual at the account now, drawn where it can be, and what can't be said.
import { account as accountAddress, call, Problem } from "./api.js";
import { byId, fill, h } from "./dom.js";
import { plot } from "./plot.js";
import { bucketDay, date, dayIn, number, spaced } from "./words.js";

const STATES = { on: "on", off: "quiet", stale: "stale", "no-data": "no data" };
const WHY = { "never-seen": "this kind of data never came", "source-quiet": "its source has been quiet for too long", "tracking-broken": "its events do not arrive now", "too-little": "too little to compare with", unknown: "its figures are unknown", closed: "the account is closed", "last-year": "as it was a year ago" };
const DAYS = 120, MOST_PLOTS = 4;
let drawn = "";

/** How often as much would be seen by chance alone. */
const chance = (tail) => (tail === null || tail >= 0.5 ? null : tail < 1e-6 ? "by chance less than once in a million" : `by chance once in ${number(Math.round(1 / tail))}`);

function line(one) {
  const beside = [
    one.state === "on" && one.since ? `since ${date(one.since)}` : null,
    one.state !== "on" && one.value !== null ? `${number(one.value)}${one.baseline !== null ? ` against ${number(one.baseline)}` : ""}` : null,
    one.state === "on" ? chance(one.unusual) : null,
    one.why ? WHY[one.why] ?? spaced(one.why).replaceAll("-", " ") : null,
  ].filter(Boolean).join(" · ");
  return h("li", { title: one.description },
    h("div", { class: "signal-head" }, one.label, h("span", { class: `badge ${one.state === "on" ? (one.queue === "growth" ? "accepted" : "warning") : ""}` }, STATES[one.state] ?? one.state)),
    one.evidence ? h("p", {}, one.evidence) : null, beside ? h("p", { class: "quiet small" }, beside) : null,
    one.state === "on" && one.plotted ? h("div", { class: "plot tiny", "data-metric": one.plotted.name, role: "img", "aria-label": `${one.plotted.label}, last ${DAYS} days` }) : null);
}

/** The daily metric that shows what a signal rests on. */
function metricOf(signal, metrics) {
  const measures = signal.rests_on.filter((source) => source.startsWith("measure.")).map((source) => source.slice("measure.".length));
  return metrics.find(({ formula }) => measures.includes(formula?.measure) && (formula.type === "simple" || (formula.type === "rolling" && formula.window_days === 1))) ?? null;
}

async function draw(id, on, zone) {
  const names = [...new Set(on.map((one) => one.plotted?.name).filter(Boolean))].slice(0, MOST_PLOTS);
  if (!names.length) return;
  const rows = (await call("/v1/query", { metrics: names, from: dayIn(zone, -DAYS), to: dayIn(zone, 1), grain: "day", accounts: [id] })).data;
  const left = new Set(names);
  for (const place of document.querySelectorAll("#signals-on [data-metric]")) {
    // One plot of a metric is enough, however many signals rest on it.
    if (!left.delete(place.dataset.metric)) { place.remove(); continue; }
    const points = rows.filter((row) => row.metric === place.dataset.metric).map((row) => ({ at: bucketDay(row.bucket), value: row.value === null ? null : Number(row.value) }));
    plot(place, points, { label: place.getAttribute("aria-label") });
  }
}

/** Show the signals of an account; one whose signals were never computed hides the panel. */
export async function showSignals(id, metrics, zone) {
  const panel = byId("signals");
  const signals = (await call(`${accountAddress(id)}/signals`)).signals.map((one) => ({ ...one, plotted: metricOf(one, metrics) }));
  // Told again each second while the account is busy: what looks the same is left alone, plots and all.
  const now = JSON.stringify(signals.map(({ name, state, evidence }) => [name, state, evidence]));
  if (now === drawn) return;
  drawn = now;
  panel.hidden = !signals.length;
  const on = signals.filter((one) => one.state === "on"), rest = signals.filter((one) => one.state !== "on");
  const unknown = rest.filter((one) => one.state !== "off").length;
  byId("signals-count").textContent = on.length ? `${on.length} on` : "";
  fill(byId("signals-on"), on.length ? on.map(line) : h("li", { class: "quiet" }, "Nothing unusual in what is known."));
  byId("signals-more").hidden = !rest.length;
  byId("signals-rest").textContent = `${rest.length - unknown} quiet${unknown ? `, and ${unknown} of which nothing can be said` : ""}`;
  fill(byId("signals-off"), rest.map(line));
  try {
    await draw(id, on, zone);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    for (const place of document.querySelectorAll("#signals-on [data-metric]")) place.remove();
  }
}
