/** What is said in passing: notes at the edge, and words for a screen reader alone. */

import { h, icon, keepFocus } from "./dom.js";

const STAYS = 6000; // milliseconds
const MOST = 4;
const HOVERS = matchMedia("(hover: hover)"); // a finger leaves what it touched hovered

const notes = h("div.toasts", { role: "status", "aria-live": "polite", "aria-atomic": "false" }); // or all are heard again
const spoken = h("div.unseen", { "aria-live": "assertive" });

export function mount() {
  document.body.append(notes, spoken);
}

/** Show a note for some seconds, and while somebody is at it. One with the same `name` is replaced. `action` is [words, what to do]. */
export function toast(words, { kind = "plain", name = null, action = null, stays = STAYS } = {}) {
  if (name) close(notes.querySelector(`[data-name="${CSS.escape(name)}"]`));
  const note = h("div", { class: `toast ${kind}`, "data-name": name }, h("span", words));
  const end = () => close(note);
  const wait = () =>
    setTimeout(() => (note.matches(`:focus-within${HOVERS.matches ? ", :hover" : ""}`) ? wait() : end()), stays);
  if (action) note.append(h("button.link", { onclick: () => (end(), action[1]()) }, action[0]));
  note.append(h("button.bare", { "aria-label": "Close this note", onclick: end }, icon("close")));
  notes.append(note);
  while (notes.children.length > MOST) close(notes.firstElementChild);
  wait();
}

function close(note) {
  const hadFocus = note?.contains(document.activeElement);
  note?.remove();
  if (hadFocus) keepFocus();
}

/** Tell of a failure as the server, or the browser, says it. */
export function complain(error, doing) {
  const words = error.detail ? reasons(error) : "The server could not be reached.";
  toast(`${doing} ${words}`, { kind: "bad" });
}

/** Give what is wrong, with the fields that it is about. */
export function reasons(error) {
  const fields = Object.entries(error.body?.errors ?? {});
  const name = (field) => (field === "non_field_errors" ? "" : `${field.replaceAll("_", " ")}: `);
  const told = fields.map(
    ([field, list]) =>
      name(field) +
      [list]
        .flat()
        .map((one) => one.detail ?? "")
        .join(" "),
  );
  return told.join(" ") || error.detail || "The server could not be reached.";
}

/** Say something to who hears the page. */
export function say(words) {
  spoken.textContent = spoken.textContent === words ? `${words}\u00a0` : words; // or it would not be said again
}
