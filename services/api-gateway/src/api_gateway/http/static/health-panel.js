// How healthy the account is, why, and what people think of it.
import { account as accountAddress, call, notice, Problem } from "./api.js";
import { byId, fill, h, row } from "./dom.js";
import { DAYS, showHistory } from "./health-history.js";
import { date, number, share, spaced, UNKNOWN } from "./words.js";

const mayAct = ["act", "admin"].includes(document.body.dataset.scope);
const points = (value) => (value === null ? UNKNOWN : number(value));
let id = "";

/** Bands by how far they are from healthy, in the colours of severity. */
export function bandBadge(band, bands, healthy) {
  if (!band) return h("span", { class: "badge" }, "no data");
  const lowest = bands?.length && bands[0].name === band && !healthy;
  return h("span", { class: `badge ${healthy ? "accepted" : lowest ? "critical" : "warning"}` }, spaced(band));
}

function summary(health) {
  if (health.score === null) return `No score: inputs worth ${health.known} of 100 are known, too little to judge. No data is not health.`;
  const worst = health.inputs.find((one) => one.name === health.worst);
  const parts = [`${points(health.score)} of 100 by “${health.label}”.`];
  if (worst?.lost >= 0.05) parts.push(`${worst.label} costs most: ${points(worst.lost)} points.`);
  if (health.held_by_case) parts.push("Its open case keeps it from being called healthy.");
  return parts.join(" ");
}

function inputRow(one) {
  const state = one.state === "known" ? "" : one.state === "stale" ? "stale: too old to count" : "not known";
  return row([
    { class: "wide", content: [one.label, state ? h("span", { class: "sub" }, state) : null].filter(Boolean) },
    { label: "Value", class: "num", content: one.unit === "ratio" ? share(one.value) : number(one.value) },
    { label: "Weight", class: "num", content: String(one.weight) },
    { label: "Points lost", class: "num", content: points(one.lost) },
  ]);
}

const ratingWords = (one) => `${one.rated_by} said ${spaced(one.band)} on ${date(one.rated_at)}${one.score === null ? "" : `, when the score was ${points(one.score)}`}${one.comment ? `: ${one.comment}` : ""}`;

/** Show the health of an account; one that has none hides the panel. */
export async function showHealth(account) {
  id = account;
  const panel = byId("health");
  let health;
  try {
    health = await call(`${accountAddress(id)}/health?days=${DAYS}`);
  } catch (error) {
    if (!(error instanceof Problem && error.status === 404)) throw error;
    panel.hidden = true;
    return;
  }
  panel.hidden = false;
  fill(byId("health-badge"), bandBadge(health.band, health.bands, health.healthy));
  byId("health-words").textContent = summary(health);
  showHistory(health.history);
  fill(byId("health-inputs").tBodies[0], health.inputs.map(inputRow));
  fill(byId("health-overrides"), health.overrides.map((one) => h("li", {}, `${one.reason} It can't be above ${points(one.at_most)}.`)),
    health.children ? h("li", {}, `Its ${health.children.accounts} child accounts together: ${points(health.children.score)}, weighted by revenue.`) : null);
  fill(byId("health-ratings"), health.disagrees ? h("li", {}, "The people who look after it see it differently from the score.") : null, health.ratings.slice(0, 3).map((one) => h("li", {}, ratingWords(one))));
  byId("rating-form").hidden = !mayAct;
  const choice = byId("rating-band");
  if (choice.options.length !== health.bands.length + 1) fill(choice, h("option", { value: "" }, "Choose"), health.bands.map((band) => h("option", { value: band.name }, spaced(band.name))));
}

byId("rating-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { band, comment } = Object.fromEntries(new FormData(event.target));
  try {
    await call(`${accountAddress(id)}/health/rating`, { band, comment: comment.trim() });
    notice(null);
    event.target.reset();
    await showHealth(id);
  } catch (error) {
    notice(error);
  }
});
