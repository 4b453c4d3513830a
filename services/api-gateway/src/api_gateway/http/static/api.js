// Calls to the gateway with the session's cookie.
import { byId } from "./dom.js";

/** An answer that was a problem: `code` is stable, `message` is for people. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.message || `The server answered ${status}.`);
    this.status = status;
    this.code = body.code || "unknown";
  }
}

/** GET, or POST when there is a body. Without a session the sign-in page opens. */
export async function call(path, body, method = body === undefined ? "GET" : "POST") {
  const options = { method, headers: { Accept: "application/json", "X-Bellwether-Dashboard": "1" }, credentials: "same-origin" };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(path, options);
  if (answer.status === 401 && document.body.dataset.page !== "sign_in") location.assign("/sign-in");
  if (answer.status === 204) return null;
  const text = await answer.text();
  let parsed = {};
  try { parsed = text ? JSON.parse(text) : {}; } catch { parsed = { message: "The server's answer could not be read." }; }
  if (!answer.ok) throw new Problem(answer.status, parsed);
  return parsed;
}

/** An address with parameters; empty ones are left out, lists are repeated. */
export function address(path, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== "" && one !== null && one !== undefined) query.append(name, one);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export const account = (id) => `/v1/accounts/${encodeURIComponent(id)}`;
export const accountPage = (id) => `/account?id=${encodeURIComponent(id)}`;
export const casePage = (id) => `/case?id=${encodeURIComponent(id)}`;
export const rulePage = (name) => `/rule?name=${encodeURIComponent(name)}`;

/** Say what went wrong, at the top of the page; nothing to say hides it. */
export function notice(error) {
  const place = byId("notice");
  place.hidden = !error;
  place.textContent = error ? error.message || String(error) : "";
}

/** Run a page's loading; what fails is said, the rest of the page stays. */
export async function guarded(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Problem && error.status === 401)) notice(error);
    return null;
  }
}
