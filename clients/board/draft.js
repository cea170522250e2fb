/** What is written and not saved yet. It outlives a reload and the end of a login, and nobody else is shown it. */

import { toast } from "./toast.js";

const held = new Map(); // what the browser's storage has no room for

/** The draft that a person has of something of a task, in this tab. */
export function draftOf(what, store, id) {
  const name = `tickethub.draft.${what}.${store.me.id}.${id}`;
  return {
    get: () => JSON.parse(held.get(name) ?? sessionStorage.getItem(name)),
    set(draft) {
      const words = JSON.stringify(draft);
      try {
        sessionStorage.setItem(name, words);
        held.delete(name);
      } catch {
        if (!held.size) toast("This browser's storage is full: what is not saved will not outlive a reload.");
        held.set(name, words);
      }
    },
    drop() {
      held.delete(name);
      sessionStorage.removeItem(name);
    },
  };
}
