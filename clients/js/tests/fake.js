/** A TicketHub of a few lines: enough of the protocol to be a client's other side, and as unkind as a test wants. */

import { TicketHub } from "../tickethub.js";

export const USER = "u1";
const LISTS = {
  "memberships/": "membership",
  "statuses/": "status",
  "labels/": "label",
  "tasks/": "task",
  "relations/": "relation",
  "comments/": "comment",
};

export const tasks = () => ({ t1: { id: "t1", title: "One" }, t2: { id: "t2", title: "Two" } });

export const answer = (status, body, headers) =>
  new Response(typeof body === "string" ? body : JSON.stringify(body ?? {}), { status, headers });

/** What it holds, its log, and who follows it. */
class Project {
  log = [];
  lines = new Set();

  constructor(key) {
    this.id = `id-of-${key}`;
    this.key = key;
    this.rows = { project: { [this.id]: { id: this.id, key, role: "owner" } } };
    for (const thing of Object.values(LISTS)) this.rows[thing] = {};
    this.rows.task = tasks();
  }

  get cursor() {
    return `${this.log.length}.x`;
  }
}

/** Both ends of a WebSocket: the client uses what a browser's has, the server `say` and `shut`. */
class FakeSocket {
  closeCode = null;

  constructor(server, url) {
    this.server = server;
    this.url = url;
    setImmediate(() => {
      if (server.isAway) return this.onerror?.({});
      server.lines.push(this);
      this.number = server.lines.length;
      this.onopen?.({});
    });
  }

  send(text) {
    setImmediate(() => this.closeCode ?? this.server.hear(this, JSON.parse(text)));
  }

  close(code) {
    this.closeCode ??= code;
    this.server.drop(this);
  }

  say(frame) {
    this.sayText(JSON.stringify(frame));
  }

  sayText(data) {
    setImmediate(() => this.onmessage?.({ data }));
  }

  shut(code) {
    this.server.drop(this);
    setImmediate(() => this.onclose?.({ code }));
  }
}

/** `valid` are the access tokens that are let in. `heard` are the frames that came, each with its line's number. */
export class FakeServer {
  url = "http://fake";
  projects = [new Project("DEMO"), new Project("OTHER")];
  project = this.projects[0];
  valid = new Set(["a0"]);
  refreshes = new Set(["r0"]);
  lifetime = 600_000;
  lines = [];
  heard = [];
  requests = [];
  answers = []; // responses or errors that the next requests get, in place of the usual ones
  refusals = []; // frames that the next subscriptions get, in place of `subscribed`
  issued = {};
  isAway = false;
  loading = Promise.resolve(); // lists are answered after it

  constructor() {
    const server = this;
    this.WebSocket = class extends FakeSocket {
      constructor(url) {
        super(server, url);
      }
    };
  }

  /** Answer no list until what this gives is called. */
  holdLists() {
    let release;
    this.loading = new Promise((resolve) => {
      release = resolve;
    });
    return release;
  }

  get line() {
    return this.lines.at(-1);
  }

  // --- REST ---

  fetch = async (address, init) => {
    const url = new URL(address);
    const path = url.pathname.replace("/api/v1/", "");
    const request = { path, url, ...init, json: init.body && JSON.parse(init.body) };
    this.requests.push(request);
    init.signal?.throwIfAborted();
    if (this.answers.length) {
      const next = this.answers.shift();
      if (next instanceof Error) throw next;
      return next;
    }
    if (path.startsWith("auth/token/")) return this.issue(path, request.json);
    await this.loading;
    init.signal?.throwIfAborted();
    if (!this.valid.has(init.headers.get("Authorization")?.replace("Bearer ", ""))) {
      return answer(401, { detail: "No.", code: "token_not_valid" });
    }
    return this.rest(path, url.searchParams);
  };

  async issue(path, { refresh, email, password }) {
    this.issued[path] = (this.issued[path] ?? 0) + 1;
    if (!this.refreshes.has(refresh) && !(email === "ada@example.org" && password === "secret")) {
      return answer(401, { detail: "No.", code: "no_active_account" });
    }
    const number = Object.values(this.issued).reduce((sum, one) => sum + one);
    this.refreshes = new Set([`r${number}`]);
    this.valid.add(`a${number}`);
    return answer(200, { access: `a${number}`, refresh: `r${number}` });
  }

  rest(path, params) {
    if (path.startsWith("projects/")) {
      const project = this.find(path.split("/")[1]);
      return answer(200, project.rows.project[project.id]);
    }
    const rows = Object.values(this.find(params.get("project")).rows[LISTS[path]]);
    const offset = Number(params.get("offset"));
    const end = offset + Number(params.get("limit"));
    return answer(200, { next: end < rows.length ? "more" : null, results: rows.slice(offset, end) });
  }

  find(name) {
    return this.projects.find(({ id, key }) => name === id || name === key);
  }

  // --- The WebSocket ---

  hear(line, frame) {
    this.heard.push([line.number, frame]);
    this[`on_${frame.type}`]?.(line, frame);
  }

  drop(line) {
    for (const project of this.projects) project.lines.delete(line);
  }

  on_authenticate(line, { token }) {
    if (this.valid.has(token)) {
      line.say({ type: "authenticated", user: USER, expires_at: new Date(Date.now() + this.lifetime).toISOString() });
    } else {
      line.say({ type: "error", code: "token_not_valid", detail: "No." });
      line.shut(4401);
    }
  }

  on_subscribe(line, { project: name, after, ref }) {
    const project = this.find(name);
    if (this.refusals.length) return line.say({ ref, ...this.refusals.shift() });
    const cursor = after ?? project.cursor;
    line.say({ type: "subscribed", project: project.id, cursor, ref, news: "unknown" });
    project.lines.add(line);
    for (const event of project.log.slice(parseInt(cursor))) this.tell(line, event);
  }

  on_unsubscribe(line, { project: name }) {
    const project = this.find(name);
    project.lines.delete(line);
    line.say({ type: "unsubscribed", project: project.id, reason: "requested" });
  }

  tell(line, event) {
    line.say({ ...event, type: "event", event: event.type });
  }

  /** Change the rows and the log, without a word on the lines. */
  write(type, id, fields = {}, project = this.project) {
    const [thing, verb] = type.split(".");
    const object = verb === "deleted" ? null : { id, ...fields };
    if (object) project.rows[thing][id] = object;
    else delete project.rows[thing][id];
    const seq = project.log.length + 1;
    const event = { project: project.id, seq, cursor: `${seq}.x`, type, id, object };
    project.log.push(event);
    return event;
  }

  emit(type, id, fields, project = this.project) {
    const event = this.write(type, id, fields, project);
    for (const line of project.lines) this.tell(line, event);
    return event;
  }

  /** What clients said of this type. */
  frames(type) {
    return this.heard.map(([, frame]) => frame).filter((frame) => frame.type === type);
  }
}

/** A logger that keeps all words, as one text. */
export class Log {
  text = "";
  info = this.warn = this.error = (...words) => {
    this.text += `${words.map((word) => word?.stack ?? word).join(" ")}\n`;
  };
}

export function hubOf(server, options) {
  const { url, fetch, WebSocket } = server;
  return new TicketHub(url, { fetch, WebSocket, access: "a0", refresh: "r0", logger: new Log(), ...options });
}

/** Let everything happen that needs no time. */
export async function settle() {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}

export async function until(condition, milliseconds = 3000) {
  const deadline = performance.now() + milliseconds;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Not in time: ${condition}`);
    await new Promise(setImmediate);
  }
}
