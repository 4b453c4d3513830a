// What is watched, and how often each rule was right.
import { call, guarded, rulePage } from "./api.js";
import { byId, fill, h, row } from "./dom.js";
import { freshness, listen } from "./live.js";

const body = byId("rules").tBodies[0];
function shown(rule) {
  return row([
    { class: "wide", content: [h("a", { href: rulePage(rule.name) }, rule.label), rule.mode === "shadow" ? h("span", { class: "sub" }, "only watches: opens no case") : rule.queue === "growth" ? h("span", { class: "sub" }, "growth") : null].filter(Boolean) },
    { class: "wide", content: rule.description },
    { label: "Severity", content: h("span", { class: `badge ${rule.severity}` }, rule.severity) },
    { label: "How often right", content: h("span", { class: rule.record?.startsWith("right") ? "" : "quiet" }, rule.record ?? "not known yet") },
  ]);
}

const SEVERITIES = ["critical", "warning", "info"];
/** Those that open cases first, the gravest before others. */
const rank = (rule) => [rule.mode === "shadow" ? 1 : 0, rule.queue === "growth" ? 1 : 0, SEVERITIES.indexOf(rule.severity), rule.label];
function before(one, other) {
  const [left, right] = [rank(one), rank(other)];
  const at = left.findIndex((value, n) => value !== right[n]);
  return at < 0 ? 0 : left[at] < right[at] ? -1 : 1;
}

await guarded(async () => {
  const rules = (await call("/v1/rules")).data.sort(before);
  fill(body, rules.map(shown));
  byId("count").textContent = `${rules.length} rule${rules.length === 1 ? "" : "s"}`;
});
listen("/v1/stream?topics=metrics", { metrics: freshness });
