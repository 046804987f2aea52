// Numbers, times and ids as people read them.
import { h } from "./dom.js";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export function count(value) {
  if (!Number.isFinite(value)) return "–";
  return Math.abs(value) < 100_000 ? whole.format(value) : short.format(value);
}

export function rate(value) {
  if (!Number.isFinite(value)) return "–";
  if (value !== 0 && value < 10) return value.toFixed(1);
  return count(value);
}

/** `340 ms`, `2.4 s`, `3 min 12 s`, `2 h 5 min`, `4 d 3 h`. */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 0) return "0 s";
  if (seconds === 0) return "0 s";
  if (seconds < 0.00995) return `${(seconds * 1_000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1_000)} ms`;
  if (seconds < 59.5) return `${seconds < 9.95 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const all = Math.round(seconds);
  if (all < 3_600) return pair(Math.floor(all / 60), "min", all % 60, "s");
  if (all < 86_400) return pair(Math.floor(all / 3_600), "h", Math.floor((all % 3_600) / 60), "min");
  return pair(Math.floor(all / 86_400), "d", Math.floor((all % 86_400) / 3_600), "h");
}

function pair(large, largeUnit, small, smallUnit) {
  return small ? `${large} ${largeUnit} ${small} ${smallUnit}` : `${large} ${largeUnit}`;
}

export function bytes(value) {
  if (!Number.isFinite(value)) return "–";
  if (value < 1_000) return `${value} B`;
  for (const unit of ["kB", "MB", "GB"]) {
    value /= 1_000;
    if (value < 999.5 || unit === "GB") return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${unit}`;
  }
}

/** `1:05.2`: a place in a recording. */
export function place(seconds) {
  const tenths = Math.max(0, Math.round(seconds * 10));
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}

/** Seconds since 1970; NaN: there is no such time. */
export function seconds(time) {
  return time ? Date.parse(time) / 1_000 : NaN;
}

/** By the gateway's clock, if this machine's is far from it. */
export function now() {
  return Date.now() / 1_000 - ahead;
}

let ahead = 0;

/** @param date the header of an answer; it has whole seconds, and was some time on the way */
export function setClock(date) {
  const difference = Date.now() / 1_000 - seconds(date);
  if (Number.isFinite(difference)) ahead = Math.abs(difference) > 3 ? difference : 0;
}

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" });

/** A time as `14:03:22`, with the day if it is not today. */
export function time(text) {
  const at = new Date(text ?? NaN);
  if (Number.isNaN(at.getTime())) return "–";
  const today = at.toDateString() === new Date().toDateString();
  return h("time", { datetime: at.toISOString(), title: full.format(at) }, today ? clock.format(at) : `${day.format(at)}, ${clock.format(at)}`);
}

/** The link to a job or a request. The end of an id tells them apart; the rest is dim, and not shown on a phone. */
export function idLink(kind, id) {
  const text = String(id);
  return h("a", { class: "id", href: `#/${kind}/${encodeURIComponent(text)}`, "data-focus": `${kind}${text}` },
    h("span", { class: "head" }, text.slice(0, -8)), text.slice(-8));
}

/** A state as a word with its mark: never colour alone. */
export function state(word) {
  const known = /^[a-z_]{1,20}$/.test(word ?? "") ? word : "unknown";
  return h("span", { class: `state ${known}` }, known);
}
