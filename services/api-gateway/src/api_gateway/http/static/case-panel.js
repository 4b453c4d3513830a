// The account's open case, and what people do with it.
import { call, notice, Problem } from "./api.js";
import { byId, fill, h } from "./dom.js";
import { ago, instant, spaced } from "./words.js";

const mayAct = ["act", "admin"].includes(document.body.dataset.scope);
let caseId = null, onChange = () => {};

/** Run this when somebody did something to the case. */
export const caseChanged = (run) => { onChange = run; };

function action(one) {
  const words = one.detail?.comment ?? one.detail?.assignee ?? (one.detail?.until ? `until ${instant(one.detail.until)}` : one.detail?.outcome ? spaced(one.detail.outcome) : "");
  return h("li", {}, `${instant(one.at)} · ${one.actor}: ${spaced(one.kind)}${words ? `, ${words}` : ""}`);
}

/** Show the case; `summary` is what the account's own answer says of it, null hides the panel. */
export async function showCase(summary) {
  const panel = byId("case");
  caseId = summary?.id ?? null;
  panel.hidden = !summary;
  if (!summary) return;
  panel.dataset.severity = summary.severity;
  fill(byId("case-badge"), h("span", { class: `badge ${summary.severity}` }, summary.severity));
  byId("case-words").textContent = `Opened ${ago(summary.opened_at)}${summary.status === "acknowledged" ? ", acknowledged" : ""}.`;
  byId("case-actions").hidden = !mayAct;
  byId("acknowledge").hidden = summary.status === "acknowledged";
  try {
    const whole = await call(`/v1/alerts/${encodeURIComponent(summary.id)}`);
    fill(byId("case-evidence"), whole.alerts.map((alert) => h("li", {}, h("strong", {}, alert.label), `: ${alert.evidence}${alert.state === "firing" ? "" : ` (${alert.state})`}`)));
    fill(byId("case-log"), whole.actions.map(action));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    // The alerts service is away: what the account's answer knows is still shown.
    fill(byId("case-evidence"), h("li", {}, summary.summary));
    fill(byId("case-log"), h("li", {}, error.message));
    byId("case-actions").hidden = true;
  }
}

async function act(name, body) {
  try {
    await call(`/v1/alerts/${encodeURIComponent(caseId)}/${name}`, body);
    notice(null);
    onChange();
    return true;
  } catch (error) {
    notice(error);
    return false;
  }
}

function formOf(id, name, bodyOf) {
  const form = byId(id);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await act(name, bodyOf(Object.fromEntries(new FormData(form))))) { form.reset(); form.hidden = true; opener(id).setAttribute("aria-expanded", "false"); }
  });
}

const opener = (id) => document.querySelector(`[data-opens="${id}"]`);
const said = (comment) => (comment.trim() ? { comment: comment.trim() } : {});
for (const button of document.querySelectorAll("[data-opens]")) button.addEventListener("click", () => {
  for (const other of document.querySelectorAll("[data-opens]")) {
    const open = other === button && byId(other.dataset.opens).hidden;
    byId(other.dataset.opens).hidden = !open;
    other.setAttribute("aria-expanded", String(open));
  }
  byId(button.dataset.opens).querySelector("input, select").focus();
});
byId("acknowledge").addEventListener("click", () => act("acknowledge", {}));
formOf("comment-form", "comment", ({ text }) => ({ comment: text.trim() }));
formOf("outcome-form", "outcome", ({ outcome, comment }) => ({ outcome, ...said(comment) }));
formOf("expected-form", "expected", ({ until, comment }) => ({ until: new Date(`${until}T23:59:59`).toISOString(), ...said(comment) }));
