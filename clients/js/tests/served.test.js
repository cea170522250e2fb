/** The client and a server as it is run, at the address in TICKETHUB_URL. */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";

import { Ended, THINGS, TicketHub } from "../tickethub.js";

const url = process.env.TICKETHUB_URL;
const isSkipped = !url && "TICKETHUB_URL does not name a server";
const lists = { task: "tasks/", comment: "comments/", status: "statuses/", label: "labels/", relation: "relations/" };

let owner;
let member;
let project;

/** Somebody new, with a client of their own. */
async function register() {
  const username = `user-${randomUUID().slice(-12)}`;
  const person = { email: `${username}@example.org`, username, password: randomUUID() };
  const hub = new TicketHub(url, person);
  await hub.request("POST", "auth/register/", { json: person });
  return { hub, ...person };
}

const send = async (hub, method, path, json) => (await hub.request(method, path, { json })).json();
const remove = (hub, path) => hub.request("DELETE", path);

/** Wait until the replica holds what REST gives. */
async function level(replica, hub) {
  const { cursor } = await (await hub.request("GET", "events/", { params: { project: replica.project } })).json();
  for (const deadline = Date.now() + 20_000; replica.cursor !== cursor; ) {
    assert.ok(Date.now() < deadline, `still at ${replica.cursor}, not ${cursor}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (const [thing, path] of Object.entries(lists)) {
    assert.deepEqual(replica.objects[thing], await hub.load(path, { project: replica.project }), thing);
  }
  const shown = await (await hub.request("GET", `projects/${replica.project}/`)).json();
  assert.deepEqual(replica.objects.project, { [replica.project]: shown });
}

before(async () => {
  if (isSkipped) return;
  owner = await register();
  member = await register();
  const key = `T${randomUUID().slice(0, 8).toUpperCase()}`;
  project = await send(owner.hub, "POST", "projects/", { key, name: "By wire" });
  const { token } = await send(owner.hub, "POST", "invitations/", {
    project: project.id,
    email: member.email,
    role: "member",
  });
  await send(member.hub, "POST", "invitations/accept/", { token });
});

after(async () => {
  await owner?.hub.close();
  await member?.hub.close();
});

test("a replica is what REST gives after loading, after events and after a cut line", { skip: isSkipped }, async () => {
  const { hub } = owner;
  const json = { project: project.id, title: "Grüße 🎟" };
  const first = await send(hub, "POST", "tasks/", json);
  const replica = hub.follow(project.key);
  await replica.ready();
  await level(replica, hub);
  const second = await send(hub, "POST", "tasks/", json);
  await send(hub, "POST", "relations/", { source: first.id, target: second.id, type: "blocks" });
  await level(replica, hub);
  hub.cut();
  await send(hub, "POST", "comments/", { task: first.id, body: "While the line was cut" });
  await send(hub, "PATCH", `projects/${project.id}/`, { name: "Renamed" });
  await send(hub, "POST", "labels/", { project: project.id, name: "bug", color: "#ff0000" });
  await remove(hub, `tasks/${second.id}/`);
  await level(replica, hub);
  const { resumes, gaps, duplicates, resyncs } = replica;
  assert.deepEqual({ resumes, gaps, duplicates, resyncs }, { resumes: 1, gaps: 0, duplicates: 0, resyncs: 0 });
  assert.deepEqual(hub.closes, { 1006: 1 });
  replica.unfollow();
});

test("another client goes on from a saved replica, without loading", { skip: isSkipped }, async () => {
  const before = owner.hub.follow(project.key);
  await before.ready();
  const saved = JSON.stringify({ cursor: before.cursor, objects: before.objects });
  before.unfollow();
  await send(owner.hub, "POST", "tasks/", { project: project.id, title: "Made meanwhile" });
  const load = () => assert.fail("It was saved");
  const again = owner.hub.follow(project.id, { ...JSON.parse(saved), load });
  await again.ready();
  await level(again, owner.hub);
  assert.equal(again.resumes, 1);
  again.unfollow();
});

test("a cursor of another history loads anew", { skip: isSkipped }, async () => {
  const replica = owner.hub.follow(project.key, { cursor: "999999.00000000", things: THINGS });
  const { value } = await replica.changes().next();
  assert.deepEqual([value, replica.resyncs], [{ kind: "loaded" }, 1]);
  await level(replica, owner.hub);
  replica.unfollow();
});

test("who is removed keeps nothing, and the others go on", { skip: isSkipped }, async () => {
  const staying = owner.hub.follow(project.key);
  const removed = member.hub.follow(project.key);
  await Promise.all([staying.ready(), removed.ready()]);
  await level(removed, member.hub);
  const { user, id } = Object.values(removed.objects.membership).find(({ role }) => role === "member");
  assert.equal(user.email, member.email);
  await send(owner.hub, "PATCH", `memberships/${id}/`, { role: "viewer" });
  await level(removed, member.hub);
  assert.equal(removed.objects.project[project.id].role, "viewer");
  await remove(owner.hub, `memberships/${id}/`);
  assert.equal(await removed.ended(), "access_revoked");
  assert.deepEqual([removed.cursor, removed.objects.task], [null, {}]);
  await level(staying, owner.hub);
  await assert.rejects(member.hub.follow(project.key).ready(), (error) => error.reason === "not_found");
  staying.unfollow();
});

test("the deletion of the project ends the replica", { skip: isSkipped }, async () => {
  const replica = owner.hub.follow(project.key);
  await replica.ready();
  await remove(owner.hub, `projects/${project.id}/`);
  assert.equal(await replica.ended(), "deleted");
  await assert.rejects(owner.hub.follow(project.key).ready(), Ended);
});
