// Numbers, ages, times and the quality byte, in the reader's language.

import { lang, t } from "mingwu-console/dom.js";

const locale = lang === "zh" ? "zh-CN" : "en-GB";
const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const fixed = [0, 1, 2, 3, 4].map(
  (digits) => new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits }),
);

export const count = (value) => whole.format(value);

/** Digits a tag needs so that its range is told to about one part in a thousand. */
function digitsFor(tag, value) {
  const span = tag.low !== null && tag.high !== null && tag.high > tag.low ? tag.high - tag.low : Math.abs(value);
  if (span >= 1000) return 0;
  if (span >= 50) return 1;
  if (span >= 1) return 2;
  return 3;
}

/** A value as people read it: by type and range. null shows a dash. */
export function shown(tag, value) {
  if (value === null || value === undefined) return "—";
  if (typeof value === "string") return value;
  if (tag.type === "bool") return t(value ? "yes" : "no");
  if (tag.type === "int") return whole.format(value);
  if (value !== 0 && Math.abs(value) >= 1e9) return value.toExponential(3);
  return fixed[digitsFor(tag, value)].format(value);
}

export function plain(value, digits = 1) {
  return fixed[Math.min(digits, 4)].format(value);
}

/** Where a value lies in its tag's range, 0..1, or null. */
export function share(tag, value) {
  if (typeof value !== "number" || tag.low === null || tag.high === null || tag.high <= tag.low) return null;
  return (value - tag.low) / (tag.high - tag.low);
}

/** An age in its largest whole unit. */
export function age(seconds) {
  if (seconds === null || seconds === undefined) return "—";
  if (seconds < 1.5) return t("age.now");
  if (seconds < 90) return t("age.s", { n: Math.round(seconds) });
  if (seconds < 5400) return t("age.m", { n: Math.round(seconds / 60) });
  if (seconds < 129600) return t("age.h", { n: Math.round(seconds / 3600) });
  return t("age.d", { n: Math.round(seconds / 86400) });
}

export function period(ms) {
  if (ms < 1000) return `${ms} ms`;
  return ms < 60000 ? `${plain(ms / 1000, ms % 1000 ? 1 : 0)} s` : `${plain(ms / 60000, 0)} min`;
}

export function bytes(value) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${plain(value, at && value < 100 ? 1 : 0)} ${units[at]}`;
}

const timeOnly = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const full = new Intl.DateTimeFormat(locale, {
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
export const clock = (ms) => timeOnly.format(ms);
export const moment = (ms) => full.format(ms);

export const SIMULATED = 0x20;

/** good, uncertain or bad, from the quality byte. */
export function status(quality) {
  const bits = quality & 0xc0;
  return bits === 0xc0 ? "good" : bits === 0x40 ? "uncertain" : "bad";
}

const REASONS = [
  "none", "not_connected", "device_failure", "timeout", "malformed", "out_of_range", "not_a_number", "bad_address",
  "access_denied", "out_of_service", "last_known", "time_suspect", "server_status", "initialising", "substituted",
  "busy", "conversion",
];
export const reason = (quality) => t("reason." + (REASONS[quality & 0x1f] ?? "device_failure"));

/** The state of a tag: its status, or never/stale by its age. `heard` is {ms, q} or null. */
export function tagState(tag, heard, now) {
  if (!heard || !heard.ms) return "never";
  const said = status(heard.q);
  if (said === "bad") return "bad";
  const limit = tag.stale_s ?? 3600;
  return (now - heard.ms) / 1000 > limit ? "stale" : said;
}
