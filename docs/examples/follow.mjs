// Follow a project of TicketHub live and keep a replica of its tasks.
//
//     node follow.mjs http://localhost:8000 EMAIL PASSWORD PROJECT-KEY
//
// Node 22 and browsers bring WebSocket; on Node 20, `npm install ws` first.

const WebSocket = globalThis.WebSocket ?? (await import("ws")).WebSocket;

const SILENCE = 60_000; // milliseconds; the server pings at least every 30 s, so a longer silence means a dead line
const LONGEST_WAIT = 30_000; // milliseconds between two attempts to connect

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What trying again will not mend. */
class Final extends Error {}

/** REST, with tokens that are renewed by refreshing, and by logging in where that fails. */
class Api {
  constructor(base, email, password) {
    this.base = `${base}/api/v1/`;
    this.credentials = { email, password };
    this.access = this.refresh = null;
  }

  /** Give the answer, after waiting where the server asks for that. */
  async send(method, path, body) {
    for (;;) {
      const headers = { "Content-Type": "application/json" };
      if (method === "GET") headers.Authorization = `Bearer ${this.access}`;
      const options = { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(30_000) };
      const answer = await fetch(this.base + path, options);
      if (answer.status !== 429 && answer.status !== 503) return answer;
      await sleep(1000 * (answer.headers.get("Retry-After") ?? 5));
    }
  }

  /** Give a new access token. */
  async renew() {
    let answer = this.refresh && (await this.send("POST", "auth/token/refresh/", { refresh: this.refresh }));
    if (!answer || answer.status === 401) {
      answer = await this.send("POST", "auth/token/", this.credentials);
      if (answer.status === 401) throw new Final("Wrong email or password.");
    }
    if (!answer.ok) throw new Error(`No token: ${answer.status}`);
    ({ access: this.access, refresh: this.refresh } = await answer.json());
    return this.access;
  }

  /**
   * Give a whole list by id, missing none that is there all the while.
   *
   * Rows that are deleted meanwhile make later ones slip forward, over the edge of a page. So each page has to begin
   * with a row that is known from the one before; where it does not, go back a little.
   */
  async load(path, filters) {
    const rows = new Map();
    for (let offset = 0; ; ) {
      const answer = await this.send("GET", `${path}?${new URLSearchParams({ ...filters, limit: 100, offset })}`);
      if (!answer.ok) throw new Error(`${path} gave ${answer.status}`);
      const { results, next } = await answer.json();
      if (offset && !(results.length && rows.has(results[0].id))) {
        offset = Math.max(0, offset - 50);
        continue;
      }
      for (const row of results) rows.set(row.id, row);
      if (!next) return rows;
      offset += results.length - 1;
    }
  }
}

/** One connection: gives each frame to `onFrame`, and tells `onEnd` once why it is over. Its timers end with it. */
class Line {
  alive = true;
  timers = {};

  constructor(address, onFrame, onEnd) {
    this.onEnd = onEnd;
    this.socket = new WebSocket(address);
    this.expectFrame();
    this.socket.onmessage = ({ data }) => {
      if (!this.alive) return;
      this.expectFrame();
      this.attempt(() => onFrame(JSON.parse(data), this));
    };
    this.socket.onerror = ({ message }) => this.end(new Error(message || "no connection")); // not all let a close follow
    this.socket.onclose = ({ code }) => this.end(Object.assign(new Error(`closed with ${code}`), { code }));
  }

  expectFrame() {
    this.later("silence", SILENCE, () => this.end(new Error("silence")));
  }

  send(frame) {
    if (this.alive) this.socket.send(JSON.stringify(frame));
  }

  /** Do something in a while, in place of what was planned under this name. */
  later(name, milliseconds, act) {
    clearTimeout(this.timers[name]);
    this.timers[name] = setTimeout(() => this.attempt(act), milliseconds);
  }

  /** Do something; if it fails, the line is over. */
  async attempt(act) {
    try {
      await act();
    } catch (error) {
      this.end(error);
    }
  }

  end(reason) {
    if (!this.alive) return;
    this.alive = false;
    Object.values(this.timers).forEach(clearTimeout);
    this.socket.close();
    this.onEnd(reason);
  }
}

/** A replica of a project's tasks, and the line that keeps it so. */
class Follower {
  tasks = new Map();
  cursor = null; // where the replica stands; null: it has to be loaded
  held = null; // events that came while loading; null: not loading
  attempt = 0;

  constructor(base, api, project) {
    this.address = `${base.replace("http", "ws")}/ws/v1/`;
    this.api = api;
    this.project = project;
  }

  async run() {
    for (;;) {
      try {
        if (!this.api.access) await this.api.renew();
        await this.holdLine();
      } catch (error) {
        if (error instanceof Final) throw error;
        if (error.code === 4401) this.api.access = null; // the next attempt gets a new one
        console.log("The line is broken:", error.message);
      }
      await sleep(Math.random() * Math.min(LONGEST_WAIT, 1000 * 2 ** this.attempt));
      this.attempt = Math.min(this.attempt + 1, 10);
    }
  }

  /** Read one connection until it breaks, which rejects. */
  holdLine() {
    this.held = null;
    return new Promise((resolve, reject) => {
      const line = new Line(this.address, (frame) => this[`on_${frame.type}`]?.(frame, line), reject);
      line.socket.onopen = () => line.send({ type: "authenticate", token: this.api.access, ref: "first" });
    });
  }

  on_ping(frame, line) {
    line.send({ type: "pong" });
  }

  /** Extend the line in time; the answer is another `authenticated`. */
  on_authenticated({ ref, expires_at }, line) {
    const left = new Date(expires_at) - Date.now();
    line.later("renewal", left > 0 ? left * 0.8 : 10_000, async () => {
      line.send({ type: "authenticate", token: await this.api.renew() });
    });
    if (ref === "first") this.subscribe(line);
  }

  subscribe(line) {
    const after = this.cursor ? { after: this.cursor } : {};
    line.send({ type: "subscribe", project: this.project, ref: "subscribe", ...after });
  }

  /** Load the replica, unless there is one, then apply what happened meanwhile. Pings are answered all the while. */
  async on_subscribed({ cursor }, line) {
    this.attempt = 0;
    if (this.cursor) {
      console.log("Resumed at", this.cursor);
      return;
    }
    this.held = [];
    const tasks = await this.api.load("tasks/", { project: this.project });
    if (!line.alive) return;
    this.tasks = tasks;
    this.cursor = cursor;
    console.log(`Loaded ${tasks.size} tasks at ${cursor}`);
    const held = this.held;
    this.held = null;
    for (const event of held) this.apply(event);
  }

  on_event(event) {
    if (this.held) this.held.push(event);
    else this.apply(event);
  }

  /** Put the object in place of the one before, or take it away. The cursor moves with the replica. */
  apply(event) {
    const [thing, verb] = event.event.split(".");
    if (thing === "task") {
      const task = event.object ?? this.tasks.get(event.id);
      if (verb === "deleted") this.tasks.delete(event.id);
      else this.tasks.set(event.id, event.object);
      console.log(event.at, verb, task?.key, JSON.stringify(event.changes));
    }
    this.cursor = event.cursor;
  }

  on_resync(frame, line) {
    console.log("The log no longer reaches back to the cursor: loading anew");
    this.cursor = null;
    this.subscribe(line);
  }

  on_unsubscribed({ reason }) {
    throw new Final(`Nothing more will come: ${reason}`);
  }

  on_error({ code, detail, ref }) {
    if (code === "not_found") throw new Final(detail);
    if (ref) throw new Error(detail); // an answer to what was sent above: begin again
    console.log("The server says:", detail); // and then closes the line
  }
}

const [base, email, password, project] = process.argv.slice(2);
const address = base.replace(/\/+$/, "");
try {
  await new Follower(address, new Api(address, email, password), project).run();
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
