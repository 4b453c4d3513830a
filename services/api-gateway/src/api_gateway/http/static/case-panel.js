// The account's open case in short; the case's own page has what is done about it.
import { call, casePage, Problem } from "./api.js";
import { byId, fill, h, present } from "./dom.js";
import { ago } from "./words.js";

/** Show the case; `summary` is what the account's own answer says of it, null hides the panel. */
export async function showCase(summary) {
  const panel = byId("case");
  panel.hidden = !summary;
  if (!summary) return;
  panel.dataset.severity = summary.severity;
  fill(byId("case-badge"), h("span", { class: `badge ${summary.severity}` }, summary.severity));
  byId("case-link").href = casePage(summary.id);
  byId("case-words").textContent = `Opened ${ago(summary.opened_at)}${summary.status === "acknowledged" ? ", acknowledged" : ""}.`;
  try {
    const whole = await call(`/v1/alerts/${encodeURIComponent(summary.id)}`);
    fill(byId("case-evidence"), whole.alerts.map((alert) => h("li", {}, h("strong", {}, alert.label), `: ${alert.evidence}${alert.state === "firing" ? "" : ` (${alert.state})`}`, present(alert))));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    // The alerts service is away: what the account's answer knows is still shown.
    fill(byId("case-evidence"), h("li", {}, summary.summary));
  }
}
