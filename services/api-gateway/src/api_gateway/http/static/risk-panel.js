// How likely the account's renewal is lost, and why.
import { account as accountAddress, call } from "./api.js";
import { byId, fill, h, row } from "./dom.js";
import { date, inDays, money, number, share, UNKNOWN } from "./words.js";

const HIGH = 0.5, RAISED = 0.25, SHOWN = 6;

function summary(risk, open) {
  if (risk.settling) return "History is being loaded: how likely it is lost still moves.";
  if (risk.probability === null || risk.probability === undefined) return "Too little is known to say how likely it is lost.";
  const by = risk.method === "model" ? `by model version ${risk.version}` : "by points for what is known";
  const when = open.length ? `; decided by ${date(open[0].decide_by)}, ${inDays(open[0].decide_by)}` : "";
  const far = risk.now_counts < 1 ? ` That is far away, so what passes counts ${share(risk.now_counts)} of its points.` : "";
  const others = open.length > 1 ? ` It is the first of ${open.length} open renewals; the others are judged beside it.` : "";
  return `${share(risk.probability)} likely to be lost, ${by}${when}.${far}${others}`;
}

/** The open renewals, that first which is judged here. */
function openOnes(risk) {
  const isFirst = (one) => one.due_at === risk.due_at && one.subscription === risk.subscription;
  const open = risk.renewals.filter((one) => one.outcome === "open").reverse();
  return [...open.filter(isFirst), ...open.filter((one) => !isFirst(one))];
}

function renewalRow(one, currency) {
  const told = one.probability === null ? one.outcome : `${share(one.probability)} likely lost`;
  const why = (one.reasons ?? []).filter((reason) => reason.state !== "unknown" && reason.points > 0).map((reason) => `${reason.text}: +${number(reason.points)}`).join("\n");
  return row([
    { label: "Due", content: h("span", { title: one.subscription ?? "" }, date(one.due_at)) },
    { label: "Notice by", content: one.notice_deadline ? date(one.notice_deadline) : UNKNOWN },
    { label: "MRR", class: "num", content: money(one.mrr, currency) },
    { content: h("span", { title: why }, told) },
  ]);
}

/** Show it; an account without an open renewal, whose figures know no risk, hides the panel. */
export async function showRisk(id, figures, currency) {
  const panel = byId("risk");
  panel.hidden = (figures.renewal_risk ?? null) === null;
  if (panel.hidden) return;
  const risk = await call(`${accountAddress(id)}/risk?days=0`);
  const open = openOnes(risk);
  const known = risk.probability ?? null;
  fill(byId("risk-badge"), known === null ? h("span", { class: "badge" }, "not known") : h("span", { class: `badge ${known >= HIGH ? "critical" : known >= RAISED ? "warning" : "accepted"}` }, share(known)));
  byId("risk-words").textContent = summary(risk, open);
  const told = (risk.reasons ?? []).filter((one) => Math.abs(one.points) >= 0.05);
  const unknown = (risk.reasons ?? []).filter((one) => one.state === "unknown");
  const signed = (points) => `${points > 0 ? "+" : ""}${number(points)}`;
  fill(byId("risk-reasons").tBodies[0], told.map((one) => row([{ content: one.text }, { class: "num", content: signed(one.points) }])));
  if (known !== null) byId("risk-reasons").tBodies[0].append(row([{ content: [h("strong", {}, `Together ${share(known)}`), h("span", { class: "sub" }, "10 points more double the odds, 10 fewer halve them")] }, { class: "num", content: h("strong", {}, signed(risk.points)) }]));
  byId("risk-more").hidden = !unknown.length;
  byId("risk-unknown-count").textContent = `${unknown.length} reason${unknown.length === 1 ? "" : "s"} of which nothing is known`;
  fill(byId("risk-unknown"), unknown.map((one) => h("li", {}, one.text)));
  const past = risk.renewals.filter((one) => one.outcome !== "open");
  fill(byId("renewals").tBodies[0], [...open, ...past].slice(0, Math.max(SHOWN, open.length)).map((one) => renewalRow(one, currency)));
}
