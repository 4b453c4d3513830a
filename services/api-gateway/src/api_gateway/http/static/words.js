// Figures and instants as people read them. Unknown is shown as unknown, never as 0.

export const UNKNOWN = "–";
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const signedPercent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const shortClock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dayAndYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });

const missing = (value) => value === null || value === undefined || value === "";

/** A count or other plain number. */
export const number = (value) => (missing(value) ? UNKNOWN : (Math.abs(value) < 100 ? fine : whole).format(value));

/** A share, such as 0.31, or a trend with its sign. */
export const share = (value) => (missing(value) ? UNKNOWN : percent.format(value));
export const trend = (value) => (missing(value) ? UNKNOWN : signedPercent.format(value));

/** Decimal text as money; cents where they matter. */
export function money(value, currency) {
  if (missing(value)) return UNKNOWN;
  const digits = Math.abs(Number(value)) < 100 && Number(value) % 1 !== 0 ? 2 : 0;
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(undefined, currency ? { ...options, style: "currency", currency } : options).format(Number(value));
}

/** A figure by its unit. */
export function figure(value, unit, currency) {
  if (missing(value)) return UNKNOWN;
  if (unit === "money") return money(value, currency);
  if (unit === "ratio") return share(value);
  return number(value);
}

/** 12:03:04 today, 3 Nov, 12:03 this year, else the date. */
export function instant(text) {
  if (missing(text)) return UNKNOWN;
  const at = new Date(text), now = new Date();
  if (Number.isNaN(at.getTime())) return String(text);
  if (at.toDateString() === now.toDateString()) return clock.format(at);
  return at.getFullYear() === now.getFullYear() ? `${day.format(at)}, ${shortClock.format(at)}` : dayAndYear.format(at);
}

/** An instant to come, by the minute: 14:05 today, 3 Nov, 14:05 this year, else the date. */
export function moment(text) {
  const at = new Date(text);
  return !missing(text) && at.toDateString() === new Date().toDateString() ? shortClock.format(at) : instant(text);
}

/** A calendar date; a date without time stays the day it names. */
export function date(text) {
  if (missing(text)) return UNKNOWN;
  const at = new Date(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T12:00:00` : text);
  return Number.isNaN(at.getTime()) ? String(text) : dayAndYear.format(at);
}

/** How long ago, roughly. */
export function ago(text) {
  if (missing(text)) return UNKNOWN;
  const seconds = (Date.now() - new Date(text).getTime()) / 1000;
  if (seconds < 60) return "just now";
  for (const [size, unit] of [[86400, "day"], [3600, "hour"], [60, "minute"]]) {
    if (seconds >= size) {
      const count = Math.floor(seconds / size);
      return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
    }
  }
  return "just now";
}

/** How far away a day is: today, in 12 days, 3 days ago. */
export function inDays(text) {
  if (missing(text)) return UNKNOWN;
  const start = (at) => new Date(at.getFullYear(), at.getMonth(), at.getDate());
  const at = new Date(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T12:00:00` : text);
  const days = Math.round((start(at) - start(new Date())) / 86_400_000);
  if (days === 0) return "today";
  const count = Math.abs(days), words = `${count} day${count === 1 ? "" : "s"}`;
  return days > 0 ? `in ${words}` : `${words} ago`;
}

/** `2026-11-21` of a Date, in this browser's zone. */
export const isoDay = (at) => `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")}`;

/** The date so many days from today in a zone, as text: days of figures are the tenant's, whatever zone the browser is in. */
export function dayIn(zone, days) {
  const parts = new Intl.DateTimeFormat("en", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" }).formatToParts(new Date());
  const part = (type) => Number(parts.find((one) => one.type === type).value);
  return new Date(Date.UTC(part("year"), part("month") - 1, part("day") + days)).toISOString().slice(0, 10);
}

/** The day that a bucket names, as the browser's own: plots then name it as the tenant does. */
export const bucketDay = (bucket) => new Date(`${bucket.slice(0, 10)}T00:00:00`);

export const spaced = (name) => String(name).replaceAll("_", " ");
