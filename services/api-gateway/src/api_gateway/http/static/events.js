// Every event as it is counted, with its fate.
import { accountPage, call, guarded } from "./api.js";
import { byId, h, row } from "./dom.js";
import { listen } from "./live.js";
import { instant } from "./words.js";

const MOST = 500;
// A burst of thousands a second is shown as what fits the eye, counted as what it is.
const PAINT_MS = 250;
const form = byId("filters"), body = byId("events").tBodies[0], pause = byId("pause");
let kept = [], waiting = [], total = 0, paused = false;

function matches(fate) {
  const wanted = form.elements.fate.value, words = form.elements.q.value.trim().toLowerCase();
  if (wanted && fate.fate !== wanted) return false;
  return !words || [fate.type, fate.account, fate.id, fate.source, fate.code].some((text) => String(text ?? "").toLowerCase().includes(words));
}

function shown(fate) {
  return row([
    { label: "Arrived", content: instant(fate.at) },
    { content: [h("span", { class: `badge ${fate.fate}` }, fate.fate), fate.message ? h("span", { class: "sub" }, fate.message) : null].filter(Boolean) },
    { class: "wide", content: h("span", { class: "mono" }, fate.type ?? "unknown") },
    { label: "Account", content: fate.account ? h("a", { href: accountPage(fate.account) }, fate.account) : "" },
    { label: "Happened", content: instant(fate.time) },
    { label: "Id", content: h("span", { class: "mono" }, fate.id ?? "") },
  ]);
}

function paint() {
  const visible = kept.filter(matches).slice(0, 200);
  body.replaceChildren(...visible.map(shown));
  byId("empty").hidden = visible.length > 0;
  byId("count").textContent = paused ? `Paused; ${waiting.length} waiting` : `${total.toLocaleString()} event${total === 1 ? "" : "s"} seen`;
}

let due = null;
function soon() { due ??= setTimeout(() => { due = null; paint(); }, PAINT_MS); }

function told(fate) {
  if (paused) { waiting = [fate, ...waiting].slice(0, MOST); soon(); return; }
  total += 1;
  kept = [fate, ...kept].slice(0, MOST);
  soon();
}

async function load() {
  const recent = await call("/v1/events/recent?limit=100");
  kept = recent.data;
  total = kept.length;
  paint();
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on" : "Pause";
  if (!paused) { total += waiting.length; kept = [...waiting, ...kept].slice(0, MOST); waiting = []; }
  paint();
});
form.addEventListener("input", soon);
form.addEventListener("submit", (event) => event.preventDefault());
await guarded(load);
listen("/v1/events/live", { message: told }, () => guarded(load));
