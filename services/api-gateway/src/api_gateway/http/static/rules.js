// What is watched, and how often each rule was right.
import { call, guarded, Problem, rulePage } from "./api.js";
import { byId, fill, h, row } from "./dom.js";
import { freshness, listen } from "./live.js";

const body = byId("rules").tBodies[0];
const words = new Map();

function shown(rule) {
  const place = h("span", { class: "quiet" }, "…");
  words.set(rule.name, place);
  return row([
    { class: "wide", content: [h("a", { href: rulePage(rule.name) }, rule.label), rule.mode === "shadow" ? h("span", { class: "sub" }, "only watches: opens no case") : rule.queue === "growth" ? h("span", { class: "sub" }, "growth") : null].filter(Boolean) },
    { class: "wide", content: rule.description },
    { label: "Severity", content: h("span", { class: `badge ${rule.severity}` }, rule.severity) },
    { label: "How often right", content: place },
  ]);
}

async function tell(rule) {
  const place = words.get(rule.name);
  try {
    const record = await call(`/v1/rules/${encodeURIComponent(rule.name)}/record`);
    place.textContent = record.words;
    place.className = record.known ? "" : "quiet";
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    place.textContent = error.message;
  }
}

await guarded(async () => {
  const rules = (await call("/v1/rules")).data;
  fill(body, rules.map(shown));
  byId("count").textContent = `${rules.length} rule${rules.length === 1 ? "" : "s"}`;
  // One after the other: each reads the rule's whole past.
  for (const rule of rules) await guarded(() => tell(rule));
});
listen("/v1/stream?topics=metrics", { metrics: freshness });
