/** What is written and not saved yet. It outlives a reload and the end of a login, and nobody else is shown it. */

/** The draft that a person has of something of a task, in this tab. */
export function draftOf(what, store, id) {
  const name = `tickethub.draft.${what}.${store.me.id}.${id}`;
  return {
    get: () => JSON.parse(sessionStorage.getItem(name)),
    set: (draft) => sessionStorage.setItem(name, JSON.stringify(draft)),
    drop: () => sessionStorage.removeItem(name),
  };
}
