// Every resource of TicketHub once, by types that `npm run generate` made of its description.
//
//     TICKETHUB_URL=http://localhost:8000 npm run sample

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient, { type Client } from "openapi-fetch";
import type { Event, NewTask, Role, Task, TokenPair, paths } from "./tickethub.js";

const baseUrl = `${process.env["TICKETHUB_URL"] ?? "http://localhost:8000"}/api/v1`;
const password = `${randomUUID()} opens it`;

type Answer<T> = { data?: T; error?: { detail: string; code: string }; response: Response };

/** What was answered, or an exception that says why nothing was. */
async function got<T>(asking: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await asking;
  if (error) throw new Error(`${response.url}: ${response.status} ${error.code}: ${error.detail}`);
  return data as T;
}

async function join(name: string): Promise<{ api: Client<paths>; tokens: TokenPair; email: string }> {
  const api = createClient<paths>({ baseUrl });
  const username = `${name}-${randomUUID().slice(0, 8)}`;
  const email = `${username}@example.org`;
  const user = await got(api.POST("/auth/register/", { body: { email, username, password } }));
  assert.equal(user.email, email);
  const tokens = await got(api.POST("/auth/token/", { body: { email, password } }));
  api.use({
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${tokens.access}`);
      return request;
    },
  });
  return { api, tokens, email };
}

const { api, tokens } = await join("ada");
const bob = await join("bob");

// A project and who is in it

const me = await got(api.PATCH("/users/me/", { body: { first_name: "Ada" } }));
assert.deepEqual(await got(api.GET("/users/me/")), me);

const key = `T${randomUUID().slice(0, 6).toUpperCase()}`;
const { id: project } = await got(api.POST("/projects/", { body: { key, name: "Typed" } }));
const renamed = await got(api.PATCH("/projects/{id}/", { params: { path: { id: key } }, body: { name: "Typed well" } }));
assert.equal(renamed.archived_at, null);
const mine = await got(api.GET("/projects/", { params: { query: { role: "owner" } } }));
assert.ok(mine.results.some((each) => each.id === project));
assert.equal((await got(api.GET("/projects/{id}/", { params: { path: { id: project } } }))).key, key);

const role: Role = "member";
const invitation = await got(api.POST("/invitations/", { body: { project, email: bob.email, role } }));
const membership = await got(bob.api.POST("/invitations/accept/", { body: { token: invitation.token } }));
const withdrawn = await got(api.POST("/invitations/", { body: { project, email: `not-${bob.email}`, role } }));
await got(api.DELETE("/invitations/{id}/", { params: { path: { id: withdrawn.id } } }));
assert.equal((await got(api.GET("/invitations/", { params: { query: { project } } }))).count, 1);

await got(api.PATCH("/memberships/{id}/", { params: { path: { id: membership.id } }, body: { role: "admin" } }));
const members = await got(api.GET("/memberships/", { params: { query: { project: key } } }));
assert.deepEqual(members.results.map((each) => each.user.username).sort(), [me.username, membership.user.username].sort());
const people = await got(api.GET("/users/", { params: { query: { search: membership.user.username } } }));
assert.equal(people.count, 1);
await got(api.GET("/users/{id}/", { params: { path: { id: membership.user.id } } }));

const status = await got(api.POST("/statuses/", { body: { project, name: "On hold", category: "backlog" } }));
await got(api.PATCH("/statuses/{id}/", { params: { path: { id: status.id } }, body: { name: "Waiting" } }));
await got(api.GET("/statuses/{id}/", { params: { path: { id: status.id } } }));
assert.equal((await got(api.GET("/statuses/", { params: { query: { project } } }))).results.length, 7);

const label = await got(api.POST("/labels/", { body: { project, name: "brass", color: "#b08d57" } }));
await got(api.PATCH("/labels/{id}/", { params: { path: { id: label.id } }, body: { color: "#1f6feb" } }));
await got(api.GET("/labels/{id}/", { params: { path: { id: label.id } } }));
await got(api.GET("/labels/", { params: { query: { project } } }));

// Tasks, which may be sent again, and are not overwritten

const body: NewTask = { id: randomUUID(), project, title: "Order the wheels", priority: "high", labels: [label.id] };
const task: Task = await got(api.POST("/tasks/", { body }));
assert.deepEqual(await got(api.POST("/tasks/", { body })), task);
const other = await got(api.POST("/tasks/", { body: { project, title: "Pay for them", due_date: "2031-12-10" } }));

const path = { id: task.key };
const { response, data: present } = await api.GET("/tasks/{id}/", { params: { path } });
assert.equal(present?.due_date, null);
const header = { "If-Match": response.headers.get("ETag") ?? "" };
await got(api.PATCH("/tasks/{id}/", { params: { path, header }, body: { assignees: [me.id], parent: other.id } }));
const late = await api.PATCH("/tasks/{id}/", { params: { path, header }, body: { title: "Too late" } });
assert.ok(late.error && "current" in late.error && late.error.current.assignees.includes(me.id));

await got(api.POST("/tasks/{id}/move/", { params: { path }, body: { status: status.slug } }));
const changed = await got(api.POST("/tasks/bulk/", { body: { ids: [task.id, other.id], set: { priority: "urgent" } } }));
assert.deepEqual(changed?.results.map((each) => each.priority), ["urgent", "urgent"]);
const ordering = ["-priority" as const, "number" as const];
const query = { project: key, status: [status.slug], assignee: ["me"], ordering };
assert.equal((await got(api.GET("/tasks/", { params: { query } }))).results[0]?.title, task.title);

const relation = await got(api.POST("/relations/", { body: { source: other.id, target: task.id, type: "blocks" } }));
await got(api.GET("/relations/", { params: { query: { task: key + "-1" } } }));
await got(api.DELETE("/relations/{id}/", { params: { path: { id: relation.id } } }));

const comment = await got(bob.api.POST("/comments/", { body: { task: task.id, body: "The foundry has *none* left." } }));
assert.equal(comment.edited_at, null);
await got(bob.api.PATCH("/comments/{id}/", { params: { path: { id: comment.id } }, body: { body: "It has some." } }));
await got(api.GET("/comments/{id}/", { params: { path: { id: comment.id } } }));
assert.equal((await got(api.GET("/comments/", { params: { query: { task: task.id } } }))).count, 1);
await got(bob.api.DELETE("/comments/{id}/", { params: { path: { id: comment.id } } }));

// Out of a project and into another one

const file = await got(api.GET("/projects/{id}/export/", { params: { path: { id: key } }, parseAs: "text" }));
const copied = await got(api.POST("/projects/", { body: { key: `${key}C`, name: "Typed, again" } }));
const taken = await got(api.POST("/projects/{id}/import/", { params: { path: { id: copied.id } }, body: { data: file } }));
assert.equal(taken.made.tasks, 2);
await got(api.DELETE("/projects/{id}/", { params: { path: { id: copied.id } } }));

// What happened to the task

const told: Event[] = [];
let after: string | undefined;
for (let more = true; more; ) {
  const page = await got(
    api.GET("/events/", { params: { query: { project, task: task.id, limit: 2, ...(after && { after }) } } }),
  );
  told.push(...page.results);
  [after, more] = [page.cursor, page.has_more];
}
assert.equal(told[0]?.type, "task.created");
assert.equal(told.at(-1)?.type, "comment.deleted");

// And all is taken away again

await got(api.DELETE("/tasks/{id}/", { params: { path } }));
await got(api.DELETE("/labels/{id}/", { params: { path: { id: label.id } } }));
await got(api.DELETE("/statuses/{id}/", { params: { path: { id: status.id } } }));
await got(api.DELETE("/memberships/{id}/", { params: { path: { id: membership.id } } }));
await got(api.DELETE("/projects/{id}/", { params: { path: { id: project } } }));
const { refresh } = await got(api.POST("/auth/token/refresh/", { body: { refresh: tokens.refresh } }));
await got(api.POST("/auth/token/blacklist/", { body: { refresh } }));
await got(bob.api.DELETE("/users/me/"));

const carol = await join("carol");
await got(carol.api.POST("/auth/password/change/", { body: { current_password: password, new_password: `${password} now` } }));
await got(carol.api.POST("/auth/password/reset/", { body: { email: "nobody@example.org" } }));
const nonsense = { uid: "x", token: "y", new_password: password };
const refused = await carol.api.POST("/auth/password/reset/confirm/", { body: nonsense });
assert.ok(refused.error && "errors" in refused.error);

console.log(`${key}: every resource was used`);
