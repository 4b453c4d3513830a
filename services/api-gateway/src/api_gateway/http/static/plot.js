// Plots in the page's own colours, redrawn when the theme or the width changes.
import { h } from "./dom.js";
import { figure } from "./words.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const dayOf = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const monthOf = new Intl.DateTimeFormat(undefined, { month: "short", year: "2-digit" });
const LONG_SECONDS = 200 * 86400;
const dayWords = (tick, points) => ((points.at(-1).at - points[0].at) / 1000 > LONG_SECONDS ? monthOf : dayOf).format(new Date(tick * 1000));

/** Draw one series of days (or months). `points`: [{at: Date, value: number|null}]. `marks`: [{at: Date, words}], moments from which on something else holds. */
export function plot(place, points, { label, unit = "count", currency = null, marks = [] }) {
  place.plotted?.destroy();
  place.observer?.disconnect();
  place.ended?.abort();
  place.replaceChildren();
  if (points.every((point) => point.value === null)) {
    place.append(h("p", { class: "empty" }, "No figures in this time."));
    return;
  }
  const draw = () => {
    place.plotted?.destroy();
    const grid = { stroke: colour("--line"), width: 1 };
    const axis = { stroke: colour("--quiet"), font: "12px system-ui, sans-serif", grid, ticks: { show: false } };
    const accent = colour("--accent");
    const words = (value) => figure(value, unit, currency);
    const options = {
      width: place.clientWidth,
      height: place.clientHeight,
      legend: { show: false },
      cursor: { points: { size: 7 }, drag: { x: false, y: false } },
      scales: { y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.08 : 1] } },
      series: [{}, { label, stroke: accent, width: 2, fill: `color-mix(in srgb, ${accent} 9%, transparent)`, points: { show: points.length < 40 } }],
      axes: [{ ...axis, grid: { show: false }, space: 60, size: 30, values: (_, ticks) => ticks.map((tick) => dayWords(tick, points)) }, { ...axis, size: unit === "money" ? 68 : 48, values: (_, ticks) => ticks.map(words) }],
      plugins: [reading(points, words, marks), lines(marks, axis.stroke)],
    };
    place.plotted = new uPlot(options, [points.map((p) => p.at.getTime() / 1000), points.map((p) => p.value)], place);
  };
  draw();
  let width = place.clientWidth;
  place.observer = new ResizeObserver(() => {
    if (place.clientWidth !== width) { width = place.clientWidth; draw(); }
  });
  place.observer.observe(place);
  place.ended = new AbortController();
  const { signal } = place.ended;
  document.addEventListener("themechange", draw, { signal });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw, { signal });
}

/** The value under the pointer, in the plot's corner. */
function reading(points, words, marks) {
  const place = h("p", { class: "reading quiet" });
  return {
    hooks: {
      init: (u) => u.over.append(place),
      setCursor: (u) => {
        const point = u.cursor.idx === null || u.cursor.idx === undefined ? null : points[u.cursor.idx];
        const mark = point && marks.find((one) => one.at.getTime() === point.at.getTime());
        place.textContent = point ? `${point.at.toLocaleDateString(undefined, { day: "numeric", month: "short", year: "numeric" })}: ${words(point.value)}${mark ? ` · ${mark.words}` : ""}` : "";
      },
    },
  };
}

/** A dashed line at each mark. */
function lines(marks, stroke) {
  const draw = (u) => {
    const { ctx, bbox } = u;
    ctx.save();
    Object.assign(ctx, { strokeStyle: stroke, lineWidth: devicePixelRatio });
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const { at } of marks) {
      const x = u.valToPos(at.getTime() / 1000, "x", true);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  };
  return { hooks: { draw } };
}
