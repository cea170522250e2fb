/** A task's description: Markdown that is shown, or being edited. What is written is kept until it is saved or given up. */

import { h } from "./dom.js";
import { markdown } from "./markdown.js";
import { address } from "./route.js";

const drafts = new Map(); // by task: {base: what the task was, words}, also while its drawer is closed

/** `save(values, base)` gives null if it failed. */
export function describe(store, id, save) {
  const element = h("section.description", { "aria-label": "Description" });
  let shown = null;

  function edit() {
    const { base, words } = drafts.get(id) ?? { base: store.task(id), words: store.task(id).description };
    const area = h("textarea", {
      rows: Math.min(24, Math.max(6, words.split("\n").length + 2)),
      "aria-label": "Description, in Markdown",
      value: words,
      oninput: () => drafts.set(id, { base, words: area.value }),
      onkeydown: (event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send();
        if (event.key === "Escape") event.preventDefault(); // or one key would close it all
      },
    });
    const collides = "It was changed by somebody else meanwhile. You will see both when you save.";
    const send = async () => {
      const isSaved = area.value === base.description || (await save({ description: area.value }, base)) !== null;
      if (isSaved) end();
    };
    drafts.set(id, { base, words });
    element.replaceChildren(
      h("h3", "Description"),
      area,
      h("p.warning", { hidden: true, role: "status" }, collides),
      h("div.row.end", h("button", { onclick: end }, "Cancel"), h("button.primary", { onclick: send }, "Save")),
    );
    area.focus();
  }

  function end() {
    drafts.delete(id);
    shown = null;
    draw(store.task(id));
    /** @type {HTMLElement} */ (element.querySelector("button"))?.focus();
  }

  function draw(task) {
    if (!task) return;
    const draft = drafts.get(id);
    if (draft && store.mayWrite) {
      if (!element.querySelector("textarea")) edit();
      const warning = /** @type {HTMLElement} */ (element.querySelector(".warning"));
      warning.hidden = task.description === draft.base.description;
      return;
    }
    const now = `${store.mayWrite}${task.description}`;
    if (shown === now) return;
    shown = now;
    const linked = (word) => (store.taskOfKey(word) ? address({ task: word }) : null);
    const words = task.description.trim() ? markdown(task.description, linked) : h("p.quiet", "None yet.");
    const button = store.mayWrite && h("button.link", { onclick: edit }, "Edit");
    element.replaceChildren(h("div.heading", h("h3", "Description"), button), h("div.prose", words));
  }

  return { element, draw, unsaved: () => drafts.get(id)?.words };
}
