// An account's health day by day, and where other definitions made it.
import { byId } from "./dom.js";
import { plot } from "./plot.js";
import { date, isoDay, spaced } from "./words.js";

export const DAYS = 180;
let drawn = "";

/** Rows are of days on which it changed, the latest first; it stood until the next such day, the last one until today. */
function everyDay(rows) {
  const left = rows.toReversed(), points = [], until = isoDay(new Date());
  let row = null;
  for (const at = new Date(`${left[0].day}T00:00:00`); left.length || isoDay(at) <= until; at.setDate(at.getDate() + 1)) {
    if (left[0]?.day === isoDay(at)) row = left.shift();
    points.push({ at: new Date(at), value: row.score });
  }
  return points.slice(-DAYS);
}

/** The days from which on another version of the definitions, or another profile, made it. */
function changes(rows) {
  return rows.slice(0, -1).flatMap((row, place) => {
    const before = rows[place + 1];
    const words = [
      row.profile === before.profile ? null : `profile ${spaced(row.profile)}`,
      row.definitions === before.definitions ? null : `version ${row.definitions} of the definitions`,
    ].filter(Boolean).join(", ");
    return words ? [{ at: new Date(`${row.day}T00:00:00`), day: row.day, words }] : [];
  });
}

/** Draw it; a health that is known of one day only has no history to show. */
export function showHistory(rows) {
  const now = JSON.stringify(rows) + isoDay(new Date());
  // Told again each second while the account is busy.
  if (now === drawn) return;
  drawn = now;
  const place = byId("health-plot"), points = rows.length ? everyDay(rows) : [];
  place.hidden = points.length < 2;
  const marks = changes(rows).filter((one) => one.at >= points[0].at);
  byId("health-marks").textContent = marks.map((one) => `${one.words} from ${date(one.day)}`).join(" · ");
  if (!place.hidden) plot(place, points, { label: "Health", marks });
}
