/** Uses all that is exported, for the compiler to check; it is not run. */

import {
  ApiError,
  Ended,
  loadProject,
  Replica,
  SignedOut,
  THINGS,
  TicketHub,
  type Change,
  type Comment,
  type EndReason,
  type Event,
  type EventOf,
  type FollowOptions,
  type Label,
  type Logger,
  type Membership,
  type Objects,
  type Params,
  type Project,
  type Relation,
  type RequestOptions,
  type Role,
  type Status,
  type Task,
  type Thing,
  type Things,
  type TicketHubOptions,
  type User,
} from "../tickethub.js";

const logger: Logger = console;
const options: TicketHubOptions = {
  email: "ada@example.org",
  password: "secret",
  onTokens: (access, refresh, key) => localStorage.setItem(access, (refresh ?? "") + key),
  shared: { read: () => JSON.parse(localStorage.getItem("tokens") ?? "null"), alone: (act) => act() },
  longestWait: 5,
  onLine: (isUp) => logger.info(isUp ? "up" : "lost"),
  fetch,
  WebSocket,
  logger,
};
const hub = new TicketHub(["http://one", "http://two"], options);
await using _other = new TicketHub("http://one");

// @ts-expect-error: an address is a text
new TicketHub(8000);
// @ts-expect-error: there is no such option
new TicketHub("http://one", { username: "ada" });

// --- REST ---

const request: RequestOptions = { json: {}, headers: { "If-Match": '"1"' }, signal: AbortSignal.timeout(1) };
const task: Task = await (await hub.request("PATCH", "tasks/DEMO-1/", request)).json();
const params: Params = { project: "DEMO", status: ["todo", "done"], archived: false };
const loaded: Record<string, Task> = await hub.load("tasks/", params);
const invitations = await hub.load<{ id: string; email: string }>("invitations/");
const address: string | undefined = invitations["1"]?.email;
// @ts-expect-error: comments are no tasks
const wrong: Record<string, Task> = await hub.load("comments/");
await hub.login();
const token: string = await hub.token("stale");
const refusal: ApiError = await ApiError.of(await fetch("http://one/api/v1/"));

try {
  await hub.request("GET", "tasks/");
} catch (error) {
  if (error instanceof SignedOut) error.detail.trim();
  else if (error instanceof ApiError && error.status === 412) (error.body.current as Task).version.toFixed();
  else if (error instanceof Ended) error.reason satisfies EndReason;
}

// --- Replicas ---

const replica = hub.follow("DEMO");
await replica.ready();
const titles: string[] = Object.values(replica.objects.task).map(({ title }) => title);
const role: Role | undefined = replica.objects.project[replica.project ?? ""]?.role;
const saved: { cursor: string | null; objects: Objects } = { cursor: replica.cursor, objects: replica.objects };
const again: Replica = hub.follow("DEMO", { ...saved, load: (...where) => loadProject(...where) });

const few: FollowOptions<"task" | "label"> = { things: ["task", "label"], onEvent: (event) => event.seq.toFixed() };
const tasks = hub.follow("DEMO", few);
const labels: Label[] = Object.values(tasks.objects.label);
// @ts-expect-error: comments were not asked for
tasks.objects.comment;
// @ts-expect-error: there is no such thing
hub.follow("DEMO", { things: ["cat"] });
// @ts-expect-error: replicas come from `follow`
new Replica();
// @ts-expect-error: the counters are the client's
replica.gaps = 0;

const listen = ({ detail }: CustomEvent<Change>) => show(detail);
replica.addEventListener("change", listen, { once: true });
replica.removeEventListener("change", listen);
for await (const change of replica.changes()) show(change);
const reason: EndReason = await replica.ended();
const numbers: number = replica.gaps + replica.duplicates + replica.resyncs + replica.resumes + (replica.seq ?? 0);
const ended: boolean = replica.reason === "access_revoked" || replica.name === "DEMO";
replica.unfollow();
hub.cut();
await hub.close();
const line: [boolean, string | null, number | undefined] = [hub.isConnected, hub.userId, hub.closes[1006]];

function show(change: Change): string {
  switch (change.kind) {
    case "loaded":
      return change.reason ?? "";
    case "resumed":
      return "";
    case "event":
      return describe(change.event);
    case "ended":
      return change.reason;
  }
}

function describe(event: Event): string {
  if (event.type === "task.created" || event.type === "task.updated") return event.object.title;
  if (event.type === "comment.deleted") return event.object satisfies null ?? event.id;
  if (event.type === "project.updated") {
    // @ts-expect-error: everybody has a role of their own
    event.object.role;
    return event.object.name;
  }
  // @ts-expect-error: there is no such event
  if (event.type === "cat.adopted") return "";
  const [before, after] = event.changes["status"] ?? [];
  return `${event.actor} ${before} ${after}`;
}

const comment = (event: EventOf<"comment">): Comment | null => event.object;
const author = ({ author }: Comment): string => author;
const things: readonly Thing[] = THINGS;
const mixed: Array<Things[Thing]> = [] as Array<Project | Membership | Status | Label | Task | Relation | Comment>;
const people = (rows: Record<string, Membership>): User[] => Object.values(rows).map(({ user }) => user);
