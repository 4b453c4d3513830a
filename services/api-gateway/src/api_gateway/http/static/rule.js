// One rule: what it watches, how often it was right, and what it would have said of the past.
import { accountPage, address, call, guarded, notice } from "./api.js";
import { byId, fill, h, row } from "./dom.js";
import { freshness, listen } from "./live.js";
import { date, money, number, share, spaced, UNKNOWN } from "./words.js";

const name = new URLSearchParams(location.search).get("name") ?? "";
const own = `/v1/rules/${encodeURIComponent(name)}`;
const VERDICTS = { caught: "left after it", repeat: "warned of before", false: "stayed: a false alarm", late: "left; too late for its notice", after: "had decided to leave", unjudged: "can’t be judged: no contract, or closed because nobody used it", open: "not known yet" };
let currency = null, definition = null;

const fact = (label, value, sub) => h("div", {}, h("dt", {}, label), h("dd", { class: value === UNKNOWN ? "unknown" : "" }, value, sub ? h("span", { class: "sub" }, sub) : null));
const interval = (told) => (told?.low === null || told?.low === undefined ? null : `${share(told.low)} to ${share(told.high)}, of ${told.of ?? told.n}`);
const days = (told) => [told.median === null ? UNKNOWN : `${number(told.median)} days`, told.median === null || told.low === undefined ? null : `${number(told.low)} to ${number(told.high)}`];

async function showRule() {
  const rule = await call(own);
  definition = rule.definition;
  document.title = `${rule.label} · Bellwether`;
  byId("name").textContent = rule.label;
  byId("about").textContent = rule.description;
  fill(byId("badge"), h("span", { class: `badge ${rule.severity}` }, rule.severity));
  byId("replay").elements.condition.value = definition.condition;
  if (rule.mode === "shadow") byId("about").append(" It only watches: it opens no case and tells nobody.");
}

function people(title, ids) {
  if (!ids.length) return null;
  return h("p", { class: "names" }, h("strong", {}, `${title} (${ids.length}): `), ids.slice(0, 50).flatMap((id, index) => [index ? ", " : "", h("a", { href: accountPage(id) }, id)]), ids.length > 50 ? " and others" : "");
}

function part(title, told) {
  const count = (label, value) => ({ label, class: "num", content: String(value) });
  return row([{ class: "wide", content: title }, count("Warnings", told.warnings), count("Right", told.caught.length + told.confirmed.length), count("False", told.false.length), count("Missed", told.missed.length), { class: "wide", content: told.words }]);
}

/** What became of all warnings, in parts that add up to them. */
function became(told) {
  const parts = [[told.caught.length + told.confirmed.length, "right"], [told.false.length, "false"], [told.pending.length, "nobody can know yet"], [told.unsaid.length, "worked on, and nobody said whether the risk was real"], [told.repeated, told.repeated === 1 ? "repeats one before" : "repeat one before"], [told.too_late, "too late"], [told.unjudged, "can’t be judged"]];
  const said = parts.filter(([count]) => count).map(([count, what]) => `${count} ${what}`);
  return said.length ? `${told.warnings} ${told.warnings === 1 ? "warning" : "warnings"}: ${said.join(", ")}.` : "No warning so far.";
}

const load = (told) => (told === null ? UNKNOWN : told > 0 && told < 0.05 ? "under 0.1" : number(told));

async function showRecord() {
  const told = await call(address(`${own}/record`, { by: "segment" }));
  byId("words").textContent = `${told.words[0].toUpperCase()}${told.words.slice(1)}.`;
  fill(byId("became"), [h("p", {}, became(told)), told.note ? h("p", { class: "quiet" }, `Of its past: ${told.note}.`) : null]);
  byId("record-span").textContent = `${date(told.since)} to ${date(told.to)}; leaving within ${told.horizon_days} days counts`;
  fill(byId("record"), [
    fact("Precision", told.precision ? share(told.precision.value) : UNKNOWN, interval(told.precision)),
    fact("Recall", told.recall ? share(told.recall.value) : UNKNOWN, interval(told.recall)),
    fact("Before the notice deadline", ...days(told.days_before_notice)),
    fact("Warnings a week for each CSM", load(told.load_per_csm_week), `${told.busiest_csm_week} at most`),
    fact("A year’s revenue lost that it foretold", money(told.money_caught, currency)),
    fact("Renewed after a warning", money(told.money_renewed_after_warning, currency)),
  ]);
  const parts = (told.parts ?? []).filter((one) => one.warnings || one.missed.length);
  fill(byId("parts").tBodies[0], [part("What nobody worked on", told.clean), part("What our work touched", told.worked), ...parts.map((one) => part(one.key === null ? "Without a segment" : `Segment ${one.key}`, one))]);
  fill(byId("names"), [people("Right: left after the warning", told.caught), people("Right: people say the risk was real", told.confirmed), people("False", told.false), people("Missed", told.missed), people("Nobody can know yet", told.pending)]);
}

function bar(week, most) {
  const made = h("i", { title: `${date(week.week)}: ${week.warnings}` });
  made.style.height = `${(week.warnings * 100) / most}%`;
  return made;
}

function showReplay(told) {
  const { accuracy } = told;
  byId("replayed").hidden = false;
  byId("replay-words").textContent = `${told.warnings.length + told.warnings_left_out} warnings over ${told.accounts} accounts, ${date(told.from)} to ${date(told.to)}.`;
  fill(byId("replay-figures"), [
    fact("Left after a warning", number(accuracy.caught.length)),
    fact("False", number(accuracy.false.length)),
    fact("Missed", number(accuracy.missed.length)),
    fact("Precision", accuracy.precision.value === null ? UNKNOWN : share(accuracy.precision.value), accuracy.precision.note ?? interval(accuracy.precision)),
    fact("Recall", accuracy.recall.value === null ? UNKNOWN : share(accuracy.recall.value), accuracy.recall.note ?? interval(accuracy.recall)),
    fact("Before they decided", accuracy.days_before.median === null ? UNKNOWN : `${number(accuracy.days_before.median)} days`),
  ]);
  const most = Math.max(1, ...told.weeks.map((week) => week.warnings));
  fill(byId("weeks"), told.weeks.map((week) => bar(week, most)));
  fill(byId("load").tBodies[0], told.load.map((one) => row([{ content: one.owner ?? "Nobody" }, { class: "num", content: String(one.warnings) }, { class: "num", content: load(one.per_week) }, { class: "num", content: String(one.busiest_week) }])));
  fill(byId("warnings").tBodies[0], told.warnings.slice(0, 200).map((one) => row([{ class: "wide", content: h("a", { href: accountPage(one.account) }, one.account) }, { label: "From", class: "whole", content: date(one.from) }, { label: "To", class: "whole", content: one.to === null ? "still" : date(one.to) }, { class: "wide", content: one.evidence }, { class: "wide", content: VERDICTS[one.verdict] ?? spaced(one.verdict) }])));
}

byId("replay").addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = Object.fromEntries([...new FormData(event.target)].filter(([, value]) => value !== ""));
  const { condition: draft, ...span } = given;
  const asked = draft && draft !== definition?.condition ? { ...span, definition: { ...definition, condition: draft } } : span;
  const button = event.target.querySelector("button");
  button.disabled = true;
  byId("replay-words").textContent = "Reading the past…";
  try {
    showReplay(await call(`${own}/backtest`, asked));
    notice(null);
  } catch (error) {
    byId("replay-words").textContent = "";
    notice(error);
  } finally {
    button.disabled = false;
  }
});

await guarded(async () => { currency = (await call("/v1/metrics")).settings.currency; });
await guarded(showRule);
await guarded(showRecord);
listen("/v1/stream?topics=metrics", { metrics: freshness });
