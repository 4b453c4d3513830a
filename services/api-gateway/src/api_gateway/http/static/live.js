// One stream per page. The browser resumes it by itself; after a refusal it is opened anew and the page reads all again.
import { call } from "./api.js";
import { byId } from "./dom.js";
import { instant } from "./words.js";

const RETRY_MS = 3000;
// Figures that are older than this are marked: the pipeline is behind, or stands still.
const STALE_MS = 120_000;
let asOf = null;
let connected = false;

function show() {
  const place = byId("live"), words = byId("live-words");
  if (!place) return;
  const stale = asOf !== null && Date.now() - asOf.getTime() > STALE_MS;
  place.dataset.state = connected ? (stale ? "stale" : "live") : "connecting";
  words.textContent = connected ? (stale ? `Stale, as of ${instant(asOf)}` : "Live") : "Reconnecting";
}

/** Tell how fresh what the page shows is. */
export function freshAsOf(text) {
  if (!text) return;
  const at = new Date(text);
  if (asOf === null || at > asOf) asOf = at;
  const place = byId("as-of");
  if (place) {
    place.textContent = instant(asOf);
    place.dateTime = asOf.toISOString();
    const stale = Date.now() - asOf.getTime() > STALE_MS;
    place.classList.toggle("stale", stale);
    if (stale) place.textContent += " (stale)";
  }
  show();
}

/** A `metrics` message tells how far the whole pipeline is. */
export const freshness = ({ metrics }) => metrics.slice(0, 1).forEach((one) => freshAsOf(one.as_of));

/** Listen to an address. `handlers`: event name to function of its data; `again` runs when something may have been missed. */
export function listen(path, handlers, again) {
  let source = null, opened = false;
  const open = () => {
    source = new EventSource(path);
    source.addEventListener("open", () => {
      connected = true;
      if (opened) again?.();
      opened = false;
      show();
    });
    source.addEventListener("reset", () => again?.());
    for (const [name, handler] of Object.entries(handlers)) source.addEventListener(name, (message) => handler(JSON.parse(message.data)));
    source.addEventListener("error", async () => {
      connected = false;
      show();
      if (source.readyState !== EventSource.CLOSED) return;
      // The server refused: perhaps the session is over, which this call finds out.
      opened = true;
      await call("/v1/session").catch(() => null);
      setTimeout(open, RETRY_MS);
    });
  };
  open();
  window.addEventListener("pagehide", () => source?.close());
  return { close: () => source.close() };
}

setInterval(show, 5000);
byId("sign-out")?.addEventListener("click", async () => {
  await call("/v1/session", undefined, "DELETE").catch(() => null);
  location.assign("/sign-in");
});
