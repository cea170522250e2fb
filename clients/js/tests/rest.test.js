/** Requests: tokens, waiting where the server asks for it, lists that change while they are read. */

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { inspect } from "node:util";

import { ApiError, SignedOut, TicketHub } from "../tickethub.js";
import { answer, FakeServer, hubOf, settle } from "./fake.js";

let server;
let hub;

beforeEach(() => {
  server = new FakeServer();
  hub = hubOf(server);
});

const paths = () => server.requests.map(({ path }) => path);
const failure = (code) => Object.assign(new TypeError("fetch failed"), { cause: { code } });

test("a request is signed and gives the answer", async () => {
  hub = new TicketHub("http://fake/", { fetch: server.fetch, access: "a0" });
  server.answers.push(answer(201, { id: "t9" }));
  const options = { json: { title: "Nine" }, headers: { "X-Request-ID": "mine" } };
  const response = await hub.request("POST", "tasks/", options);
  assert.equal(response.status, 201);
  assert.deepEqual(await response.json(), { id: "t9" });
  const [{ url, method, headers, json }] = server.requests;
  assert.deepEqual([url.href, method, json], ["http://fake/api/v1/tasks/", "POST", { title: "Nine" }]);
  assert.equal(headers.get("Authorization"), "Bearer a0");
  assert.equal(headers.get("X-Request-ID"), "mine");
});

test("a parameter may have several values", async () => {
  await hub.load("tasks/", { project: "DEMO", status: ["todo", "done"] });
  assert.equal(server.requests[0].url.search, "?project=DEMO&status=todo&status=done&limit=100&offset=0");
});

test("many refused at once share one refresh", async () => {
  const saved = [];
  hub = hubOf(server, { onTokens: (...pair) => saved.push(pair) });
  server.valid.clear();
  const answers = await Promise.all(Array.from({ length: 20 }, () => hub.load("tasks/", { project: "DEMO" })));
  assert.deepEqual(answers, Array(20).fill(server.project.rows.task));
  assert.deepEqual(server.issued, { "auth/token/refresh/": 1 });
  const [[, , key]] = saved;
  assert.deepEqual(saved, [["a1", "r1", key]]);
  assert.match(key, /^[0-9a-f]{32}$/);
});

test("a refresh whose answer was lost is sent again with its key, and each token has another one", async () => {
  const saved = [];
  hub = hubOf(server, { key: "k0", onTokens: (access, refresh, key) => saved.push(key) });
  const load = () => hub.load("tasks/", { project: "DEMO" });
  server.valid.clear();
  server.answers.push(answer(401, { code: "token_not_valid" }), failure("ECONNRESET"));
  await assert.rejects(load(), TypeError);
  await load();
  server.valid.clear();
  await load();
  const sent = server.requests.filter(({ path }) => path === "auth/token/refresh/").map(({ json }) => json);
  assert.deepEqual(sent, [
    { refresh: "r0", idempotency_key: "k0" },
    { refresh: "r0", idempotency_key: "k0" },
    { refresh: "r1", idempotency_key: saved[0] },
  ]);
  assert.equal(new Set(saved).size, 2);
});

test("clients that share a login renew it once, and a third takes what they got", async () => {
  let tokens = { access: "a0", refresh: "r0", key: "k0" };
  let turn = Promise.resolve();
  const shared = { read: () => tokens, alone: (act) => (turn = turn.then(act)) };
  const onTokens = (access, refresh) => (tokens = { access, refresh });
  const tabs = [1, 2].map(() => new TicketHub(server.url, { fetch: server.fetch, shared, onTokens }));
  await Promise.all(tabs.map((tab) => tab.load("tasks/", { project: "DEMO" })));
  server.valid.clear();
  const lists = await Promise.all(tabs.map((tab) => tab.load("tasks/", { project: "DEMO" })));
  assert.deepEqual(lists, [server.project.rows.task, server.project.rows.task]);
  assert.deepEqual([server.issued, tokens], [{ "auth/token/refresh/": 1 }, { access: "a1", refresh: "r1" }]);
  const late = new TicketHub(server.url, { fetch: server.fetch, shared, onTokens });
  await late.load("tasks/", { project: "DEMO" });
  assert.deepEqual(server.issued, { "auth/token/refresh/": 1 });
  tokens = null;
  await assert.rejects(new TicketHub(server.url, { fetch: server.fetch, shared }).load("tasks/"), SignedOut);
});

test("what another one got of a shared login may be over as well, and is renewed", async () => {
  let tokens = { access: "a0", refresh: "r0" };
  const shared = { read: () => tokens, alone: (act) => act() };
  const onTokens = (access, refresh) => (tokens = { access, refresh });
  const [early, other] = [1, 2].map(() => new TicketHub(server.url, { fetch: server.fetch, shared, onTokens }));
  await early.load("tasks/", { project: "DEMO" });
  for (const tab of [other, early]) {
    server.valid.clear();
    await tab.load("tasks/", { project: "DEMO" });
  }
  assert.deepEqual([server.issued, tokens.access], [{ "auth/token/refresh/": 2 }, "a2"]);
});

test("a refresh outlives whoever asked for it", async () => {
  server.valid.clear();
  const { fetch } = server;
  let open;
  const gate = new Promise((resolve) => {
    open = resolve;
  });
  hub = hubOf(server, { fetch: async (url, init) => (url.includes("auth") && (await gate), fetch(url, init)) });
  const impatience = new AbortController();
  const asked = hub.load("tasks/", { project: "DEMO" }, { signal: impatience.signal });
  await settle();
  impatience.abort();
  open();
  await assert.rejects(asked, { name: "AbortError" });
  assert.deepEqual(await hub.load("tasks/", { project: "DEMO" }), server.project.rows.task);
  assert.deepEqual(server.issued, { "auth/token/refresh/": 1 });
});

test("without a way to a token a request throws SignedOut", async () => {
  server.valid.clear();
  server.refreshes.clear();
  for (let time = 0; time < 2; time++) {
    await assert.rejects(hub.request("GET", "tasks/"), (error) => {
      assert.ok(error instanceof SignedOut && error instanceof ApiError);
      return error.name === "SignedOut" && error.status === 401;
    });
  }
  assert.deepEqual(server.issued, { "auth/token/refresh/": 1 }, "what was refused is not tried again");
});

test("a refused refresh token is followed by a login", async () => {
  hub = hubOf(server, { access: "old", refresh: "old", email: "ada@example.org", password: "secret" });
  assert.deepEqual(await hub.load("tasks/", { project: "DEMO" }), server.project.rows.task);
  assert.deepEqual(server.issued, { "auth/token/refresh/": 1, "auth/token/": 1 });
});

test("a second 401 is not tried a third time", async () => {
  const refused = () => answer(401, { detail: "No.", code: "token_not_valid" });
  server.answers.push(refused(), answer(200, { access: "a1", refresh: "r1" }), refused());
  await assert.rejects(hub.request("GET", "tasks/"), { name: "ApiError", status: 401, code: "token_not_valid" });
  assert.deepEqual(paths(), ["tasks/", "auth/token/refresh/", "tasks/"]);
});

test("a failing token endpoint is no sign out", async () => {
  server.valid.clear();
  server.answers.push(answer(401), answer(500));
  await assert.rejects(hub.request("GET", "tasks/"), { name: "ApiError", status: 500 });
  await hub.load("tasks/", { project: "DEMO" });
  assert.deepEqual(server.issued, { "auth/token/refresh/": 1 });
});

test("an account can be made without one", async () => {
  hub = new TicketHub(server.url, { fetch: server.fetch });
  server.answers.push(answer(201));
  await hub.request("POST", "auth/register/", { json: {} });
  assert.equal(server.requests[0].headers.has("Authorization"), false);
  await assert.rejects(hub.login(), SignedOut);
});

for (const status of [429, 503]) {
  test(`it waits as long as the server says with ${status}`, async (context) => {
    const waits = [];
    const { setTimeout } = globalThis;
    context.mock.method(globalThis, "setTimeout", (act, milliseconds) => {
      waits.push(milliseconds);
      return setTimeout(act, 0);
    });
    server.answers.push(
      answer(status, {}, { "Retry-After": "7" }),
      answer(status),
      answer(status, {}, { "Retry-After": "Mon, 23 Nov 2026 12:00:00 GMT" }),
      answer(200),
    );
    assert.equal((await hub.request("POST", "tasks/", { json: {} })).status, 200);
    assert.equal(waits.length, 3);
    for (const [index, least] of [7000, 5000, 5000].entries()) {
      assert.ok(least <= waits[index] && waits[index] <= 1.25 * least, `waited ${waits[index]}`);
    }
  });
}

test("it waits no longer than it may, all in all", async () => {
  hub = hubOf(server, { longestWait: 0.3 });
  const limited = () => answer(429, { detail: "Too many.", code: "throttled" }, { "Retry-After": "0.2" });
  server.answers.push(limited(), answer(201), limited(), limited());
  assert.equal((await hub.request("POST", "tasks/", { json: {} })).status, 201);
  await assert.rejects(hub.request("POST", "tasks/", { json: {} }), { name: "ApiError", status: 429 });
  assert.equal(server.requests.length, 4);
});

test("a signal ends the waiting", async () => {
  server.answers.push(answer(503));
  const impatience = new AbortController();
  const asked = hub.request("GET", "tasks/", { signal: impatience.signal });
  await settle();
  impatience.abort();
  await assert.rejects(asked, { name: "AbortError" });
});

test("closing ends the waiting", async () => {
  server.answers.push(answer(503));
  const asked = hub.request("GET", "tasks/");
  await settle();
  await hub.close();
  await assert.rejects(asked, { name: "AbortError" });
});

for (const [body, status, code, detail] of [
  ['{"detail": "Archived.", "code": "archived", "more": 1}', 409, "archived", "Archived."],
  ["<h1>Bad gateway</h1>", 502, "error", "The server answered 502."],
  ['["odd"]', 400, "error", "The server answered 400."],
]) {
  test(`${status} is thrown, with what the server said`, async () => {
    server.answers.push(answer(status, body));
    const error = await hub.request("PATCH", "tasks/t1/", { json: {} }).catch((caught) => caught);
    assert.ok(error instanceof ApiError);
    assert.deepEqual([error.status, error.code, error.detail], [status, code, detail]);
    assert.deepEqual(error.body, body.startsWith("<") ? null : JSON.parse(body));
    assert.equal(error.response.status, status);
    assert.equal(server.requests.length, 1);
  });
}

for (const [method, code, asked] of [
  ["GET", undefined, 2],
  ["POST", "ECONNREFUSED", 2],
  ["POST", "ECONNRESET", 1],
]) {
  test(`after ${code} another server is asked by ${method} only where that does no harm`, async () => {
    const { fetch, WebSocket } = server;
    hub = new TicketHub(["http://one", "http://two"], { fetch, WebSocket, access: "a0" });
    server.answers.push(failure(code), answer(200));
    const request = hub.request(method, "tasks/");
    if (asked === 2) assert.equal((await request).status, 200);
    else await assert.rejects(request, TypeError);
    assert.equal(new Set(server.requests.map(({ url }) => url.host)).size, asked);
    assert.equal(server.requests.length, asked);
  });
}

test("a connection that fails everywhere is thrown", async () => {
  server.answers.push(failure("ECONNREFUSED"), failure("ECONNREFUSED"));
  hub = new TicketHub(["http://one", "http://two"], { fetch: server.fetch, access: "a0" });
  await assert.rejects(hub.request("GET", "tasks/"), TypeError);
  assert.equal(server.requests.length, 2);
});

test("fetch is called as a browser wants it, without an object", async () => {
  let receiver;
  hub = hubOf(server, {
    fetch(...words) {
      receiver = this;
      return server.fetch(...words);
    },
  });
  await hub.load("tasks/", { project: "DEMO" });
  assert.equal(receiver, undefined);
});

test("pages overlap by a row", async () => {
  const rows = Array.from({ length: 250 }, (_, number) => [`t${number}`, { id: `t${number}` }]);
  server.project.rows.task = Object.fromEntries(rows);
  assert.equal(Object.keys(await hub.load("tasks/", { project: "DEMO" })).length, 250);
  assert.deepEqual(server.requests.map(({ url }) => url.searchParams.get("offset")), ["0", "99", "198"]);
});

test("a list is whole although rows go while it is read", async () => {
  const rows = {};
  for (let number = 0; number < 260; number++) rows[`t${number}`] = { id: `t${number}` };
  server.project.rows.task = rows;
  const stay = Object.keys(rows).slice(80);
  const { rest } = server;
  server.rest = (...words) => {
    const page = rest.apply(server, words);
    if (Object.keys(rows).length > 180) for (const key of Object.keys(rows).slice(0, 20)) delete rows[key];
    return page;
  };
  const loaded = await hub.load("tasks/", { project: "DEMO" });
  assert.deepEqual(stay.filter((key) => !(key in loaded)), []);
  assert.deepEqual(Object.keys(rows), stay);
});

test("nothing that is shown of the client has a token", async () => {
  hub = hubOf(server, { email: "ada@example.org", password: "secret" });
  await hub.request("GET", "projects/DEMO/");
  assert.doesNotMatch(inspect(hub, { depth: 9, showHidden: true, getters: true }), /\b[ar]\d\b|secret/);
  assert.doesNotMatch(JSON.stringify(hub), /\b[ar]\d\b|secret/);
});

/** A server whose answer comes in so many pieces, each after some milliseconds, and then stalls unless it is whole. */
const dripping = (pieces, pause, isWhole) => async (_url, { signal }) => {
  const never = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  let left = pieces;
  const body = new ReadableStream({
    async pull(stream) {
      await Promise.race([never, new Promise((resolve) => setTimeout(resolve, pause))]);
      if (left--) return stream.enqueue(new TextEncoder().encode("x"));
      return isWhole ? stream.close() : never;
    },
  });
  return new Response(body);
};

test("what has no body, or none that is a web stream, is given as it came", async () => {
  for (const [status, body] of [
    [204, new ReadableStream()], // as Chromium has it
    [200, { pipe() {} }],
  ]) {
    const came = { status, ok: true, headers: new Headers(), body };
    const one = new TicketHub("http://fake", { access: "a0", fetch: async () => came });
    assert.equal(await one.request("DELETE", "tasks/t1/"), came);
  }
});

test("an answer may take any time in all, but not stand still", async () => {
  const ask = async (...how) => {
    const one = new TicketHub("http://fake", { access: "a0", fetch: dripping(...how) });
    return (await one.request("GET", "projects/DEMO/export/", { timeout: 0.2 })).text();
  };
  assert.equal(await ask(5, 100, true), "xxxxx");
  const ended = ask(2, 1, false).catch(({ name }) => name);
  const inVain = new Promise((resolve) => setTimeout(resolve, 2000, "still waiting"));
  assert.equal(await Promise.race([ended, inVain]), "TimeoutError");
});

test("an import is waited for longer, and each request for as long as is said", async (context) => {
  const asked = [];
  const { timeout } = AbortSignal;
  context.mock.method(AbortSignal, "timeout", (milliseconds) => asked.push(milliseconds) && timeout(milliseconds));
  for (const [path, options] of [
    ["tasks/"],
    ["projects/DEMO/import/"],
    ["tasks/", { timeout: 7 }],
    ["tasks/", { timeout: Infinity }],
  ]) {
    server.answers.push(answer(201));
    await hub.request("POST", path, options);
  }
  assert.deepEqual([...new Set(asked)], [30_000, 600_000, 7000, 2 ** 31 - 1]);
});
