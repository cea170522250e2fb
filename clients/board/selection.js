/** Which tasks are selected, and the bar that changes them all at once. */

import { h, icon, menu, option, renew } from "./dom.js";
import { ask, avatar, dot, ring } from "./parts.js";
import { complain, toast } from "./toast.js";
import { capital, count, nameOf, PRIORITIES } from "./words.js";

const MOST = 100; // the API's

export class Selection {
  ids = new Set();
  element = h("div.bulk", { role: "region", "aria-label": "Selected tasks", hidden: true });
  #store;

  constructor(store) {
    this.#store = store;
  }

  /** A checkbox for one task. */
  box(task) {
    return h("input", {
      type: "checkbox",
      class: "pick",
      checked: this.ids.has(task.id),
      "aria-label": `Select ${task.key}`,
      onchange: () => this.toggle(task.id),
    });
  }

  toggle(id) {
    if (this.ids.has(id)) this.ids.delete(id);
    else if (this.ids.size < MOST) this.ids.add(id);
    else this.#refuse();
    this.#store.drawTask(id);
    this.draw();
  }

  set(ids) {
    if (ids.length > MOST) this.#refuse();
    const before = [...this.ids];
    this.ids = new Set(ids.slice(0, MOST));
    for (const id of new Set([...before, ...this.ids])) this.#store.drawTask(id);
    this.draw();
  }

  #refuse() {
    toast(`At most ${MOST} tasks can be changed at once.`, { kind: "bad", name: "most" });
  }

  /** Keep what fits a filter: nobody should change what they do not see. */
  narrow(fits) {
    const tasks = [...this.ids]
      .map((id) => this.#store.task(id))
      .filter((task) => task && (fits(task) || this.#store.isPending(task.id)));
    if (tasks.length < this.ids.size) this.set(tasks.map(({ id }) => id));
  }

  /** Show the bar anew; what was deleted is selected no longer. */
  draw() {
    const store = this.#store;
    for (const id of this.ids) if (!store.task(id)) this.ids.delete(id);
    const isShown = this.ids.size > 0 && store.mayWrite;
    if (isShown === !this.element.hidden && this.element.dataset.size === String(this.ids.size)) return;
    this.element.dataset.size = String(this.ids.size);
    if (!isShown) renew(this.element);
    this.element.hidden = !isShown;
    if (!isShown) return;
    const choice = (title, options) =>
      menu([title, icon("down")], (details) =>
        options().map(([words, values, sign]) => option(details, () => this.#set(values), [sign, words])),
      );
    renew(
      this.element,
      h("strong", `${this.ids.size} selected`),
      choice("Status", () => store.statuses.map((one) => [one.name, { status: one.slug }, ring(one.category)])),
      choice("Priority", () => PRIORITIES.map((priority) => [capital(priority), { priority }])),
      choice("Set assignee to", () => [
        ["Nobody", { assignees: [] }],
        ...store.people.map((user) => [nameOf(user), { assignees: [user.id] }, avatar(user)]),
      ]),
      choice("Set label to", () => [
        ["No label", { labels: [] }],
        ...store.labels.map((label) => [label.name, { labels: [label.id] }, dot(label.color)]),
      ]),
      h("button.danger", { onclick: () => this.#askToDelete() }, "Delete"),
      h("button.bare", { "aria-label": "Select none", onclick: () => this.set([]) }, icon("close")),
    );
  }

  async #set(values) {
    const ids = [...this.ids];
    try {
      await this.#store.changeAll(ids, values);
      toast(`${count(ids.length, "task")} changed.`);
    } catch (error) {
      complain(error, "Nothing was changed.");
    }
  }

  #askToDelete() {
    ask(
      `Delete ${count(this.ids.size, "task")}?`,
      "Their comments go with them. This cannot be undone.",
      "Delete",
      async (_, signal) => {
        const ids = [...this.ids]; // fewer than were asked about, where a filter hides some by now
        await this.#store.request("POST", "tasks/bulk/", { json: { ids, delete: true }, signal });
        this.set([]);
        toast(`${count(ids.length, "task")} deleted.`);
      },
    );
  }
}
