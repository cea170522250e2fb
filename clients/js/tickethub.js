/**
 * A client of TicketHub for browsers and Node: REST with tokens that renew themselves, and live replicas of projects.
 *
 *     const hub = new TicketHub("http://localhost:8000", { email: "ada@example.org", password: "…" });
 *     const replica = hub.follow("DEMO");
 *     await replica.ready();
 *     for await (const { kind, event } of replica.changes()) console.log(kind, event?.type);
 *
 * One file without dependencies. What the server promises stands in docs/realtime.md.
 */

const LISTS = {
  membership: "memberships/",
  status: "statuses/",
  label: "labels/",
  task: "tasks/",
  relation: "relations/",
  comment: "comments/",
};
export const THINGS = Object.freeze(["project", ...Object.keys(LISTS)]);
const HANGS_ON_TASK = { comment: ["task"], relation: ["source", "target"] }; // and is deleted with it, without an event
const KEPT_WHEN_ENDED = ["requested", "signed_out"]; // reasons that leave the replica as it was

const PAGE = 100; // rows
const BACKLOG = 10_000; // changes that wait for a slow reader
const BODILESS = [204, 304]; // statuses of which no Response may be made with a body, though browsers give one to read
const BROKEN = 1006; // the close code of a line that broke

// All times are in milliseconds.
const TIMEOUT = 30_000; // for a server to begin its answer, and to go on with it
const IMPORTING = 600_000; // the same for an import, which answers when all is written
const OPENING = 10_000; // for a line to open
const SILENCE = 60_000; // the server pings at least every 30 s, so a line that is silent for longer is dead
const ANSWERING = 30_000; // for the answer to a subscription, without which a line is no better than dead
const LAST_WORDS = 1000; // for the close code to come after an error
const LONGEST_WAIT = 30_000; // between two attempts
const LIMITED_WAIT = 60_000; // to stay away after too many messages
const DEFAULT_RETRY_AFTER = 5000; // where a 429 or a 503 does not say
const RENEW_AGAIN = 60_000; // where a token could not be renewed, or its end is past or near by this computer's clock
const SOON = 10_000;
const LONGEST_TIMER = 2 ** 31 - 1; // a longer one would fire at once

// What a failed fetch says where nothing was sent. Browsers do not tell.
const UNSENT = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"];

const QUIET = { info() {}, warn: (...words) => console.warn(...words), error: (...words) => console.error(...words) };

/** An answer with a status of 400 or more: `code` is for the program, `detail` for a person, `body` is all it said. */
export class ApiError extends Error {
  name = "ApiError";

  constructor(status, code, detail, body, response) {
    super(`${status} ${code}: ${detail}`);
    Object.assign(this, { status, code, detail, body });
    Object.defineProperty(this, "response", { value: response }); // left out where the error is printed
  }

  static async of(response) {
    const text = await response.text();
    let body = null;
    try {
      body = JSON.parse(text);
    } catch {
      // not ours: a proxy's
    }
    const detail = body?.detail ?? `The server answered ${response.status}.`; // a page of HTML is for nobody to read
    return new this(response.status, body?.code ?? "error", detail, body, response);
  }
}

/** No token is to be had: the refresh token was refused, and there are no credentials or they were refused too. */
export class SignedOut extends ApiError {
  name = "SignedOut";
}

/** The project is followed no longer, for this `reason`, and never was loaded. */
export class Ended extends Error {
  name = "Ended";

  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

/** How long to wait after so many failures in a row, by chance, so that clients do not come back all at once. */
function backoff(attempt) {
  return Math.random() * Math.min(LONGEST_WAIT, 1000 * 1.5 ** attempt);
}

/** How long to wait before asking again, as the server says. */
function retryAfter(response) {
  const seconds = parseFloat(response.headers.get("Retry-After"));
  return Math.max(100, Number.isNaN(seconds) ? DEFAULT_RETRY_AFTER : 1000 * seconds);
}

/** Wait, but not longer than until one of the signals aborts. */
function sleep(milliseconds, ...signals) {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, Math.min(milliseconds, LONGEST_TIMER));
    for (const signal of signals) signal?.addEventListener("abort", wake);
    if (signals.some((signal) => signal?.aborted)) wake();
  });
}

/** Give what a promise gives; where it takes longer, abort what it waits for. */
async function within(milliseconds, controller, promise) {
  const timeout = AbortSignal.timeout(Math.min(milliseconds, LONGEST_TIMER));
  const stop = () => controller.abort(timeout.reason);
  timeout.addEventListener("abort", stop);
  try {
    return await promise;
  } finally {
    timeout.removeEventListener("abort", stop);
  }
}

/** The same answer, whose body fails where no more of it comes for so long. It may take any time in all. */
function watched(response, milliseconds, controller) {
  if (BODILESS.includes(response.status) || !response.body?.getReader) return response; // as that of another `fetch`
  const reader = response.body.getReader();
  const body = new ReadableStream({
    async pull(stream) {
      const { done, value } = await within(milliseconds, controller, reader.read());
      if (done) stream.close();
      else stream.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
  return Object.defineProperty(new Response(body, response), "url", { value: response.url });
}

/** A promise and what resolves it. */
function deferred() {
  let resolve;
  const promise = new Promise((act) => {
    resolve = act;
  });
  return { promise, resolve };
}

/** Give what a map holds under a key, and remove it. */
function take(map, key) {
  const value = map.get(key);
  map.delete(key);
  return value;
}

/** All of them, from one by chance on. */
function shuffled(items) {
  const start = Math.floor(Math.random() * items.length);
  return [...items.slice(start), ...items.slice(0, start)];
}

/** What only this login knows: with it a refresh whose answer was lost may be sent again. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** REST as one person. What begins with an underscore is for the classes of this file. */
class Rest {
  #access;
  #refresh;
  #key;
  #credentials;
  #onTokens;
  #shared;
  #fetch;
  #longestWait;
  #renewal = null;

  constructor(
    url,
    {
      email,
      password,
      access,
      refresh,
      key,
      onTokens,
      shared,
      longestWait = Infinity,
      fetch = globalThis.fetch,
      logger = QUIET,
    } = {},
  ) {
    this._urls = [url].flat().map((one) => one.replace(/\/+$/, ""));
    this._logger = logger;
    this._closing = new AbortController();
    this.#credentials = email && { email, password };
    this.#access = access;
    this.#refresh = refresh;
    this.#key = key ?? newKey();
    this.#onTokens = onTokens;
    this.#shared = shared;
    this.#fetch = fetch;
    this.#longestWait = 1000 * longestWait;
  }

  /**
   * Give the Response of a path below /api/v1/. Renews the token at 401 and waits at 429 and 503, all in all no longer
   * than `longestWait`. Throws ApiError for any other status from 400 on, and what `fetch` throws where no server could
   * be reached or an answer was lost.
   */
  async request(method, path, options = {}) {
    const needsToken = path === "auth/password/change/" || !path.startsWith("auth/");
    const isSigned = needsToken && (this.#access || this._canRenew);
    const response = await (isSigned ? this.#sendSigned(method, path, options) : this.#send(method, path, options));
    if (response.status >= 400) throw await ApiError.of(response);
    return response;
  }

  /**
   * Give a whole list as {id: row}, missing no row that is there all the while.
   *
   * Rows that are deleted meanwhile make later ones slip forward, over the edge of a page. So each page has to begin
   * with a row that is known from the one before; where it does not, go back a little.
   */
  async load(path, filters = {}, { signal } = {}) {
    const rows = {};
    for (let offset = 0; ; ) {
      const params = { ...filters, limit: PAGE, offset };
      const { results, next } = await (await this.request("GET", path, { params, signal })).json();
      if (offset && !(results.length && results[0].id in rows)) {
        offset = Math.max(0, offset - PAGE / 2);
        continue;
      }
      for (const row of results) rows[row.id] = row;
      if (next === null) return rows;
      offset += results.length - 1;
    }
  }

  /** Log in by email and password. Throws SignedOut if there are none, or wrong ones. */
  async login() {
    if (!this.#credentials) {
      throw new SignedOut(401, "signed_out", "There is no email and password to log in with.", null, null);
    }
    const response = await this.#send("POST", "auth/token/", { json: this.#credentials });
    if ([400, 401, 403].includes(response.status)) throw await SignedOut.of(response);
    await this.#keepTokens(response);
  }

  /** Give an access token other than the stale one. Many who ask at once share one renewal: a refresh works once. */
  async token(stale) {
    if (!this.#access || this.#access === stale) {
      this.#renewal ??= (this.#shared ? this.#renewShared(stale) : this.#renew()).finally(() => {
        this.#renewal = null;
      });
      await this.#renewal;
    }
    return this.#access;
  }

  get _canRenew() {
    return Boolean(this.#refresh || this.#credentials || this.#shared);
  }

  /** Renew what all clients of this login share, one at a time; or take what another of them got. */
  #renewShared(stale) {
    return this.#shared.alone(async () => {
      const { access, refresh, key = this.#key } = this.#shared.read() ?? {};
      this.#access = access;
      this.#refresh = refresh;
      this.#key = key;
      if (!access || access === stale) await this.#renew();
    });
  }

  async #renew() {
    if (this.#refresh) {
      const json = { refresh: this.#refresh, idempotency_key: this.#key };
      const response = await this.#send("POST", "auth/token/refresh/", { json });
      if (![400, 401, 403].includes(response.status)) return this.#keepTokens(response);
      this.#refresh = null;
    }
    return this.login();
  }

  async #keepTokens(response) {
    if (!response.ok) throw await ApiError.of(response);
    const { access, refresh = this.#refresh } = await response.json();
    this.#access = access;
    this.#refresh = refresh;
    this.#key = newKey();
    this._call(this.#onTokens, access, refresh, this.#key);
  }

  async #sendSigned(method, path, options) {
    let token = await this.token();
    let response = await this.#send(method, path, options, token);
    // Of those that share a login another may have got a token that is over by now as well.
    for (let left = this.#shared ? 2 : 1; left && response.status === 401; left--) {
      token = await this.token(token);
      response = await this.#send(method, path, options, token);
    }
    return response;
  }

  async #send(method, path, { json, params = {}, headers, signal, timeout }, token) {
    const query = Object.entries(params).flatMap(([name, value]) => [value].flat().map((one) => [name, one]));
    const address = `/api/v1/${path}${query.length ? `?${new URLSearchParams(query)}` : ""}`;
    const init = { method, headers: new Headers(headers) };
    if (token) init.headers.set("Authorization", `Bearer ${token}`);
    if (json !== undefined) {
      init.headers.set("Content-Type", "application/json");
      init.body = JSON.stringify(json);
    }
    const patience = timeout === undefined ? (path.endsWith("/import/") ? IMPORTING : TIMEOUT) : 1000 * timeout;
    for (let left = this.#longestWait; ;) {
      const response = await this.#sendOnce(address, init, signal, patience);
      if (response.status !== 429 && response.status !== 503) return response;
      const wait = retryAfter(response);
      left -= wait;
      if (left < 0) return response;
      await sleep(wait * (1 + Math.random() / 4), signal, this._closing.signal); // by chance, or all come back at once
      this._closing.signal.throwIfAborted();
    }
  }

  /** Ask a server, and the next where that one cannot be reached and asking twice does no harm. */
  async #sendOnce(address, init, signal, patience) {
    const fetch = this.#fetch; // as a method of this object a browser would refuse to call it
    const urls = shuffled(this._urls);
    for (;;) {
      const stop = new AbortController();
      try {
        const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
        const asked = fetch(urls.shift() + address, { ...init, signal: both });
        return watched(await within(patience, stop, asked), patience, stop);
      } catch (error) {
        const mayRepeat = init.method === "GET" || UNSENT.includes(error.cause?.code);
        if (!urls.length || !mayRepeat) throw error;
      }
    }
  }

  /** Call what the application gave. Its failures are its own. */
  async _call(act, ...words) {
    try {
      await act?.(...words);
    } catch (error) {
      this._logger.error(`${act.name || "A function"} of the application failed:`, error);
    }
  }
}

/** One connection. `ended` gives its close code. Its timers and subscriptions end with it. */
class Line {
  isOpen = false;
  isLetIn = false;
  token = null;
  ofRef = new Map(); // replicas by the `ref` of a subscription that waits for its answer
  ofProject = new Map(); // replicas by the id of a project whose events come
  #socket;
  #timers = new Map();
  #deadline = Date.now() + OPENING; // by the clock, which goes on while the computer sleeps
  #ended = deferred();

  constructor(socket, onOpen, onText) {
    this.#socket = socket;
    socket.onopen = () => {
      this.isOpen = true;
      this.#deadline = Date.now() + SILENCE;
      onOpen(this);
    };
    socket.onmessage = ({ data }) => {
      this.#deadline = Date.now() + SILENCE;
      onText(this, data);
    };
    socket.onclose = ({ code }) => this.end(code);
    socket.onerror = () => this.later("error", this.isOpen ? LAST_WORDS : 0, () => this.end()); // not all close then
    this.#watch();
  }

  get ended() {
    return this.#ended.promise;
  }

  say(frame) {
    if (this.isOpen) this.#socket.send(JSON.stringify(frame));
  }

  /** Ask for what is answered with this `ref`, on behalf of a replica. */
  ask(ref, replica, frame) {
    this.ofRef.set(ref, replica);
    this.say({ ...frame, ref });
    this.later(ref, ANSWERING, () => this.end());
  }

  /** Give the replica on whose behalf the answered question was asked, undefined if there is none. */
  answered(ref) {
    clearTimeout(this.#timers.get(ref));
    this.#timers.delete(ref);
    return take(this.ofRef, ref);
  }

  /** Do something in a while, in place of what was planned under this name. */
  later(name, milliseconds, act) {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(act, Math.min(milliseconds, LONGEST_TIMER)));
  }

  /** Hear no more, and say goodbye. A dead line would be long in answering it, so nobody waits for that. */
  end(code = BROKEN) {
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.onerror = () => {};
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.isOpen = this.isLetIn = false;
    socket.close(1000);
    this.#ended.resolve(code);
  }

  /** End a line that fell silent. One timer looks now and then: one for each frame would cost more. */
  #watch() {
    const left = this.#deadline - Date.now();
    if (left <= 0) this.end();
    else this.later("silence", Math.min(left, OPENING), () => this.#watch());
  }
}

/**
 * A server of TicketHub, or several of one installation, as one person: REST, and one line for all live projects.
 *
 * `userId` is who was let in on the line; `closes` counts how often it closed with which code.
 */
export class TicketHub extends Rest {
  userId = null;
  closes = {};
  #replicas = new Set();
  #WebSocket;
  #line = null;
  #refusedToken = null;
  #refs = 0;
  #attempt = 0;
  #isRunning = false;
  #onLine;

  constructor(url, { WebSocket = globalThis.WebSocket, onLine, ...options } = {}) {
    super(url, options);
    this.#WebSocket = WebSocket;
    this.#onLine = onLine;
  }

  /** Whether the line is up, and let in. */
  get isConnected() {
    return this.#line?.isLetIn ?? false;
  }

  /** Give the Replica of a project, by id or key, which loads itself in the background. */
  follow(project, options = {}) {
    if (this._closing.signal.aborted) throw new Error("This TicketHub is closed");
    if (!this.#WebSocket) throw new Error("There is no WebSocket; Node 20 has one with --experimental-websocket");
    for (const { name, project: id } of this.#replicas) {
      if (project === name || project === id) throw new Error(`${project} is followed already`);
    }
    const replica = new Replica(this, project, options);
    this.#replicas.add(replica);
    if (this.#line) this.#subscribe(this.#line, replica);
    if (!this.#isRunning) this.#run();
    return replica;
  }

  /** Lose the line. It comes back by itself. */
  cut() {
    this.#line?.end();
  }

  /** End all replicas and the line. Nothing runs after that but requests that were sent. */
  async close() {
    this._closing.abort();
    this.#line?.end(1000);
    this.#endAll("requested");
  }

  // --- The line ---

  async #run() {
    this.#isRunning = true;
    while (this.#replicas.size) {
      let code;
      try {
        code = await this.#holdLine();
      } catch (error) {
        this._logger.warn("No line:", error);
        if (error instanceof SignedOut) this.#endAll("signed_out");
      }
      if (this.#replicas.size) await this.#pauseAfter(code);
    }
    this.#isRunning = false;
  }

  #pauseAfter(code) {
    if (code === 4429) return sleep(LIMITED_WAIT * (1 + Math.random() / 4), this._closing.signal);
    return this.#pause(backoff(this.#attempt++));
  }

  /** Wait, but in a browser not longer than until the network is back or somebody looks at the page. */
  async #pause(milliseconds) {
    const awake = new AbortController();
    const { signal } = awake; // ends the listening, too
    const { document } = globalThis;
    globalThis.addEventListener?.("online", () => awake.abort(), { signal });
    document?.addEventListener("visibilitychange", () => document.hidden || awake.abort(), { signal });
    await sleep(milliseconds, signal, this._closing.signal);
    awake.abort();
  }

  /** Keep one connection until it ends; give its close code. */
  async #holdLine() {
    const token = await this.token(this.#refusedToken);
    if (!this.#replicas.size) return undefined;
    const url = `${shuffled(this._urls)[0].replace(/^http/, "ws")}/ws/v1/`;
    let wasOpen = false;
    const onOpen = (line) => {
      wasOpen = true;
      this.#authenticate(line, token);
    };
    const line = new Line(new this.#WebSocket(url), onOpen, (...words) => this.#read(...words));
    this.#line = line;
    const code = await line.ended;
    this.#line = null;
    this._call(this.#onLine, false);
    if (wasOpen) this.closes[code] = (this.closes[code] ?? 0) + 1;
    if (code === 4401) this.#refusedToken = line.token;
    this._logger.info(wasOpen ? `The line was closed with ${code}` : "The line did not open");
    return code;
  }

  #authenticate(line, token) {
    line.token = token;
    line.say({ type: "authenticate", token });
  }

  #planRenewal(line, milliseconds) {
    line.later("renewal", milliseconds, () => this.#extend(line));
  }

  /** Extend the line in time; the answer is another `authenticated`. */
  async #extend(line) {
    try {
      const token = await this.token(line.token);
      if (line.isOpen) this.#authenticate(line, token);
    } catch (error) {
      this._logger.warn("The token could not be renewed:", error);
      if (error instanceof SignedOut) this._signOut();
      else if (line.isOpen) this.#planRenewal(line, backoff(4));
    }
  }

  #endAll(reason) {
    for (const replica of [...this.#replicas]) replica._end(reason);
  }

  #subscribe(line, replica) {
    if (!line.isLetIn || !this.#replicas.has(replica)) return;
    const after = replica._position ?? undefined;
    line.ask(String(++this.#refs), replica, { type: "subscribe", project: replica.project ?? replica.name, after });
  }

  // --- For the replicas ---

  _signOut() {
    this.#endAll("signed_out");
    this.#line?.end(1000);
  }

  /** Drop a replica that ended, and its subscription if there is one. */
  _forget(replica) {
    const { project } = replica;
    this.#replicas.delete(replica);
    if (this.#line?.ofProject.get(project) !== replica) return;
    this.#line.ofProject.delete(project);
    this.#line.say({ type: "unsubscribe", project });
  }

  // --- What the server says ---

  #read(line, text) {
    try {
      const frame = JSON.parse(text);
      this.#answers[frame.type]?.(line, frame); // types that are added to the protocol later are none of ours
    } catch (error) {
      this._logger.error("The line failed:", error);
      line.end();
    }
  }

  #answers = {
    ping(line) {
      line.say({ type: "pong" });
    },

    event(line, frame) {
      if (line.ofProject.get(frame.project)?._take(frame) === false) line.end();
    },

    authenticated: (line, frame) => {
      this.userId = frame.user;
      if (this._canRenew) {
        // Else the line lasts as long as the token.
        const left = Date.parse(frame.expires_at) - Date.now();
        this.#planRenewal(line, left > SOON ? left * 0.8 : RENEW_AGAIN);
      }
      if (line.isLetIn) return;
      line.isLetIn = true;
      this._call(this.#onLine, true);
      for (const replica of this.#replicas) this.#subscribe(line, replica);
    },

    subscribed: (line, { project, cursor, ref }) => {
      const replica = line.answered(ref);
      const other = line.ofProject.get(project);
      this.#attempt = 0;
      if (this.#replicas.has(replica) && (!other || other === replica)) {
        line.ofProject.set(project, replica);
        replica._begin(project, cursor);
      } else if (other) {
        // The same by another name: one subscription cannot serve both, and the older has lost it.
        replica?._end("duplicate");
        this.#subscribe(line, other);
      } else {
        line.say({ type: "unsubscribe", project }); // unfollowed meanwhile
      }
    },

    resync: (line, { project, ref }) => {
      const replica = line.answered(ref) ?? take(line.ofProject, project);
      replica?._startOver();
      this.#subscribe(line, replica);
    },

    unsubscribed: (line, { project, reason }) => {
      const replica = take(line.ofProject, project);
      if (reason === "requested") this.#subscribe(line, replica); // by one that followed the project before this one
      else replica?._end(reason);
    },

    error: (line, { code, detail, ref }) => {
      const replica = line.answered(ref);
      this._logger[replica ? "info" : "warn"](`The server says ${code}: ${detail}`);
      if (!replica) return;
      if (code === "not_found" || (code === "invalid" && !replica._position)) {
        replica._end("not_found");
        return;
      }
      if (code === "invalid") replica._startOver(); // this cursor never was one
      else if (code === "token_expired") this.#extend(line);
      line.later(`subscribe ${replica.name}`, backoff(++replica._attempt), () => this.#subscribe(line, replica));
    },
  };
}

// Not every browser has it yet.
if (Symbol.asyncDispose) TicketHub.prototype[Symbol.asyncDispose] = TicketHub.prototype.close;

/**
 * What one project holds, kept by events. Made by `TicketHub.follow`. It dispatches `change` events, whose `detail` is
 * a change as `changes()` gives it.
 *
 * `objects` is {thing: {id: object}} and stands at `cursor`: between two awaits both are of one moment, so save both
 * together. Objects are replaced, never changed. `seq` is the number of the last event applied, null before the first.
 * `gaps`, `duplicates`, `resyncs` and `resumes` count what the line did. `reason` says why it ended, null until then.
 */
export class Replica extends EventTarget {
  project = null;
  seq = null;
  reason = null;
  gaps = 0;
  duplicates = 0;
  resyncs = 0;
  resumes = 0;
  _attempt = 0;
  #hub;
  #load;
  #onEvent;
  #last = null; // number of what came last, be it applied or held
  #held = null; // events that came while loading; null: not loading
  #loading = null; // ends the loading
  #queues = new Set();
  #settled = deferred();
  #over = deferred();
  #wasReady = false;

  constructor(hub, name, { things = THINGS, cursor = null, objects, load, onEvent }) {
    super();
    this.#hub = hub;
    this.name = name;
    this.cursor = this._position = cursor; // `_position` is where what came last stands, be it applied or held
    this.objects = copy(objects ?? {}, things);
    this.#load = load ?? ((...where) => loadProject(...where, things));
    this.#onEvent = onEvent;
  }

  /** Wait until the replica is loaded and live. Throws Ended if it ends before. */
  async ready() {
    await this.#settled.promise;
    if (!this.#wasReady) throw new Ended(this.reason);
  }

  /**
   * Wait for the end; give the reason.
   *
   * It is `access_revoked`, `deleted`, `not_found` (these empty the replica), `requested`, `signed_out`, or `duplicate`
   * for a project that is followed by another name already.
   */
  ended() {
    return this.#over.promise;
  }

  /**
   * Iterate over all changes from now on; the last is `ended`.
   *
   * A reader who falls 10,000 changes behind gets one `loaded` with the reason `overflow` in place of them: the replica
   * is right, but what led to it is skipped. `onEvent` and listeners skip nothing.
   */
  changes() {
    const queue = { changes: [], news: deferred() };
    this.#queues.add(queue);
    if (this.reason) this.#put(queue, { kind: "ended", reason: this.reason });
    return this.#read(queue);
  }

  /** Follow no longer. The objects stay as they are. */
  unfollow() {
    this._end("requested");
  }

  async *#read(queue) {
    try {
      for (let kind; kind !== "ended"; ) {
        while (!queue.changes.length) await queue.news.promise;
        const change = queue.changes.shift();
        ({ kind } = change);
        yield change;
      }
    } finally {
      this.#queues.delete(queue);
    }
  }

  #put(queue, change) {
    if (queue.changes.length < BACKLOG || change.kind === "ended") queue.changes.push(change);
    else queue.changes = [{ kind: "loaded", reason: "overflow" }];
    queue.news.resolve();
    queue.news = deferred();
  }

  #tell(change) {
    if (this.reason && change.kind !== "ended") return;
    for (const queue of this.#queues) this.#put(queue, change);
    this.dispatchEvent(new CustomEvent("change", { detail: change }));
  }

  // --- For the hub ---

  /** Go on: the server will send what comes after the cursor. Load what was before, unless it is there. */
  _begin(project, cursor) {
    this.project = project;
    this._attempt = 0;
    if (this._position === null) {
      this._position = cursor;
      this.#last = null;
      this.#held = [];
      this.#loading = new AbortController();
      this.#fill(cursor, this.#loading.signal);
      return;
    }
    this.resumes += 1;
    if (this.#held) return;
    this.#setReady();
    this.#tell({ kind: "resumed" });
  }

  /** Load anew at the next `subscribed`. What is held until then stays for whoever looks. */
  _startOver() {
    this.resyncs += 1;
    this.#stopLoading();
    this._position = null;
  }

  #stopLoading() {
    this.#loading?.abort();
    this.#loading = this.#held = null;
  }

  /** Load, then apply what came meanwhile. A line that breaks in between does not matter: nothing held is lost. */
  async #fill(cursor, signal) {
    let objects;
    for (let attempt = 0; !objects; attempt++) {
      try {
        objects = copy(await this.#load(this.#hub, this.project, signal), Object.keys(this.objects));
      } catch (error) {
        if (signal.aborted) return;
        this.#hub._logger.warn(`${this.name} could not be loaded:`, error);
        if (error instanceof SignedOut) return void this.#hub._signOut();
        await sleep(backoff(attempt), signal);
      }
      if (signal.aborted) return;
    }
    const held = this.#held;
    Object.assign(this, { objects, cursor, seq: null });
    this.#loading = this.#held = null;
    this.#tell({ kind: "loaded" });
    for (const event of held) if (!this.reason) this.#apply(event); // whoever was told may have ended it
    if (!this.reason) this.#setReady();
  }

  #setReady() {
    this.#wasReady = true;
    this.#settled.resolve();
  }

  /** Take an event; give false where some are missing before it. */
  _take({ type, event: name, ...rest }) {
    const { seq, cursor } = rest;
    if (this.#last !== null && seq !== this.#last + 1) {
      const isOld = seq <= this.#last;
      if (isOld) this.duplicates += 1;
      else this.gaps += 1;
      return isOld;
    }
    const event = { ...rest, type: name };
    this.#last = seq;
    this._position = cursor;
    if (this.#held) this.#held.push(event);
    else this.#apply(event);
    return true;
  }

  #apply(event) {
    const [thing, verb] = event.type.split(".");
    if (verb === "deleted") this.#remove(thing, event.id);
    else if (event.object) {
      if (thing in this.objects) this.#replace(thing, event.id, event.object);
      if (thing === "membership" && event.object.user.id === this.#hub.userId) this.#setRole(event.object.role);
    }
    this.cursor = event.cursor;
    this.seq = event.seq;
    this.#hub._call(this.#onEvent, event);
    this.#tell({ kind: "event", event });
  }

  #replace(thing, id, object) {
    const rows = this.objects[thing];
    const isProject = thing === "project" && rows[id]?.role; // each reader's own, and so in no event
    rows[id] = isProject ? { role: rows[id].role, ...object } : object;
  }

  #setRole(role) {
    const projects = this.objects.project;
    if (projects?.[this.project]?.role) projects[this.project] = { ...projects[this.project], role };
  }

  #remove(thing, id) {
    if (thing === "project") this.#empty();
    else delete this.objects[thing]?.[id];
    if (thing !== "task") return;
    for (const [other, fields] of Object.entries(HANGS_ON_TASK)) {
      const rows = this.objects[other] ?? {};
      for (const key of Object.keys(rows)) if (fields.some((field) => rows[key][field] === id)) delete rows[key];
    }
  }

  #empty() {
    this.objects = copy({}, Object.keys(this.objects));
  }

  _end(reason) {
    if (this.reason) return;
    this.reason = reason;
    this.#hub._forget(this);
    this.#stopLoading();
    if (!KEPT_WHEN_ENDED.includes(reason)) {
      this.#empty();
      this.cursor = null;
    }
    this.#settled.resolve();
    this.#over.resolve(reason);
    this.#tell({ kind: "ended", reason });
  }
}

/** Give the objects of these things, in new containers. */
function copy(objects, things) {
  return Object.fromEntries(things.map((thing) => [thing, { ...objects[thing] }]));
}

/** Give all that a project holds, as {thing: {id: object}}, read by REST. */
export async function loadProject(hub, project, signal, things = THINGS) {
  const objects = {};
  for (const [thing, path] of Object.entries(LISTS)) {
    if (things.includes(thing)) objects[thing] = await hub.load(path, { project }, { signal });
  }
  if (things.includes("project")) {
    objects.project = { [project]: await (await hub.request("GET", `projects/${project}/`, { signal })).json() };
  }
  return objects;
}
