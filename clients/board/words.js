/** Names, dates and what happened, in words. */

export const PRIORITIES = ["urgent", "high", "medium", "low", "none"];
export const ROLES = ["viewer", "member", "admin", "owner"];
const RELATIONS = { blocks: "blocks", relates_to: "relates to", duplicates: "duplicates" };

const DAY = 24 * 3600 * 1000;
/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const STEPS = [
  ["day", DAY],
  ["hour", 3600_000],
  ["minute", 60_000],
];
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const DATE = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });
const DATE_OF_YEAR = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", year: "numeric" });
const MOMENT = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1).replaceAll("_", " ");

/** Give "1 task", "2 tasks". */
export const count = (number, thing) => `${number} ${thing}${number === 1 ? "" : "s"}`;

export function nameOf(user) {
  return `${user.first_name} ${user.last_name}`.trim() || user.username;
}

export function initials(user) {
  const words = [user.first_name, user.last_name].filter(Boolean);
  return (words.length ? words.map((word) => [...word][0]).join("") : user.username.slice(0, 2)).toUpperCase();
}

/** Give "3 hr. ago" for what is younger than a month, else the date. */
export function ago(text) {
  const passed = Date.now() - Date.parse(text);
  if (passed > 30 * DAY) return day(text);
  const [unit, length] = STEPS.find(([, step]) => passed >= step) ?? ["second", 1000];
  return unit === "second" ? "just now" : AGO.format(-Math.floor(passed / length), unit);
}

export const moment = (text) => MOMENT.format(new Date(text));

export function day(text) {
  const date = new Date(text.length === 10 ? `${text}T00:00` : text);
  return (date.getFullYear() === new Date().getFullYear() ? DATE : DATE_OF_YEAR).format(date);
}

/** Give how many days a due date is away: 0 today, less if it has passed. */
export function daysLeft(date) {
  return Math.round((Date.parse(`${date}T00:00`) - new Date().setHours(0, 0, 0, 0)) / DAY);
}

// --- What happened ---

const of = (key, what) => (key === "it" ? `its ${what}` : `the ${what} of ${key}`);

const FIELDS = {
  title: (key, [, title]) => `renamed ${key} to “${title}”`,
  description: (key) => `edited ${of(key, "description")}`,
  status: (key, [, slug], store) => `moved ${key} to ${store.statusName(slug)}`,
  priority: (key, [, priority]) => `set ${of(key, "priority")} to ${priority}`,
  due_date: (key, [, date]) => (date ? `made ${key} due ${day(date)}` : `took the due date off ${key}`),
  parent: (key, [, id], store) => (id ? `put ${key} under ${store.keyOf(id)}` : `took ${key} out of its parent task`),
  assignees: (key, change, store) =>
    difference(change, (id) => store.nameOf(id), `assigned ${key} to`, `unassigned ${key} from`),
  labels: (key, change, store) => difference(change, (id) => store.labelName(id), `labelled ${key}`, `took off ${key}`),
  position: (key) => `moved ${key}`,
};

function difference([before, after], name, added, removed) {
  const plus = after.filter((id) => !before.includes(id)).map(name);
  const minus = before.filter((id) => !after.includes(id)).map(name);
  const parts = [plus.length && `${added} ${plus.join(", ")}`, minus.length && `${removed} ${minus.join(", ")}`];
  return parts.filter(Boolean).join(" and ");
}

/** Say what an event tells, after the name of who did it. `key` stands for the task: "WEB-12", or "it". */
export function tell(event, store, key) {
  const [thing, verb] = event.type.split(".");
  const { object, changes } = event;
  if (thing === "task") return tellOfTask(verb, changes, key ?? store.keyOf(event.id), store);
  if (thing === "comment") {
    const task = key ?? store.keyOf(object?.task);
    return { created: `commented on ${task}`, updated: `edited a comment on ${task}`, deleted: "deleted a comment" }[
      verb
    ];
  }
  if (thing === "relation") {
    if (!object) return "took back how two tasks relate";
    return `noted that ${store.keyOf(object.source)} ${RELATIONS[object.type]} ${store.keyOf(object.target)}`;
  }
  if (thing === "membership") {
    const user = store.memberOf(event.id);
    const name = !user ? "somebody" : user.id === store.me.id ? "you" : nameOf(user);
    if (verb === "updated") return `made ${name} ${/^[ao]/.test(object.role) ? "an" : "a"} ${object.role}`;
    const isOwn = user?.id === event.actor;
    if (isOwn) return verb === "created" ? "joined" : "left";
    return `${verb === "created" ? "added" : "removed"} ${name}`;
  }
  const name = object?.name ? ` “${object.name}”` : "";
  return `${{ created: "made", updated: "changed", deleted: "deleted" }[verb]} the ${thing}${name}`;
}

function tellOfTask(verb, changes, key, store) {
  if (verb === "created") return `made ${key}`;
  if (verb === "deleted") return `deleted ${key}`;
  const names = Object.keys(changes).filter(
    (name) => name in FIELDS && (name !== "position" || !("status" in changes)),
  );
  const parts = names.map((name) => FIELDS[name](key, changes[name], store)).filter(Boolean);
  return parts.join(", ") || `changed ${key}`;
}
