/**
 * One project as the page shows it: what the replica holds, and on top of it what this person has just changed, until
 * the server's answer. It dispatches `draw` (once a frame, `detail` has the ids of the tasks that changed, or null for
 * all), `told` for each event, `missed` with what came while the line was away (null where all was loaded anew), and `ended`.
 */

import { later, once } from "./dom.js";
import { nameOf } from "./words.js";

const THINGS = ["project", "membership", "status", "label", "task", "relation"]; // comments are loaded by task
const SETTLES = 300; // milliseconds without further events

/** An edit met another one of the same fields. Neither is lost: `current` is the task as it stands, `mine` was not saved. */
export class Collision extends Error {
  constructor(current, mine, fields) {
    super("collision");
    this.current = current;
    this.mine = mine;
    this.fields = fields;
  }
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

export class Store extends EventTarget {
  hub;
  /** @type {any} */
  me;
  key;
  #replica;
  #keys = new Map(); // of tasks, deleted ones too, by id
  #ends = new Map(); // of relations, deleted ones too: their two tasks, by id
  #known = new Map(); // people by id and by membership, former members too
  #edits = new Map(); // by task: a list of {values, version}, of which the later win
  #turns = new Map(); // by task: what it waits for
  #made = {};
  #changed = new Set();
  #isAllChanged = false;
  #isLoaded = false;
  #missed = null;
  #draw = once(() => {
    const ids = this.#isAllChanged ? null : new Set(this.#changed);
    this.#changed.clear();
    this.#isAllChanged = false;
    this.#tell("draw", ids);
  });
  #sumUp = later(SETTLES, () => this.#tellMissed());

  constructor(hub, me, key) {
    super();
    Object.assign(this, { hub, me, key });
    this.#replica = hub.follow(key, { things: THINGS });
    this.#replica.addEventListener("change", ({ detail }) => this.#take(detail));
  }

  ready() {
    return this.#replica.ready();
  }

  close() {
    this.#replica.unfollow();
  }

  /** Call it with what is told under a name. */
  on(name, act) {
    this.addEventListener(name, (event) => act(/** @type {CustomEvent} */ (event).detail));
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  // --- What there is ---

  get project() {
    return this.#replica.objects.project[this.#replica.project];
  }

  get role() {
    return this.project?.role ?? "viewer";
  }

  get mayWrite() {
    return this.role !== "viewer" && !this.project?.archived_at;
  }

  get isAdmin() {
    return ["admin", "owner"].includes(this.role);
  }

  /** Make it once until something changes: a board of many cards asks for it as often. */
  #once(name, make) {
    return (this.#made[name] ??= make());
  }

  #sorted(thing, by) {
    const compare = (a, b) => (by(a) < by(b) ? -1 : 1);
    return this.#once(thing, () => Object.values(this.#replica.objects[thing]).sort(compare));
  }

  get statuses() {
    return this.#sorted("status", ({ position }) => position);
  }

  get labels() {
    return this.#sorted("label", ({ name }) => name.toLowerCase());
  }

  get memberships() {
    return this.#sorted("membership", ({ created_at: at }) => at);
  }

  get people() {
    const byName = (a, b) => nameOf(a).localeCompare(nameOf(b));
    return this.#once("people", () => this.memberships.map(({ user }) => user).sort(byName));
  }

  get tasks() {
    return this.#once("tasks", () => Object.keys(this.#replica.objects.task).map((id) => this.task(id)));
  }

  get subtasks() {
    const children = () => this.tasks.filter(({ parent }) => parent);
    return this.#once("subtasks", () => Map.groupBy(children(), ({ parent }) => parent));
  }

  task(id) {
    const task = this.#replica.objects.task[id];
    const edits = this.#edits.get(id);
    return task && edits ? Object.assign({}, task, ...edits.map(({ values }) => values)) : task;
  }

  taskOfKey(key) {
    return this.tasks.find((task) => task.key === key);
  }

  relationsOf(id) {
    return Object.values(this.#replica.objects.relation).filter(({ source, target }) => source === id || target === id);
  }

  /** Whether a relation is, or was, one of this task. */
  relates(relation, id) {
    return Boolean(this.#ends.get(relation)?.includes(id));
  }

  isPending(id) {
    return this.#edits.has(id);
  }

  person(id) {
    if (id === this.me.id) return this.me;
    return this.#known.get(id);
  }

  nameOf(id) {
    const user = this.person(id);
    return user ? nameOf(user) : "somebody";
  }

  /** Who did it, to begin a sentence with. */
  actorOf({ actor }) {
    if (actor === null) return "The administration";
    return actor === this.me.id ? "You" : this.person(actor) ? this.nameOf(actor) : "A former member";
  }

  /** The person of a membership, also one that is no more. */
  memberOf(membership) {
    return this.#known.get(membership);
  }

  keyOf(id) {
    return this.#keys.get(id) ?? "a task";
  }

  labelName(id) {
    return this.#replica.objects.label[id]?.name ?? "a label";
  }

  categoryOf(slug) {
    return this.statuses.find((status) => status.slug === slug)?.category ?? "todo";
  }

  statusName(slug) {
    return this.statuses.find((status) => status.slug === slug)?.name ?? slug;
  }

  /** Compare two tasks by their place on the board. One that was put after another says so until it has a place. */
  static byPlace(a, b) {
    if (a.position !== b.position) return a.position < b.position ? -1 : 1;
    return Number(Boolean(a.isBehind)) - Number(Boolean(b.isBehind));
  }

  // --- What comes ---

  #take({ kind, event, reason }) {
    this.#made = {};
    if (kind === "ended") return void this.#tell("ended", reason);
    if (kind === "resumed") return void this.#askWhatWasMissed();
    if (kind === "loaded") {
      for (const { id, key } of Object.values(this.#replica.objects.task)) this.#keys.set(id, key);
      for (const one of Object.values(this.#replica.objects.relation)) this.#relate(one);
      for (const one of this.memberships) this.#know(one);
      for (const id of [...this.#edits.keys()]) this.#drop(id, ({ version }) => version < Infinity); // it has the answers
      if (this.#isLoaded) this.#tell("missed", null); // by then it is not known any more
      this.#isLoaded = true;
      this.drawAll();
      return;
    }
    const [thing] = event.type.split(".");
    if (thing === "task") {
      if (event.object) this.#keys.set(event.id, event.object.key);
      this.#settle(event.id);
      this.drawTask(event.id);
    } else if (thing !== "comment") this.drawAll();
    if (thing === "membership" && event.object) this.#know(event.object);
    if (thing === "relation" && event.object) this.#relate(event.object);
    if (this.#missed) {
      this.#missed.events.push(event);
      this.#sumUp();
    }
    this.#tell("told", { event, isMissed: Boolean(this.#missed) });
  }

  #relate({ id, source, target }) {
    this.#ends.set(id, [source, target]);
  }

  #know({ id, user }) {
    this.#known.set(id, user).set(user.id, user);
    if (user.id === this.me.id) Object.assign(this.me, user); // who may have changed it elsewhere
  }

  /** The line is back: all events up to the server's present cursor are what was missed. */
  async #askWhatWasMissed() {
    this.#missed ??= { events: [], begin: this.#replica.cursor, end: null };
    this.#missed.end = null;
    try {
      const answer = await this.request("GET", "events/", { params: { project: this.#replica.project } });
      this.#missed.end = answer.cursor;
    } catch {
      this.#missed.end = this.#replica.cursor; // then what has come by now
    }
    this.#sumUp();
  }

  #tellMissed() {
    const { events, begin, end } = this.#missed ?? {};
    if (!events || end === null) return;
    const last = events.findIndex(({ cursor }) => cursor === end);
    if (begin !== end && last < 0) return; // it is still under way
    this.#missed = null;
    const others = events.slice(0, last + 1).filter(({ actor }) => actor !== this.me.id);
    this.#tell("missed", others);
  }

  drawTask(id) {
    this.#made = {};
    this.#changed.add(id);
    this.#draw();
  }

  drawAll() {
    this.#isAllChanged = true;
    this.#draw();
  }

  // --- What this person does ---

  /** Send a request; give the JSON of its answer, null where there is none. */
  async request(method, path, options) {
    const response = await this.hub.request(method, path, options);
    return response.status === 204 ? null : response.json();
  }

  /** Show the task as if it had these values, until `end` is called. */
  pretend(id, values) {
    const edit = { values, version: Infinity };
    this.#edits.set(id, [...(this.#edits.get(id) ?? []), edit]);
    this.drawTask(id);
    return { edit, end: () => this.#drop(id, (one) => one === edit) };
  }

  #drop(id, isOver) {
    const left = (this.#edits.get(id) ?? []).filter((edit) => !isOver(edit));
    if (left.length) this.#edits.set(id, left);
    else this.#edits.delete(id);
    this.drawTask(id);
  }

  /** Forget the answers that the replica has caught up with. */
  #settle(id) {
    const version = this.#replica.objects.task[id]?.version ?? Infinity;
    this.#drop(id, (edit) => edit.version <= version);
  }

  /** Show the values at once; send in turn; keep the answer until its event is here, or take all back. */
  async #optimistically(id, values, send) {
    const { edit, end } = this.pretend(id, values);
    const before = this.#turns.get(id);
    const sent = (async () => {
      await before?.catch(() => {});
      return send();
    })();
    this.#turns.set(id, sent);
    try {
      const answer = await sent;
      this.#keep(edit, answer);
      return answer;
    } catch (error) {
      end();
      throw error;
    } finally {
      if (this.#turns.get(id) === sent) this.#turns.delete(id);
    }
  }

  /** Show what the server answered in place of what was expected, until its event is here. */
  #keep(edit, answer) {
    Object.assign(edit, { values: { ...answer, isBehind: false }, version: answer.version });
    this.#settle(answer.id);
  }

  /** Give up to 100 tasks the same values, all or none. */
  async changeAll(ids, values) {
    const pretended = ids.map((id) => this.pretend(id, values));
    try {
      const { results } = await this.request("POST", "tasks/bulk/", { json: { ids, set: values } });
      results.forEach((task, index) => this.#keep(pretended[index].edit, task));
    } catch (error) {
      for (const { end } of pretended) end();
      throw error;
    }
  }

  /** Put a task into a status, behind another one there, or in front of one, or at the end. */
  move(id, { status, after, before }) {
    const json = { status, ...(after ? { after } : before ? { before } : {}) };
    return this.#optimistically(id, this.placed({ status, after, before }), () =>
      this.request("POST", `tasks/${id}/move/`, { json }),
    );
  }

  /** What a task looks like that was moved there. */
  placed({ status, after, before }) {
    if (after) return { status, position: this.task(after)?.position ?? "~", isBehind: true };
    return { status, position: before ? "" : "~" }; // before and after all digits
  }

  /**
   * Change a task from what this person saw, `base`. `make(task)` gives the new values; of lists it should add or remove.
   * Changes of other fields meanwhile are no matter. Throws Collision where the same field became something else.
   */
  change(base, make) {
    return this.#optimistically(base.id, make(base), async () => {
      for (let seen = base; ;) {
        const values = make(seen);
        try {
          const headers = { "If-Match": `"${seen.version}"` };
          return await this.request("PATCH", `tasks/${base.id}/`, { json: values, headers });
        } catch (error) {
          if (error.status !== 412) throw error;
          seen = error.body.current;
          const fields = Object.keys(values).filter((name) => isLost(name, base, seen, values));
          if (fields.length) throw new Collision(seen, values, fields);
        }
      }
    });
  }
}

/** Whether to save a value would undo what somebody else made of it. */
function isLost(name, base, current, mine) {
  return !Array.isArray(mine[name]) && !same(current[name], base[name]) && !same(current[name], mine[name]);
}
