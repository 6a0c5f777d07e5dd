// The running state of a machine, followed from its live tags by the rule the API gave.

import { status } from "mingwu-console/format.js";

const CODES = ["idle", "running", "fault", "setup"];
const WORDS = [
  [/fault|alarm|error|emergency/i, "fault"],
  [/run|active|auto|execut|cutting/i, "running"],
  [/set.?up|changeover|manual|jog/i, "setup"],
  [/stop|halt|interrupt/i, "stopped"],
  [/idle|ready|wait|standby|feed.?hold/i, "idle"],
];

/** Tag numbers the rule looks at. */
export const ruleTags = (rule) => (rule ? Object.values(rule).filter((number) => number !== null) : []);

/** idle, running, fault, setup, stopped, offline, online or unknown. `heard`: number -> {v, ms, q}. */
export function runState(rule, heard, others = []) {
  const numbers = rule ? ruleTags(rule) : others;
  const known = numbers.map((number) => heard.get(number)).filter((one) => one?.ms);
  if (!known.length) return "unknown";
  if (known.every((one) => status(one.q) === "bad")) return "offline";
  if (!rule) return "online";
  const value = (number) => (number === null ? undefined : heard.get(number)?.v);
  if (value(rule.alarm) === 1) return "fault";
  const code = value(rule.code);
  if (typeof code === "number") return CODES[code] ?? "unknown";
  const word = value(rule.word);
  if (typeof word === "string") return WORDS.find(([pattern]) => pattern.test(word))?.[1] ?? "unknown";
  const running = value(rule.running);
  return running === undefined || running === null ? "online" : running ? "running" : "idle";
}
