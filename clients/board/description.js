/** A task's description: Markdown that is shown, or being edited. What is written is kept until it is saved or given up. */

import { h } from "./dom.js";
import { draftOf } from "./draft.js";
import { markdown } from "./markdown.js";
import { address } from "./route.js";

/** `save(values, base)` gives null if it failed. */
export function describe(store, id, save) {
  const element = h("section.description", { "aria-label": "Description" });
  const draft = draftOf("description", store, id); // {base: what the task was, words}
  let shown = null;

  function edit() {
    const begun = draft.get() ?? { base: store.task(id), words: store.task(id).description };
    const { words } = begun;
    const written = () => ({ ...(draft.get() ?? begun), words: area.value });
    const area = h("textarea", {
      rows: Math.min(24, Math.max(6, words.split("\n").length + 2)),
      "aria-label": "Description, in Markdown",
      value: words,
      oninput: () => draft.set(written()),
      onkeydown: (event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send();
        if (event.key === "Escape") event.preventDefault(); // or one key would close it all
      },
    });
    const collides = "It was changed by somebody else meanwhile. You will see both when you save.";
    let isSaving = false; // a second one would collide with the first
    const send = async () => {
      if (isSaving) return;
      isSaving = true;
      const { base, words: sent } = written();
      const saved = sent !== base.description && (await save({ description: sent }, base));
      isSaving = false;
      if (saved === null) return;
      const left = draft.get();
      const isMore = saved && left && left.words !== sent; // was written meanwhile
      if (isMore) draft.set({ ...left, base: saved });
      else end();
    };
    draft.set(begun);
    element.replaceChildren(
      h("h3", "Description"),
      area,
      h("p.warning", { hidden: true, role: "status" }, collides),
      h("div.row.end", h("button", { onclick: end }, "Cancel"), h("button.primary", { onclick: send }, "Save")),
    );
    area.focus();
  }

  function end() {
    draft.drop();
    shown = null;
    draw(store.task(id));
    /** @type {HTMLElement} */ (element.querySelector("button"))?.focus();
  }

  function draw(task) {
    if (!task) return;
    const written = draft.get();
    if (written && store.mayWrite) {
      if (!element.querySelector("textarea")) edit();
      const warning = /** @type {HTMLElement} */ (element.querySelector(".warning"));
      warning.hidden = store.isPending(id) || task.description === written.base.description;
      return;
    }
    const now = `${store.mayWrite}${task.description}`;
    if (shown === now) return;
    shown = now;
    const linked = (word) => (store.taskOfKey(word) ? address({ task: word }) : null);
    const words = task.description.trim() ? markdown(task.description, linked) : h("p.quiet", "None yet.");
    const button = store.mayWrite && h("button.link", { onclick: edit }, "Edit");
    element.replaceChildren(h("div.heading", h("h3", "Description"), button), h("div.prose", { dir: "auto" }, words));
  }

  return { element, draw, unsaved: () => draft.get()?.words };
}
