// What crowd.py is, with clients/js: many clients in one process, commanded by lines of JSON.

import { createInterface } from "node:readline";
import { isDeepStrictEqual } from "node:util";
import { loadProject, TicketHub } from "../clients/js/tickethub.js";

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const monotonic = () => Number(process.hrtime.bigint()) / 1e9; // Python's time.monotonic()
const numberOf = (cursor) => parseInt(cursor, 10);
const add = (sum, counts) => Object.entries(counts).forEach(([name, times]) => (sum[name] = (sum[name] ?? 0) + times));

/** Projects read by REST, for many at once: who asks while it is read gets the next reading, so no older one. */
class Loads {
  next = new Map(); // by project: a reading that has not begun
  busy = new Map(); // and one that has

  load = (hub, project) => {
    if (!this.next.has(project)) {
      const reading = (this.busy.get(project) ?? Promise.resolve()).then(() => this.read(hub, project));
      this.next.set(project, reading);
      this.busy.set(project, reading.catch(() => {}));
    }
    return this.next.get(project);
  };

  read(hub, project) {
    this.next.delete(project);
    return loadProject(hub, project);
  }
}

/** The objects without what is each reader's own. */
function withoutRole(objects) {
  const projects = Object.entries(objects.project).map(([id, row]) => [id, { ...row, role: null }]);
  return { ...objects, project: Object.fromEntries(projects) };
}

/** A client with one replica, that notes the cursor it began with, and when each event came. */
class Member {
  first = null;
  cursors = [];
  times = [];

  constructor(urls, { project, ...tokens }, loads) {
    const member = this;
    class Witness extends WebSocket {
      constructor(url) {
        super(url);
        this.addEventListener("message", ({ data }) => {
          if (!member.first && data.slice(0, 30).includes('"subscribed"')) member.first = JSON.parse(data).cursor;
        });
      }
    }
    this.hub = new TicketHub(urls, { ...tokens, WebSocket: Witness, logger: { info() {}, warn() {}, error: console.error } });
    this.replica = this.hub.follow(project, { load: loads.load, onEvent: (event) => this.note(event) });
    this.isReady = false;
    this.replica.ready().then(() => (this.isReady = true), () => {});
  }

  note({ cursor }) {
    this.cursors.push(cursor);
    this.times.push(monotonic());
  }

  /** Whether the event of this cursor has come, and the line is up. */
  has(cursor) {
    const now = this.hub.isConnected && !this.replica.reason && this.replica.cursor;
    return Boolean(now) && numberOf(now) >= numberOf(cursor);
  }

  /** What is not as the log and the database have it, counted. */
  faults(log, objects) {
    const { replica, cursors } = this;
    const expected = log.slice(log.indexOf(this.first) + 1);
    const [told, due] = [new Set(cursors), new Set(expected)];
    return {
      gaps: replica.gaps + expected.filter((cursor) => !told.has(cursor)).length,
      duplicates: replica.duplicates + cursors.length - told.size,
      "out of order": Number(cursors.some((cursor, n) => n && numberOf(cursors[n - 1]) > numberOf(cursor))),
      "not in the log": cursors.filter((cursor) => !due.has(cursor)).length,
      "loaded anew": replica.resyncs,
      ended: Number(replica.reason !== null),
      "differ from the database": Number(!isDeepStrictEqual(withoutRole(replica.objects), objects)),
    };
  }
}

const members = [];
const loads = new Loads();

const commands = {
  async open({ urls, people }) {
    for (const person of people) {
      members.push(new Member(urls, person, loads));
      await sleep(2);
    }
    return null;
  },

  count: () => ({
    connected: members.filter(({ hub }) => hub.isConnected).length,
    ready: members.filter(({ isReady }) => isReady).length,
  }),

  behind: ({ heads }) => members.filter((member) => !member.has(heads[member.replica.name])).length,

  cut({ share }) {
    const some = members.filter(({ hub }) => Math.random() < share && hub.isConnected);
    some.forEach(({ hub }) => hub.cut());
    return some.length;
  },

  check({ logs, objects }) {
    const [faults, closes] = [{}, {}];
    let [resumes, events] = [0, 0];
    const held = Object.fromEntries(Object.entries(objects).map(([project, rows]) => [project, withoutRole(rows)]));
    for (const member of members) {
      const { name } = member.replica;
      add(faults, member.faults(logs[name], held[name]));
      add(closes, member.hub.closes);
      resumes += member.replica.resumes;
      events += member.cursors.length;
    }
    return { faults, closes, resumes, events, clients: members.length };
  },

  arrivals() {
    return members.flatMap(({ cursors, times }) => {
      const start = cursors.length - times.length;
      return times.splice(0).map((at, n) => [numberOf(cursors[start + n]), at]);
    });
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...options } = JSON.parse(line);
  console.log(JSON.stringify(await commands[name](options)));
}
await Promise.all(members.map(({ hub }) => hub.close()));
process.exit();
