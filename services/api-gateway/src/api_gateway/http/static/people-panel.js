// Who is at the account, and what it wants to reach.
import { account as accountAddress, address, call } from "./api.js";
import { byId, fill, h } from "./dom.js";
import { date, inDays, isoDay, number, share, spaced } from "./words.js";

const PAGE = 12;
const TOLD = ["name", "email"];
let cursor = null;

function person(one) {
  const name = one.traits.name ?? one.person;
  const told = Object.entries(one.traits).filter(([key, value]) => !TOLD.includes(key) && value !== null && value !== false && typeof value !== "object").map(([key, value]) => (key === "role" || key === "title" ? String(value) : value === true ? spaced(key) : `${spaced(key)}: ${value}`));
  const active = one.last_active_on === null ? "never active" : `active ${inDays(one.last_active_on)}${one.active_days_28d ? `, on ${one.active_days_28d} of 28 days` : ""}`;
  return h("li", {}, h("strong", {}, name), one.traits.email && one.traits.email !== name ? h("span", { class: "sub" }, one.traits.email) : null, h("span", { class: "sub" }, [...told, one.internal ? "one of us" : null, active].filter(Boolean).join(" · ")));
}

/** Show the first people, or with `start` false the next ones. */
export async function showPeople(id, start = true) {
  const page = await call(address(`${accountAddress(id)}/people`, { limit: PAGE, cursor: start ? null : cursor }));
  const list = byId("people");
  if (start) fill(list);
  list.append(...page.data.map(person));
  if (!list.children.length) list.append(h("li", { class: "quiet" }, "Nobody is known by name."));
  cursor = page.next_cursor;
  byId("more-people").hidden = !cursor;
}

function plan(one) {
  const bar = h("i");
  bar.style.width = `${Math.min(Math.max(one.progress ?? 0, 0), 1) * 100}%`;
  const late = one.due !== null && one.due.slice(0, 10) < isoDay(new Date()) && !(one.progress >= 1);
  const way = one.value === null ? "no value told yet" : `${number(one.value)}${one.target === null ? "" : ` of ${number(one.target)}`}${one.baseline ? `, from ${number(one.baseline)}` : ""}`;
  return h("div", { class: "plan" },
    h("strong", {}, one.goal), h("span", { class: "sub" }, [one.measure ? spaced(one.measure) : null, way].filter(Boolean).join(": ")),
    h("div", { class: "progress", role: "img", "aria-label": one.progress === null ? "no way to measure it" : `${share(one.progress)} of the way` }, bar),
    h("span", { class: `sub${late ? " worse" : ""}` }, [one.due ? `due ${date(one.due)}, ${inDays(one.due)}` : "without a date", one.confirmed_by_customer ? "confirmed by the customer" : "not confirmed by the customer"].join(" · ")));
}

/** Show the success plans; an account without one hides the panel. */
export async function showPlans(id) {
  const plans = (await call(`${accountAddress(id)}/plans`)).data;
  byId("plans-panel").hidden = !plans.length;
  fill(byId("plans"), plans.slice(0, 5).map(plan));
}
