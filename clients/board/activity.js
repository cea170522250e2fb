/** What became of a task: its comments and, from the log, its history. Both are loaded when it is opened, then follow. */

import { arrange, h, icon, keepFocus, renew } from "./dom.js";
import { draftOf } from "./draft.js";
import { markdown } from "./markdown.js";
import { ask, avatar, dialog, since } from "./parts.js";
import { address } from "./route.js";
import { complain } from "./toast.js";
import { moment, tell } from "./words.js";

const joined = (...texts) => texts.filter(Boolean).join("\n\n");
const without = (words, body) =>
  `${words}\n\n`.startsWith(`${body}\n\n`) ? words.slice(body.length).trimStart() : words;

const underWay = new Set(); // comments, of drawers that were closed meanwhile, too: none is to be sent twice at once

export function activity(store, id) {
  const comments = new Map();
  const events = new Map(); // by number
  const items = new Map(); // by what they are of: {element, state: what it shows}
  const told = new Set(); // comments of which an event told: what is loaded may be older
  const gone = new Set(); // those that were deleted, of any task: what is loaded or answered later may still have them
  let asked = 0; // times of loading, of which the last counts
  let state = "loading"; // then "loaded" or "failed"
  const draft = draftOf("comment", store, id); // {words: what is being sent, too; since}
  const sending = [];
  let sentAfter = draft.get()?.since ?? null; // the newest comment when words were sent of which nobody knows if they arrived
  let isUnsure = sentAfter !== null; // whether some of the box may have arrived
  const list = h("ol.activity", h("li.quiet", "Loading…"));
  const box = h("textarea", {
    rows: 2,
    value: draft.get()?.words ?? "",
    oninput: () => write(box.value),
    placeholder: "Write a comment",
    "aria-label": "Write a comment, in Markdown",
    onkeydown: (event) => (event.ctrlKey || event.metaKey) && event.key === "Enter" && send(event),
  });
  const form = h("form.comment-form", { onsubmit: send }, box, h("button.primary", "Comment"));
  const isBrief = h("input", { type: "checkbox", onchange: () => redraw() });
  const element = h(
    "section",
    { "aria-label": "Activity" },
    h("div.heading", h("h3", "Activity"), h("label.quiet", isBrief, "Comments only")),
    list,
    form,
  );

  async function load() {
    state = "loading";
    const number = ++asked;
    try {
      const rows = await store.hub.load("comments/", { task: id });
      if (number !== asked) return;
      for (const row of Object.values(rows)) if (!told.has(row.id) && !gone.has(row.id)) comments.set(row.id, row);
      for (let after, hasMore = true; hasMore;) {
        const params = { project: store.project.id, task: id, limit: 100, ...(after && { after }) };
        const page = await store.request("GET", "events/", { params });
        if (number !== asked) return;
        for (const event of page.results) events.set(event.seq, event);
        [after, hasMore] = [page.cursor, page.has_more];
      }
      state = "loaded";
      redraw();
    } catch (error) {
      if (number !== asked) return;
      state = "failed";
      renew(list, h("li.failure", "It could not be loaded. ", h("button.link", { onclick: load }, "Try again")));
      complain(error, "");
    }
  }

  async function send(event) {
    event.preventDefault();
    const body = box.value;
    const name = `${id} ${body}`;
    if (!body.trim() || underWay.has(name)) return;
    underWay.add(name);
    if (state === "loaded") sentAfter ??= [...comments.keys()].sort().at(-1) ?? ""; // ids sort by age
    sending.push(body);
    write("");
    try {
      const comment = await store.request("POST", "comments/", { json: { task: id, body } });
      end(body, true);
      keep(comment);
    } catch (error) {
      end(body, false);
      if (!isHere(body)) complain(error, "The comment was not sent.");
      settle();
    } finally {
      underWay.delete(name);
    }
  }

  /** Once the drawer is closed the draft is that of the one opened anew, which shows what was not sent. */
  function end(body, isSent) {
    sending.splice(sending.indexOf(body), 1);
    if (!isSent) isUnsure = true;
    else if (!sending.length && !(isUnsure && box.value)) [sentAfter, isUnsure] = [null, false];
    const left = draft.get();
    if (element.isConnected)
      write(joined(!isSent && body, box.value)); // with what was begun meanwhile
    else if (isSent && left) put({ ...left, words: without(left.words, body) });
  }

  function write(words) {
    if (box.value !== words) box.value = words;
    put({ words: joined(...sending, words), since: sentAfter });
  }

  function put(left) {
    if (left.words) draft.set(left);
    else draft.drop();
  }

  const isNew = ({ author, id: one }) => sentAfter !== null && author === store.me.id && one > sentAfter;
  const isHere = (body) => [...comments.values()].some((one) => isNew(one) && one.body === body);

  /** An answer may be lost of what did arrive: it must not be sent again. */
  function settle() {
    if (sending.length || !element.isConnected) return;
    const words = [...comments.values()].filter(isNew).reduce((left, { body }) => without(left, body), box.value);
    if (words !== box.value) write(words);
  }

  function edit(comment) {
    const base = h("input", { type: "hidden", name: "base", value: comment.body }); // what this edit rests on
    const area = h("textarea", { name: "body", rows: 8, "aria-label": "Comment, in Markdown", value: comment.body });
    dialog("Edit the comment", [base, area], {
      draft: draftOf("edit", store, comment.id),
      act: async ({ body }, signal) => {
        const now = (comments.get(comment.id) ?? comment).body;
        const isOther = now !== base.value && now !== body;
        base.value = now;
        if (isOther) throw Object.assign(new Error("collision"), { detail: elsewhere(now) });
        keep(await store.request("PATCH", `comments/${comment.id}/`, { json: { body }, signal }));
      },
    });
  }

  const elsewhere = (body) => `You changed it in another window meanwhile. Save again to replace this: ${body}`;

  function remove(comment) {
    ask("Delete the comment?", "This cannot be undone.", "Delete", (_, signal) =>
      store.request("DELETE", `comments/${comment.id}/`, { signal }),
    );
  }

  /** Take an answer, unless an event that overtook it has told what came after it. */
  function keep(comment) {
    const known = comments.get(comment.id);
    if (!gone.has(comment.id) && !(known?.updated_at > comment.updated_at)) comments.set(comment.id, comment);
    redraw();
  }

  /** Never only some of it, as if that were all: what could not be loaded is loaded now. */
  function redraw() {
    if (state === "failed") load();
    if (state !== "loaded") return;
    settle();
    form.hidden = !store.mayWrite;
    const shown = [...events.values()].filter(({ type }) => !type.startsWith("comment.") || type === "comment.deleted");
    const moments = [
      ...[...comments.values()].map((comment) => [comment.created_at, () => commentItem(comment)]),
      ...(isBrief.checked ? [] : shown.map((event) => [event.at, () => eventItem(event)])),
    ];
    moments.sort(([one], [other]) => one.localeCompare(other));
    const hadFocus = list.contains(document.activeElement);
    arrange(
      list,
      moments.map(([, draw]) => draw()),
    );
    if (hadFocus) keepFocus();
  }

  /** The element of one moment, filled anew only when it says something else: somebody may be selecting of it. */
  function item(key, name, state, fill) {
    const kept = items.get(key) ?? { element: h(name), state: null };
    items.set(key, kept);
    if (kept.state === state) return kept.element;
    kept.state = state;
    renew(kept.element, ...fill());
    return kept.element;
  }

  function eventItem(event) {
    const [name, words] = [store.actorOf(event), ` ${tell(event, store, "it")} · `];
    return item(event.seq, "li.event", name + words, () => [
      h("span", h("strong", h("bdi", name)), words, since(event.at)),
    ]);
  }

  function commentItem(comment) {
    const isOwn = comment.author === store.me.id;
    const linked = (word) => (store.taskOfKey(word) ? address({ task: word }) : null);
    const name = store.actorOf({ actor: comment.author });
    const state = JSON.stringify([comment, name, store.mayWrite, store.isAdmin]);
    return item(comment.id, "li.comment", state, () => [
      avatar(store.person(comment.author)),
      h(
        "div",
        h(
          "header",
          h("strong", h("bdi", name)),
          " ",
          since(comment.created_at),
          comment.edited_at && h("span", { title: moment(comment.edited_at) }, "edited"),
          h("span.grow"),
          isOwn && store.mayWrite && h("button.link", { onclick: () => edit(comment) }, "Edit"),
          store.mayWrite &&
            (isOwn || store.isAdmin) &&
            h("button.bare", { "aria-label": "Delete the comment", onclick: () => remove(comment) }, icon("close")),
        ),
        h("div.prose", { dir: "auto" }, markdown(comment.body, linked)),
      ),
    ]);
  }

  load();
  return {
    element,
    draw: () => (form.hidden = !store.mayWrite),
    /** All was loaded anew, since the events in between are not known any more. */
    refresh() {
      for (const known of [comments, events, told, gone]) known.clear();
      load();
    },
    unsaved: () => draft.get()?.words,
    /** Take an event, if it is of this task. */
    tell(event) {
      const { type, object, id: thing } = event;
      if (type === "comment.deleted") gone.add(thing);
      const isOfTask = type.startsWith("task.") && thing === id;
      const isRelation = type.startsWith("relation.") && store.relates(thing, id);
      const isComment = type.startsWith("comment.") && (object?.task === id || comments.has(thing));
      if (!isOfTask && !isRelation && !isComment) return;
      events.set(event.seq, event);
      if (isComment) told.add(thing);
      if (isComment && object) comments.set(thing, object);
      else if (isComment) comments.delete(thing);
      redraw();
    },
  };
}
