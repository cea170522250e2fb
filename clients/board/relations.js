/** What a task is to others: its parent, its subtasks, what it blocks, duplicates or has to do with. */

import { h, icon, later, renew } from "./dom.js";
import { ring, select } from "./parts.js";
import { address } from "./route.js";
import { complain } from "./toast.js";
import { newTask } from "./newtask.js";

/** @type {[string, string][]} */
const KINDS = [
  ["blocks", "Blocks"],
  ["blocked", "Is blocked by"],
  ["relates_to", "Relates to"],
  ["duplicates", "Duplicates"],
  ["duplicated", "Is duplicated by"],
  ["parent", "Is a subtask of"],
];
const TURNED = { blocked: "blocks", duplicated: "duplicates" };
const SHOWN = 8; // suggestions

export function related(store, id, save) {
  const list = h("ul.related");
  const section = h("section", { "aria-label": "Related tasks" }, h("div.heading", h("h3", "Related"), adder()), list);
  let shown = null;

  function rows() {
    const task = store.task(id);
    const children = store.subtasks.get(id) ?? [];
    const relations = store.relationsOf(id).map((relation) => {
      const isSource = relation.source === id;
      const turned = Object.keys(TURNED).find((kind) => TURNED[kind] === relation.type);
      const kind = isSource || !turned ? relation.type : turned;
      return [
        kind,
        isSource ? relation.target : relation.source,
        () => store.request("DELETE", `relations/${relation.id}/`),
      ];
    });
    const parent = task.parent ? [["parent", task.parent, () => save({ parent: null })]] : [];
    const parts = children.map((child) => ["child", child.id, null]);
    return [...parent, ...parts, ...relations];
  }

  function row([kind, other, remove]) {
    const task = store.task(other);
    const words = kind === "child" ? "Subtask" : new Map(KINDS).get(kind);
    return h(
      "li",
      { "data-row": `${kind} ${other}` },
      h("span.kind", words),
      ring(store.categoryOf(task?.status)),
      h(
        "a",
        { href: address({ task: store.keyOf(other) }) },
        h("span.key", store.keyOf(other)),
        " ",
        h("bdi", task?.title ?? ""),
      ),
      remove &&
        store.mayWrite &&
        h(
          "button.bare",
          {
            "aria-label": `Take back: ${words} ${store.keyOf(other)}`,
            onclick: () => Promise.resolve(remove()).catch((error) => complain(error, "Nothing was changed.")),
          },
          icon("close"),
        ),
    );
  }

  /** The task of this key, or the one of this title. */
  function find(words) {
    const title = words.toLowerCase();
    const isCalled = (task) => task.id !== id && task.title.toLowerCase() === title;
    const byKey = store.taskOfKey(words.toUpperCase());
    const found = byKey ? [byKey] : store.tasks.filter(isCalled);
    if (found.length === 1) return found[0];
    const detail = found.length
      ? `${found.length} tasks are called “${words}”: give a key.`
      : `There is no task ${words}.`;
    throw Object.assign(new Error(detail), { detail });
  }

  function adder() {
    const kind = select(KINDS, "blocks", { "aria-label": "How it relates" });
    const options = h("datalist", { id: `tasks-for-${id}` });
    const suggest = later(100, () => {
      const words = other.value.toLowerCase();
      const found = store.tasks.filter(
        (task) => task.id !== id && `${task.key} ${task.title}`.toLowerCase().includes(words),
      );
      options.replaceChildren(...found.slice(0, SHOWN).map((task) => h("option", { value: task.key }, task.title)));
    });
    const other = h("input", {
      list: options.id,
      placeholder: "Key or title",
      "aria-label": "The other task",
      autocomplete: "off",
      oninput: suggest,
    });
    const add = async (event) => {
      event.preventDefault();
      try {
        const task = find(other.value.trim());
        if (kind.value === "parent") {
          if ((await save({ parent: task.id })) === null) return; // which has been told
        } else {
          const isTurned = kind.value in TURNED;
          const [source, target] = isTurned ? [task.id, id] : [id, task.id];
          await store.request("POST", "relations/", {
            json: { source, target, type: TURNED[kind.value] ?? kind.value },
          });
        }
        const isThere = form.contains(document.activeElement);
        other.value = "";
        form.hidden = true;
        if (isThere) opener.focus();
      } catch (error) {
        complain(error, "Nothing was changed.");
      }
    };
    const form = h("form.row.adder", { hidden: true, onsubmit: add }, kind, other, options, h("button", "Add"));
    const open = () => {
      form.hidden = !form.hidden;
      if (!form.hidden) kind.focus();
    };
    const opener = h("button.link", { onclick: open }, "Relate");
    return h(
      "div.actions",
      h("button.link", { onclick: () => newTask(store, { parent: id }) }, "New subtask"),
      opener,
      form,
    );
  }

  return {
    element: section,
    draw() {
      section.querySelector(".actions").hidden = !store.mayWrite;
      const now = rows();
      const state =
        JSON.stringify(now.map(([kind, other]) => [kind, other, store.task(other)?.title, store.task(other)?.status])) +
        store.mayWrite;
      if (state === shown) return;
      shown = state;
      renew(list, ...now.map(row));
    },
  };
}
