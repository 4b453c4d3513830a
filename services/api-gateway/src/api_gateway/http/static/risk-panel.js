// How likely the account's renewal is lost, and why.
import { account as accountAddress, call } from "./api.js";
import { byId, fill, h, row } from "./dom.js";
import { date, inDays, money, number, share, UNKNOWN } from "./words.js";

const HIGH = 0.5, RAISED = 0.25;

function summary(risk, open) {
  if (risk.probability === null || risk.probability === undefined) return "Too little is known to say how likely it is lost.";
  const by = risk.method === "model" ? `by model version ${risk.version}` : "by points for what is known";
  return `${share(risk.probability)} likely to be lost, ${by}${open ? `; decided by ${date(open.notice_deadline ?? open.due_at)}, ${inDays(open.notice_deadline ?? open.due_at)}` : ""}.`;
}

/** Show it; an account without an open renewal, whose figures know no risk, hides the panel. */
export async function showRisk(id, figures, currency) {
  const panel = byId("risk");
  panel.hidden = (figures.renewal_risk ?? null) === null;
  if (panel.hidden) return;
  const risk = await call(`${accountAddress(id)}/risk?days=0`);
  const open = risk.renewals.filter((one) => one.outcome === "open").at(-1);
  const known = risk.probability ?? null;
  fill(byId("risk-badge"), known === null ? h("span", { class: "badge" }, "not known") : h("span", { class: `badge ${known >= HIGH ? "critical" : known >= RAISED ? "warning" : "accepted"}` }, share(known)));
  byId("risk-words").textContent = summary(risk, open);
  const told = (risk.reasons ?? []).filter((one) => one.state !== "unknown" && Math.abs(one.points) >= 0.05);
  const unknown = (risk.reasons ?? []).filter((one) => one.state === "unknown");
  fill(byId("risk-reasons").tBodies[0], told.map((one) => row([{ content: one.text }, { class: "num", content: `${one.points > 0 ? "+" : ""}${number(one.points)}` }])));
  byId("risk-more").hidden = !unknown.length;
  byId("risk-unknown-count").textContent = `${unknown.length} reason${unknown.length === 1 ? "" : "s"} of which nothing is known`;
  fill(byId("risk-unknown"), unknown.map((one) => h("li", {}, one.text)));
  fill(byId("renewals").tBodies[0], risk.renewals.slice(0, 6).map((one) => row([{ content: date(one.due_at) }, { content: one.notice_deadline ? date(one.notice_deadline) : UNKNOWN }, { class: "num", content: money(one.mrr, currency) }, { content: one.outcome }])));
}
