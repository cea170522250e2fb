/** A client that follows projects, against a server that does what each test wants. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Ended, THINGS, TicketHub } from "../tickethub.js";
import { answer, FakeServer, hubOf, settle, tasks, until, USER } from "./fake.js";

let server;
let hub;
let chance; // what Math.random gives: with 0 nothing waits before it tries again

beforeEach(() => {
  chance = 0;
  mock.method(Math, "random", () => chance);
  server = new FakeServer();
  hub = hubOf(server);
});

afterEach(async () => {
  await hub.close();
  mock.reset();
  mock.timers.reset();
});

async function following(name = "DEMO", options) {
  const replica = hub.follow(name, options);
  await replica.ready();
  return replica;
}

/** Wait until the replica is where the server is, and holds the same. */
async function level(replica, project = server.project) {
  await until(() => replica.cursor === project.cursor);
  assert.deepEqual(replica.objects, project.rows);
}

const counters = ({ gaps, duplicates, resyncs, resumes }) => ({ gaps, duplicates, resyncs, resumes });

function stopClock() {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: Date.now() });
}

/** Let time go by, by the stopped clock. */
async function pass(milliseconds) {
  for (let left = milliseconds; left > 0; left -= 1000) {
    mock.timers.tick(Math.min(left, 1000));
    await settle();
  }
}

// --- Keeping a replica ---

test("the application is told when the line is up and when it is lost", async () => {
  const told = [];
  hub = hubOf(server, { onLine: (isUp) => told.push(isUp) });
  await following();
  server.line.shut(1012);
  await until(() => told.length === 3);
  assert.deepEqual(told, [true, false, true]);
});

test("a replica is loaded and then kept by events", async () => {
  const replica = await following();
  assert.deepEqual([replica.project, replica.cursor, replica.objects], [server.project.id, "0.x", server.project.rows]);
  assert.deepEqual([hub.userId, hub.isConnected, server.line.url], [USER, true, "ws://fake/ws/v1/"]);
  server.emit("task.created", "t3", { title: "Three" });
  server.emit("task.updated", "t1", { title: "Uno" });
  server.emit("task.deleted", "t2");
  await level(replica);
  assert.equal(replica.seq, 3);
  assert.deepEqual(replica.objects.task.t1, { id: "t1", title: "Uno" });
});

test("events are held back and pings answered while loading", async () => {
  const release = server.holdLists();
  const events = [];
  const replica = hub.follow("DEMO", { onEvent: (event) => events.push(event) });
  await until(() => server.project.lines.size);
  const told = [server.emit("task.deleted", "t1"), server.emit("task.created", "t3")];
  server.line.say({ type: "ping" });
  await until(() => server.frames("pong").length);
  assert.deepEqual([replica.cursor, replica.objects.task, events], [null, {}, []]);
  release();
  await replica.ready();
  await level(replica);
  assert.deepEqual(events, told);
});

test("deletions take along what hung on it", async () => {
  const { rows } = server.project;
  rows.comment = { c1: { id: "c1", task: "t1" }, c2: { id: "c2", task: "t2" } };
  rows.relation = {
    r0: { id: "r0", source: "t1", target: "t2" },
    r1: { id: "r1", source: "t2", target: "t1" },
    r2: { id: "r2", source: "t2", target: "t3" },
  };
  const replica = await following();
  server.emit("task.deleted", "t1");
  await until(() => replica.seq === 1);
  const left = ["task", "comment", "relation"].map((thing) => Object.keys(replica.objects[thing]));
  assert.deepEqual(left, [["t2"], ["c2"], ["r2"]]);
  server.emit("project.deleted", server.project.id);
  await until(() => replica.seq === 2);
  assert.deepEqual(replica.objects, Object.fromEntries(THINGS.map((thing) => [thing, {}])));
});

test("only the wanted things are loaded and kept", async () => {
  const replica = await following("DEMO", { things: ["task"] });
  assert.deepEqual(server.requests.map(({ path }) => path), ["tasks/"]);
  server.emit("comment.created", "c1", { task: "t1" });
  await until(() => replica.seq === 1);
  assert.deepEqual(replica.objects, { task: tasks() });
});

test("the application may load in its own way, and is asked again after a failure", async () => {
  const calls = [];
  const shared = { task: { t9: { id: "t9" } }, comment: {} };
  const load = async (...words) => {
    calls.push(words.slice(0, 2));
    if (calls.length === 1) throw new Error("the first time fails");
    return calls.length === 2 ? undefined : shared; // and the second gives nothing
  };
  const replica = await following("DEMO", { things: ["task"], load });
  assert.deepEqual(calls, Array(3).fill([hub, server.project.id]));
  server.emit("task.created", "t3");
  await until(() => replica.seq === 1);
  assert.deepEqual([Object.keys(replica.objects.task), Object.keys(shared.task)], [["t9", "t3"], ["t9"]]);
  assert.match(hub._logger.text, /the first time fails/);
});

test("the own role is kept and follows the own membership", async () => {
  const replica = await following();
  const { id } = server.project;
  server.emit("project.updated", id, { name: "Renamed" });
  server.emit("membership.updated", "m1", { user: { id: USER }, role: "admin" });
  server.emit("membership.updated", "m2", { user: { id: "u2" }, role: "viewer" });
  await until(() => replica.seq === 3);
  assert.deepEqual(replica.objects.project, { [id]: { id, name: "Renamed", role: "admin" } });
});

test("the own role follows a membership that is not kept", async () => {
  const replica = await following("DEMO", { things: ["project"] });
  server.emit("membership.updated", "m1", { user: { id: USER }, role: "viewer" });
  await until(() => replica.seq === 1);
  assert.equal(replica.objects.project[server.project.id].role, "viewer");
  assert.deepEqual(Object.keys(replica.objects), ["project"]);
});

test("unknown frames and fields are ignored", async () => {
  const replica = await following();
  server.line.say({ type: "weather", temperature: 3 });
  server.line.say({ type: "constructor" });
  server.line.say({ type: "error", code: "strange", detail: "No answer to anything." });
  server.line.say({ type: "event", event: "cat.adopted", project: "nobody", seq: 9, cursor: "9.y", id: "k" });
  server.project.rows.cat = {};
  server.emit("cat.created", "k");
  delete server.project.rows.cat;
  server.emit("task.created", "t3");
  await level(replica);
  assert.deepEqual([replica.seq, server.lines.length], [2, 1]);
});

for (const [kind, onEvent] of [
  ["an exception", () => assert.fail("the application's own")],
  ["a rejection", async () => assert.fail("the application's own")],
]) {
  test(`${kind} of the application is logged and breaks nothing`, async () => {
    const replica = await following("DEMO", { onEvent });
    server.emit("task.created", "t3");
    await level(replica);
    assert.match(hub._logger.text, /the application's own/);
    assert.equal(server.lines.length, 1);
  });
}

test("several projects share one line", async () => {
  const replica = await following();
  const other = await following("OTHER");
  server.emit("task.deleted", "t1", {}, server.projects[1]);
  await until(() => other.seq === 1);
  assert.deepEqual([server.lines.length, replica.seq, replica.objects.task], [1, null, tasks()]);
});

test("what is followed before the line is let in is subscribed to after", async () => {
  const letIn = server.on_authenticate;
  server.on_authenticate = () => {};
  hub.follow("DEMO");
  await until(() => server.frames("authenticate").length);
  const other = hub.follow("OTHER");
  await settle();
  assert.equal(server.frames("subscribe").length, 0);
  letIn.call(server, server.line, { token: "a0" });
  await other.ready();
  assert.equal(server.frames("subscribe").length, 2);
});

test("without a WebSocket it says so at once", () => {
  hub = hubOf(server, { WebSocket: null });
  assert.throws(() => hub.follow("DEMO"), /no WebSocket/);
});

// --- What the application is told ---

test("changes tell of all that happens, to readers and to listeners", async () => {
  const replica = hub.follow("DEMO");
  const heard = [];
  replica.addEventListener("change", ({ detail }) => heard.push(detail));
  const reading = all(replica.changes());
  await replica.ready();
  const event = server.emit("task.created", "t3");
  await level(replica);
  hub.cut();
  await until(() => replica.resumes);
  replica.unfollow();
  const told = await reading;
  const ended = { kind: "ended", reason: "requested" };
  assert.deepEqual(told, [{ kind: "loaded" }, { kind: "event", event }, { kind: "resumed" }, ended]);
  assert.deepEqual(heard, told);
  assert.deepEqual(await all(replica.changes()), [ended]);
});

async function all(changes) {
  const told = [];
  for await (const change of changes) told.push(change);
  return told;
}

test("changes begin when they are asked for, not when they are first read", async () => {
  const replica = await following();
  const changes = replica.changes();
  server.emit("task.created", "t3");
  await level(replica);
  assert.equal((await changes.next()).value.event.id, "t3");
});

test("a slow reader of changes gets the replica in place of a backlog", async () => {
  const replica = await following("DEMO", { things: ["task"] });
  const changes = replica.changes();
  for (let number = 0; number < 10_005; number++) server.emit("task.updated", "t1", { number });
  await until(() => replica.seq === 10_005);
  replica.unfollow();
  const told = await all(changes);
  assert.deepEqual(told[0], { kind: "loaded", reason: "overflow" });
  assert.deepEqual(told.map(({ kind }) => kind), ["loaded", "event", "event", "event", "event", "ended"]);
});

test("a reader may go away", async () => {
  const replica = await following();
  const changes = replica.changes();
  server.emit("task.created", "t3");
  for await (const { kind } of changes) {
    assert.equal(kind, "event");
    break;
  }
  assert.deepEqual(await changes.next(), { done: true, value: undefined });
});

test("whoever unfollows while being told is told nothing more", async () => {
  const release = server.holdLists();
  const events = [];
  const replica = hub.follow("DEMO", { onEvent: (event) => (events.push(event.id), replica.unfollow()) });
  const told = [];
  replica.addEventListener("change", ({ detail }) => told.push(detail.kind));
  await until(() => server.project.lines.size);
  server.emit("task.created", "t3");
  server.emit("task.created", "t4");
  await settle();
  release();
  assert.equal(await replica.ended(), "requested");
  await assert.rejects(replica.ready(), Ended);
  assert.deepEqual([events, told], [["t3"], ["loaded", "ended"]]);
});

// --- Broken lines ---

test("after a cut line it goes on at the cursor", async () => {
  const replica = await following();
  server.emit("task.created", "t3");
  await level(replica);
  for (const id of ["t4", "t5"]) {
    hub.cut();
    server.write("task.created", id);
    await until(() => server.project.lines.size);
    await level(replica);
  }
  assert.deepEqual(server.frames("subscribe").map(({ after }) => after), [undefined, "1.x", "2.x"]);
  assert.deepEqual(counters(replica), { gaps: 0, duplicates: 0, resyncs: 0, resumes: 2 });
  assert.deepEqual(hub.closes, { 1006: 2 });
});

for (const code of [1000, 1011, 1012, 4408]) {
  test(`it comes back after the server closed with ${code}`, async () => {
    const replica = await following();
    server.line.shut(code);
    await until(() => replica.resumes);
    server.emit("task.created", "t3");
    await level(replica);
    assert.deepEqual(hub.closes, { [code]: 1 });
  });
}

test("an error without a close ends the line as well, after a while for the close to come", async () => {
  stopClock();
  const replica = await following();
  server.drop(server.line);
  server.line.onerror({});
  await pass(999);
  assert.equal(hub.isConnected, true);
  await pass(1);
  await pass(1);
  assert.deepEqual([replica.resumes, hub.closes], [1, { 1006: 1 }]);
});

test("what was saved can be gone on from", async () => {
  server.write("task.deleted", "t1");
  const saved = { ...server.project.rows, task: tasks() };
  const replica = await following("DEMO", { cursor: "0.x", objects: saved });
  await level(replica);
  assert.deepEqual([server.requests, replica.resumes, saved.task], [[], 1, tasks()]);
});

test("a line that breaks while loading does not begin the loading anew", async () => {
  const release = server.holdLists();
  const replica = hub.follow("DEMO");
  await until(() => server.project.lines.size);
  server.emit("task.created", "t3");
  await settle();
  hub.cut();
  server.write("task.created", "t4");
  let isReady = false;
  const ready = replica.ready().then(() => (isReady = true));
  await until(() => replica.resumes);
  await settle();
  assert.equal(isReady, false);
  release();
  await ready;
  await level(replica);
  assert.deepEqual(server.frames("subscribe").map(({ after }) => after), [undefined, "1.x"]);
  assert.equal(server.requests.filter(({ path }) => path === "tasks/").length, 1);
});

test("a silent line is dead", async () => {
  stopClock();
  const replica = await following();
  await pass(59_000);
  assert.equal(server.lines.length, 1);
  await pass(2000);
  await until(() => replica.resumes === 1);
  assert.deepEqual(hub.closes, { 1006: 1 });
});

test("a line that is spoken to is not silent", async () => {
  stopClock();
  await following();
  for (let minute = 0; minute < 10; minute++) {
    await pass(30_000);
    server.line.say({ type: "ping" });
    await settle();
  }
  assert.equal(server.lines.length, 1);
});

test("a line on which a subscription gets no answer is dead, however much else is said", async () => {
  stopClock();
  server.refusals.push({ type: "pondering" });
  const replica = hub.follow("DEMO");
  await until(() => server.frames("subscribe").length);
  for (const seconds of [10, 10, 9.9]) {
    await pass(1000 * seconds);
    server.line.say({ type: "ping" });
  }
  assert.equal(server.lines.length, 1);
  await pass(100);
  assert.deepEqual(hub.closes, { 1006: 1 });
  await pass(1000);
  await replica.ready();
});

test("a line on which each subscription was answered stays", async () => {
  stopClock();
  server.refusals.push({ type: "error", code: "internal", detail: "Again." }, { type: "resync", project: server.project.id });
  const replica = hub.follow("DEMO");
  await until(() => server.frames("subscribe").length);
  await pass(2000);
  await replica.ready();
  await pass(40_000);
  assert.equal(server.lines.length, 1);
});

test("a line that does not open is given up after 10 seconds", async () => {
  stopClock();
  const opened = [];
  class Deaf {
    constructor() {
      opened.push(this);
    }
    close() {
      this.isClosed = true;
    }
  }
  hub = hubOf(server, { WebSocket: Deaf });
  hub.follow("DEMO");
  await settle();
  await pass(9000);
  assert.equal(opened.length, 1);
  await pass(2000);
  assert.deepEqual(opened.map(({ isClosed }) => isClosed), [true, undefined]);
  assert.deepEqual(hub.closes, {});
});

test("a line that opened and says nothing is given up after a minute", async () => {
  stopClock();
  server.on_authenticate = () => {};
  hub.follow("DEMO");
  await settle();
  await pass(59_000);
  assert.equal(server.lines.length, 1);
  await pass(2000);
  assert.equal(server.lines.length, 2);
});

test("a duplicate is counted and ignored", async () => {
  const replica = await following();
  const event = server.emit("task.created", "t3", { title: "Three" });
  server.emit("task.updated", "t3", { title: "Drei" });
  server.tell(server.line, event);
  server.emit("task.created", "t4");
  await level(replica);
  assert.deepEqual([counters(replica), server.lines.length], [{ gaps: 0, duplicates: 1, resyncs: 0, resumes: 0 }, 1]);
});

test("a gap is counted and healed from the cursor", async () => {
  const replica = await following();
  server.emit("task.created", "t3");
  server.write("task.created", "t4");
  server.emit("task.created", "t5");
  server.emit("task.created", "t6");
  await until(() => replica.resumes);
  await level(replica);
  assert.deepEqual([counters(replica), server.lines.length], [{ gaps: 1, duplicates: 0, resyncs: 0, resumes: 1 }, 2]);
  assert.equal(server.frames("subscribe").at(-1).after, "1.x");
});

test("a frame that cannot be read costs the line and nothing else", async () => {
  const replica = await following();
  server.line.sayText("no JSON");
  await until(() => replica.resumes);
  server.emit("task.created", "t3");
  await level(replica);
  assert.match(hub._logger.text, /The line failed/);
});

test("the wait grows up to half a minute, and begins anew once subscribed", async () => {
  stopClock();
  chance = 1;
  const replica = await following();
  const { WebSocket } = server;
  let tried = 0;
  mock.method(WebSocket.prototype, "close", function close() {
    tried += this.number ? 0 : 1; // one that never opened
  });
  for (const attempts of [10, 2]) {
    tried = 0;
    server.isAway = true;
    server.line.shut(1012);
    await settle();
    for (let index = 0; index < attempts; index++) {
      const wait = Math.min(30_000, Math.floor(1000 * 1.5 ** index)); // timers know whole milliseconds
      await pass(wait - 1);
      assert.equal(tried, index, `${wait} ms`);
      await pass(1);
      await pass(1); // an error ends a line that was not open at once
    }
    server.isAway = false;
    await pass(60_000);
    server.line.say({ type: "ping" });
  }
  assert.equal(replica.resumes, 2);
});

/** Let this be a page of a browser until the test ends; give its window and its document. */
function openPage(context) {
  const page = new EventTarget();
  page.document = Object.assign(new EventTarget(), { hidden: true });
  Object.assign(globalThis, { addEventListener: page.addEventListener.bind(page), document: page.document });
  context.after(() => {
    delete globalThis.addEventListener;
    delete globalThis.document;
  });
  return page;
}

test("it comes back at once when the network is back", async (context) => {
  const page = openPage(context);
  stopClock();
  chance = 1;
  const replica = await following();
  server.line.shut(1012);
  await settle();
  page.dispatchEvent(new Event("online"));
  await until(() => replica.resumes);
});

test("it comes back at once when somebody looks at the page", async (context) => {
  const { document } = openPage(context);
  stopClock();
  chance = 1;
  const replica = await following();
  server.line.shut(1012);
  await settle();
  document.dispatchEvent(new Event("visibilitychange"));
  await settle();
  assert.equal(server.lines.length, 1, "it was hidden");
  document.hidden = false;
  document.dispatchEvent(new Event("visibilitychange"));
  await until(() => replica.resumes);
});

// --- Resync ---

for (const isRunning of [true, false]) {
  const where = isRunning ? "on a running" : "in answer to a";
  test(`a resync ${where} subscription loads anew and swaps when ready`, async () => {
    const replica = await following();
    server.emit("task.created", "t3");
    await level(replica);
    server.project.rows.task = { t7: { id: "t7" } }; // another history
    server.project.log = [];
    server.write("task.created", "t8");
    const release = server.holdLists();
    const loaded = [];
    replica.addEventListener("change", ({ detail }) => detail.kind === "loaded" && loaded.push(replica.seq));
    const resync = { type: "resync", project: server.project.id };
    if (isRunning) {
      server.project.lines.clear();
      server.line.say(resync);
    } else {
      server.refusals.push(resync);
      hub.cut();
    }
    await until(() => server.requests.length === 8);
    server.emit("task.created", "t9");
    await settle();
    assert.deepEqual([replica.cursor, Object.keys(replica.objects.task)], ["1.x", ["t1", "t2", "t3"]]);
    release();
    await level(replica);
    const { gaps, duplicates, resyncs } = replica;
    assert.deepEqual([gaps, duplicates, resyncs, replica.seq], [0, 0, 1, 2]);
    assert.deepEqual(loaded, [null]);
    assert.equal("after" in server.frames("subscribe").at(-1), false);
  });
}

test("a loading that a resync overtook is dropped", async () => {
  const loads = [];
  const load = () => new Promise((resolve) => loads.push(resolve));
  const replica = hub.follow("DEMO", { load });
  await until(() => loads.length === 1);
  server.line.say({ type: "resync", project: server.project.id });
  await until(() => loads.length === 2);
  loads[0]({ task: { old: { id: "old" } } });
  await settle();
  assert.deepEqual([replica.cursor, replica.objects.task], [null, {}]);
  loads[1](server.project.rows);
  await replica.ready();
  await level(replica);
});

test("a cursor that never was one is forgotten", async () => {
  server.refusals.push({ type: "error", code: "invalid", detail: "No cursor." });
  const replica = await following("DEMO", { cursor: "nonsense" });
  await level(replica);
});

// --- The end ---

for (const reason of ["access_revoked", "deleted"]) {
  test(`${reason} empties the replica and leaves the line`, async () => {
    const replica = await following();
    const other = await following("OTHER");
    server.line.say({ type: "unsubscribed", project: server.project.id, reason });
    assert.equal(await replica.ended(), reason);
    assert.deepEqual([replica.cursor, Object.values(replica.objects)], [null, THINGS.map(() => ({}))]);
    server.emit("task.deleted", "t1", {}, server.projects[1]);
    await until(() => other.seq === 1);
    assert.equal(server.lines.length, 1);
  });
}

for (const code of ["not_found", "invalid"]) {
  test(`what is not found ends, with ${code}`, async () => {
    server.refusals.push({ type: "error", code, detail: "There is no such project." });
    const replica = hub.follow("DEMO");
    await assert.rejects(replica.ready(), (error) => error instanceof Ended && error.reason === "not_found");
    assert.equal(await replica.ended(), "not_found");
  });
}

test("an end while loading ends the loading", async () => {
  let signal;
  const load = (_hub, _project, given) => ((signal = given), new Promise(() => {}));
  const replica = hub.follow("DEMO", { load });
  await until(() => signal);
  server.line.say({ type: "unsubscribed", project: server.project.id, reason: "deleted" });
  await assert.rejects(replica.ready(), Ended);
  assert.equal(signal.aborted, true);
});

test("unfollowing ends the subscription and keeps the objects", async () => {
  const replica = await following();
  replica.unfollow();
  assert.equal(await replica.ended(), "requested");
  await until(() => !server.project.lines.size);
  assert.deepEqual(replica.objects, server.project.rows);
  const again = await following();
  server.emit("task.created", "t3");
  await level(again);
  assert.equal(replica.seq, null);
});

test("unfollowing and following at once leaves one subscription", async () => {
  (await following()).unfollow();
  const again = hub.follow("DEMO");
  again.unfollow();
  const last = await following();
  await settle();
  server.emit("task.created", "t3");
  await level(last);
});

test("unfollowing before the answer unsubscribes", async () => {
  await following();
  hub.follow("OTHER").unfollow();
  await until(() => server.frames("unsubscribe").length);
  await settle();
  assert.equal(server.projects[1].lines.size, 0);
});

test("a project is followed once", async () => {
  await following();
  for (const name of ["DEMO", server.project.id]) assert.throws(() => hub.follow(name), /already/);
});

test("a second name of a project that is followed ends as a duplicate", async () => {
  const first = hub.follow("DEMO");
  const second = hub.follow(server.project.id);
  assert.equal(await second.ended(), "duplicate");
  await first.ready();
  server.emit("task.created", "t3");
  await level(first);
  const { id } = server.project;
  assert.deepEqual(server.frames("subscribe").map(({ project }) => project), ["DEMO", id, id], "it has lost the first");
});

test("nothing is left running after closing", async () => {
  stopClock();
  server.holdLists();
  const replica = hub.follow("DEMO");
  await until(() => server.requests.length);
  await hub[Symbol.asyncDispose]();
  assert.equal(await replica.ended(), "requested");
  assert.equal(server.line.closeCode, 1000);
  await pass(300_000);
  assert.deepEqual([server.lines.length, hub.isConnected], [1, false]);
  assert.throws(() => hub.follow("OTHER"), /closed/);
});

test("closing before there is a token opens no line", async () => {
  hub = hubOf(server, { access: undefined });
  hub.follow("DEMO");
  await hub.close();
  await settle();
  assert.deepEqual([server.issued, server.lines], [{ "auth/token/refresh/": 1 }, []]);
});

test("closing does not wait for a server that is away", async () => {
  server.isAway = true;
  chance = 1;
  const replica = hub.follow("DEMO");
  await until(() => hub._logger.text.includes("did not open"));
  await hub.close();
  assert.equal(replica.reason, "requested");
});

// --- Tokens on the line ---

const sentTokens = () => server.frames("authenticate").map(({ token }) => token);

test("the token is renewed on the line at four fifths of its life", async () => {
  stopClock();
  const replica = await following();
  const ping = () => server.line.say({ type: "ping" });
  for (let minute = 0; minute < 15; minute++) {
    await pass(31_000);
    ping();
    await settle();
  }
  assert.deepEqual(sentTokens(), ["a0"], "after 465 seconds");
  await pass(16_000);
  assert.deepEqual(sentTokens(), ["a0", "a1"], "after 481 seconds");
  assert.deepEqual([server.lines.length, server.frames("subscribe").length, replica.resumes], [1, 1, 0]);
});

test("a token whose end is over by this clock is not renewed in a tight loop", async () => {
  stopClock();
  server.lifetime = -3_600_000;
  await following();
  await pass(50_000);
  assert.deepEqual(sentTokens(), ["a0"]);
});

test("a token that lasts longer than a timer can is not renewed at once", async () => {
  server.lifetime = 40 * 86_400_000;
  await following();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(sentTokens(), ["a0"]);
});

test("a token that is not renewed for now is tried again", async () => {
  stopClock();
  server.lifetime = 50_000;
  await following();
  server.answers.push(new TypeError("fetch failed"), new TypeError("fetch failed"));
  await pass(42_000);
  assert.deepEqual([sentTokens(), server.lines.length, server.answers], [["a0", "a1"], 1, []]);
});

test("a refused token is refreshed and the line comes back", async () => {
  const replica = await following();
  server.valid.clear();
  server.line.shut(4401);
  await until(() => replica.resumes);
  assert.deepEqual(sentTokens(), ["a0", "a1"]);
  assert.deepEqual([hub.closes, server.issued], [{ 4401: 1 }, { "auth/token/refresh/": 1 }]);
});

test("the first token comes by logging in", async () => {
  const saved = [];
  const options = { email: "ada@example.org", password: "secret", onTokens: (...pair) => saved.push(pair.slice(0, 2)) };
  hub = hubOf(server, { access: undefined, refresh: undefined, ...options });
  await following();
  assert.deepEqual([saved, server.issued], [[["a1", "r1"]], { "auth/token/": 1 }]);
});

for (const credentials of [{}, { email: "ada@example.org", password: "wrong" }]) {
  test(`without a way to a token it ends signed out, ${credentials.password ?? "no"} password`, async () => {
    hub = hubOf(server, credentials);
    const replica = await following();
    server.valid.clear();
    server.refreshes.clear();
    server.line.shut(4401);
    assert.equal(await replica.ended(), "signed_out");
    assert.deepEqual(replica.objects, server.project.rows);
    await settle();
    assert.equal(server.lines.length, 1);
  });
}

test("a renewal that is refused ends signed out at once", async () => {
  stopClock();
  server.lifetime = 50_000;
  const replica = await following();
  server.refreshes.clear();
  await pass(41_000);
  assert.equal(replica.reason, "signed_out");
  assert.deepEqual([server.line.closeCode, server.lines.length], [1000, 1]);
});

test("a load that finds itself signed out ends it", async () => {
  const release = server.holdLists();
  const replica = hub.follow("DEMO");
  await until(() => server.requests.length);
  server.valid.clear();
  server.refreshes.clear();
  release();
  assert.equal(await replica.ended(), "signed_out");
});

test("a token that nothing can renew is used to its end", async () => {
  stopClock();
  server.lifetime = 20_000;
  hub = hubOf(server, { refresh: undefined });
  const replica = await following();
  await pass(30_000);
  assert.equal(replica.reason, null);
  server.valid.clear();
  server.line.shut(4401);
  await settle();
  await pass(1);
  assert.equal(replica.reason, "signed_out");
});

test("a server that refuses every token is not asked in a tight loop", async () => {
  stopClock();
  chance = 1;
  server.on_authenticate = (line) => line.shut(4401);
  hub.follow("DEMO");
  await settle();
  await pass(16_000); // 1 + 1.5 + 2.25 + 3.375 + 5.0625, each to the next whole second of this clock
  assert.equal(server.lines.length, 6);
  assert.ok(Object.values(server.issued).reduce((sum, one) => sum + one) <= 6);
});

test("after too many messages it stays away for a minute", async () => {
  stopClock();
  const replica = await following();
  server.line.shut(4429);
  await settle();
  await pass(59_000);
  assert.equal(server.lines.length, 1);
  await pass(2000);
  await until(() => replica.resumes);
  assert.deepEqual(hub.closes, { 4429: 1 });
});

// --- Errors in answer to a subscription ---

test("an internal error is tried again without disturbing others", async () => {
  const replica = await following();
  const internal = { type: "error", code: "internal", detail: "The database is away." };
  server.refusals.push(internal, internal);
  await following("OTHER");
  server.emit("task.created", "t3");
  await level(replica);
  assert.deepEqual([server.lines.length, replica.resumes, server.frames("subscribe").length], [1, 0, 4]);
});

test("what ended meanwhile is not tried again", async () => {
  stopClock();
  await following();
  server.refusals.push({ type: "error", code: "internal", detail: "The database is away." });
  const other = hub.follow("OTHER");
  await settle();
  other.unfollow();
  await pass(5000);
  assert.deepEqual([server.frames("subscribe").length, server.lines.length], [2, 1]);
});

test("an expired token is renewed before subscribing again", async () => {
  server.refusals.push({ type: "error", code: "token_expired", detail: "Authenticate first." });
  await following();
  await until(() => sentTokens().length === 2);
  assert.deepEqual([sentTokens(), server.lines.length], [["a0", "a1"], 1]);
});

// --- Several servers ---

test("a server that is away is left for another", async () => {
  class Away extends server.WebSocket {
    constructor(url) {
      server.isAway = url.startsWith("ws://away");
      super(url);
    }
  }
  hub = new TicketHub(["http://away", server.url], { fetch: server.fetch, WebSocket: Away, access: "a0" });
  const chances = [0, 0, 0.5]; // the first address, no wait, the second
  mock.method(Math, "random", () => chances.shift() ?? 0);
  await level(await following());
  assert.equal(server.line.url, "ws://fake/ws/v1/");
});

test("the log of the client says no token", async () => {
  const replica = await following();
  server.valid.clear();
  server.answers.push(new TypeError("fetch failed"), answer(500));
  server.line.shut(4401);
  await until(() => replica.resumes);
  assert.match(hub._logger.text, /4401/);
  assert.doesNotMatch(hub._logger.text, /\b[ar]\d\b/);
});

// --- All at once ---

/** Numbers by chance, the same for the same seed. */
function seeded(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Do something bad, or nothing. */
function disturb(pick, hubs, replicas) {
  const lines = [...server.project.lines];
  const act = pick(10);
  if (act === 0) hubs[pick(hubs.length)].cut();
  else if (act === 1 && lines.length) lines[pick(lines.length)].shut([1011, 1012, 4408][pick(3)]);
  else if (act === 2) server.refusals.push({ type: "resync", project: server.project.id });
  else if (act === 3 && replicas.every(({ seq }) => seq)) server.write("task.updated", "t0", { version: -1 });
  else if (act === 4 && lines.length && server.project.log.length) {
    server.tell(lines[pick(lines.length)], server.project.log[pick(server.project.log.length)]);
  }
}

for (const seed of [1, 2, 3]) {
  test(`whatever the line does, the replicas are right in the end (${seed})`, async () => {
    const pick = seeded(seed);
    const hubs = Array.from({ length: 10 }, () => hubOf(server));
    const replicas = hubs.map((one) => one.follow("DEMO"));
    for (let number = 0; number < 300; number++) {
      disturb(pick, hubs, replicas);
      server.emit(["task.updated", "task.deleted"][pick(2)], `t${pick(30)}`, { version: number });
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    server.refusals.length = 0;
    server.emit("task.created", "last");
    await until(() => replicas.every(({ cursor }) => cursor === server.project.cursor));
    for (const replica of replicas) assert.deepEqual(replica.objects, server.project.rows);
    for (const name of ["gaps", "duplicates", "resyncs", "resumes"]) {
      assert.ok(replicas.some((replica) => replica[name]), name);
    }
    await Promise.all(hubs.map((one) => one.close()));
  });
}
