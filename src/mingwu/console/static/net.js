// The server: JSON requests, and the one live socket a page has, shared by its islands.

import { t } from "mingwu-console/dom.js";

export class Problem extends Error {
  constructor(message, next, status, code) {
    super(message);
    Object.assign(this, { next, status, code });
  }
}

/** GET (or `method` with `body`, JSON or a Blob) a path below /api; resolves to the JSON, rejects with a Problem. */
export async function api(path, { method = "GET", body, signal } = {}) {
  let response;
  const raw = body instanceof Blob;
  try {
    response = await fetch("/api" + path, {
      method, signal,
      headers: body && !raw ? { "Content-Type": "application/json" } : {},
      body: body && !raw ? JSON.stringify(body) : body,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(t("error.network"), t("error.network.next"), 0, "network");
  }
  if (response.status === 401 && path !== "/session") {
    if (live.ended) return new Promise(() => {}); // the page is being left
    await loggedInAgain(); // nothing was done: the same once more
    return api(path, { method, body, signal });
  }
  const data = await response.json().catch(() => null);
  if (!response.ok) {
    throw new Problem(data?.message ?? `HTTP ${response.status}`, data?.next ?? "", response.status, data?.code);
  }
  return data;
}

/** Resolves when the person of this page has a session again; what stands on the page stays. */
async function loggedInAgain() {
  const { logInAgain } = await import("mingwu-console/relogin.js");
  return logInAgain();
}

const QUIET_MS = 25000; // the server says something at least every 10 s

class Live {
  constructor() {
    this.wants = new Map(); // id -> {subscribe, fn}
    this.topics = new Map(); // server topic -> id
    this.listeners = new Set();
    this.state = "wait";
    this.next = 1;
    this.wait = 500;
    this.offset = 0; // server clock minus ours, ms
    this.ended = false;
  }

  now() {
    return Date.now() + this.offset;
  }

  /** The person logs out: nothing more is wanted. */
  end() {
    this.ended = true;
    this.wants.clear();
    this.socket?.close();
  }

  onState(fn) {
    this.listeners.add(fn);
    fn(this.state);
  }

  #say(state) {
    if (state === this.state) return;
    this.state = state;
    for (const fn of this.listeners) fn(state);
  }

  /** Watch tag numbers or a named document; fn gets each frame. Returns a function that ends it. */
  watch(subscribe, fn) {
    const id = this.next++;
    this.wants.set(id, { subscribe, fn });
    this.#open();
    if (this.socket?.readyState === WebSocket.OPEN) this.#ask(id);
    return () => {
      this.wants.delete(id);
      for (const [topic, owner] of this.topics) {
        if (owner !== id) continue;
        this.topics.delete(topic);
        if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ unsubscribe: topic }));
      }
    };
  }

  #ask(id) {
    this.socket.send(JSON.stringify({ subscribe: this.wants.get(id).subscribe, id }));
  }

  #open() {
    if (this.socket && this.socket.readyState <= WebSocket.OPEN) return;
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/live`);
    this.socket = socket;
    socket.onopen = () => {
      this.wait = 500;
      this.topics.clear();
      this.early = [];
      for (const id of this.wants.keys()) this.#ask(id);
      this.#say("on");
      this.#watchdog();
    };
    socket.onmessage = (event) => this.#take(JSON.parse(event.data));
    socket.onclose = (event) => {
      clearTimeout(this.quiet);
      this.#say("off");
      if (event.code === 4401 && this.wants.size) {
        loggedInAgain().then(() => this.#open());
        return;
      }
      setTimeout(() => this.wants.size && this.#open(), this.wait * (0.75 + Math.random() / 2));
      this.wait = Math.min(this.wait * 2, 10000);
    };
  }

  #watchdog() {
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => this.socket.close(), QUIET_MS);
  }

  #take(frame) {
    this.#watchdog();
    if (frame.t) this.offset = frame.t - Date.now();
    if (frame.k === "ok") {
      if (this.wants.has(frame.id)) this.topics.set(frame.topic, frame.id);
      else this.socket.send(JSON.stringify({ unsubscribe: frame.topic }));
    } else if (frame.k === "error") {
      console.warn("live:", frame.message);
    } else if (frame.topic !== undefined) {
      this.wants.get(this.topics.get(frame.topic))?.fn(frame);
    }
  }
}

export const live = new Live();

/** Watch tags; fn(number, {v, ms, q}) for each that changed. `done(frame)` after each frame. */
export function watchTags(numbers, fn, done) {
  if (!numbers.length) return () => {};
  return live.watch([...numbers], (frame) => {
    for (let i = 0; i < frame.n.length; i++) {
      const number = frame.n[i];
      fn(number, { v: frame.x?.[number] ?? frame.v[i], ms: frame.ms[i], q: frame.q[i] });
    }
    done?.(frame);
  });
}

/** Watch a document (`status`, `gateway.gw1`); fn(document, frame). */
export const watchDocument = (name, fn) => live.watch(name, (frame) => fn(frame.doc, frame));
