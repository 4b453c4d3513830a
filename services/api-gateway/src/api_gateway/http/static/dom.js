// Elements without HTML text: what customers send is never parsed as markup.

/** An element with attributes and children; text children become text nodes. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** What an alert's evidence says now, where that is no longer what it said when it fired. */
export const present = (alert) => (alert.evidence_now && alert.evidence_now !== alert.evidence ? h("span", { class: "sub" }, `Now: ${alert.evidence_now}`) : null);

export const byId = (id) => document.getElementById(id);

/** Replace what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
  element.closest("[aria-busy]")?.removeAttribute("aria-busy");
}

/** A table row that says its column names again where the table is shown as a list. */
export function row(cells, attributes = {}) {
  return h("tr", attributes, cells.map((cell) => h("td", { class: cell.class, "data-label": cell.label }, cell.content)));
}

/** A line from numbers, as wide as its place. Unknown values leave a gap. */
export function sparkline(values) {
  const known = values.filter((value) => value !== null);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 30");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  if (known.length < 2) return svg;
  const low = Math.min(...known), span = Math.max(...known) - low || 1;
  let path = "", pen = "M";
  values.forEach((value, index) => {
    if (value === null) { pen = "M"; return; }
    path += `${pen}${((index * 100) / (values.length - 1)).toFixed(2)} ${(28 - ((value - low) * 26) / span).toFixed(2)}`;
    pen = "L";
  });
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  line.setAttribute("class", "spark");
  svg.append(line);
  return svg;
}

/** Mark an element as just changed; without motion nothing moves. */
export function freshen(element) {
  element.classList.remove("fresh");
  void element.offsetWidth;
  element.classList.add("fresh");
}
