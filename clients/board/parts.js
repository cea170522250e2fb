/** Small things that several views show: people, labels, dates. */

import { h, icon, keepFocus } from "./dom.js";
import { reasons, toast } from "./toast.js";
import { ago, day, daysLeft, initials, moment, nameOf } from "./words.js";

/** Give one of eight hues by an id; the stylesheet knows their colours. */
const hue = (id) => parseInt(id.slice(-2), 16) % 8;

export function avatar(user) {
  const name = user ? nameOf(user) : "A former member";
  return h(
    "span",
    { class: `avatar hue-${user ? hue(user.id) : "none"}`, title: name, role: "img", "aria-label": name },
    user ? initials(user) : "?",
  );
}

/** The dot of a label or its colour; its name stands beside it, in the colour of text. */
export function dot(color) {
  const element = h("span.dot", { "aria-hidden": "true" });
  element.style.setProperty("--color", color);
  return element;
}

export const chip = (label) => h("span.chip", dot(label.color), h("bdi", label.name));

export function dueChip(task) {
  const left = daysLeft(task.due_date);
  const state = task.completed_at ? "" : left < 0 ? "late" : left <= 2 ? "soon" : "";
  const words = state === "late" ? "Overdue: " : "Due ";
  return h(
    "span",
    { class: `due ${state}` },
    icon("calendar"),
    h("span.unseen", words),
    h("time", { datetime: task.due_date }, day(task.due_date)),
  );
}

/** How long ago something was; it goes on counting. */
export const since = (at) => h("time.since", { datetime: at, title: moment(at) }, ago(at));

setInterval(() => {
  for (const time of /** @type {NodeListOf<HTMLTimeElement>} */ (document.querySelectorAll("time.since"))) {
    const words = ago(time.dateTime);
    if (time.textContent !== words) time.textContent = words;
  }
}, 60_000);

/** A sign of the status's category, as a ring that fills. */
export const ring = (category) => h("span", { class: `ring ${category}`, "aria-hidden": "true" });

let helps = 0;

/** A field with its label above; `help` stands below. */
export function field(label, control, help) {
  if (!help) return h("label.field", h("span", label), control);
  const id = `help-${++helps}`;
  control.setAttribute("aria-describedby", id);
  return h("div.field", h("label.field", h("span", label), control), h("small", { id }, help));
}

/** A select of [value, words], of which one is chosen. */
export function select(options, chosen, props = {}) {
  return h(
    "select",
    props,
    options.map(([value, words]) => h("option", { value, selected: value === chosen }, words)),
  );
}

/**
 * Open a modal dialog with a form in it; `act` gets the form's values, and it stays open while that fails. A request
 * that is given the signal, too, ends with it: what was cancelled must not be sent later. Third `act` gets those values
 * that are other than at the opening: to save the rest would undo what others made of it meanwhile. Where there is a
 * draft, what is written is kept in it until `act` succeeds or it is cancelled.
 *
 * @param {string} title
 * @param {any} content
 * @param {{ act?: (values: any, signal: AbortSignal, changed: any) => any, draft?: any, button?: string, kind?: string, wide?: boolean }} [options]
 */
export function dialog(title, content, { act, draft, button = "Save", kind = "primary", wide = false } = {}) {
  const failure = h("p.failure", { role: "alert", hidden: true });
  let isBusy = false; // else an impatient second click would do it twice
  const closing = new AbortController();
  const close = () => box.close();
  const giveUp = () => {
    draft?.drop();
    close();
  };
  const cancel = h("button", { type: "button", onclick: giveUp }, "Cancel");
  const values = () => Object.fromEntries(new FormData(form));
  /** What is written while it is sent would be lost. */
  const freeze = (isFrozen) => {
    for (const part of form.children) {
      if (!part.matches("header, footer, .failure")) /** @type {HTMLElement} */ (part).inert = isFrozen;
    }
  };
  const form = h(
    "form",
    {
      method: "dialog",
      oninput: () => draft?.set(values()),
      onsubmit: async (event) => {
        event.preventDefault();
        if (isBusy) return;
        isBusy = true;
        failure.hidden = true;
        const [now, focused] = [values(), /** @type {HTMLElement} */ (document.activeElement)];
        const changed = Object.fromEntries(Object.entries(now).filter(([name, value]) => value !== opened[name]));
        freeze(true);
        try {
          if ((await act?.(now, closing.signal, changed)) !== false) {
            draft?.drop();
            close();
          }
        } catch (error) {
          failure.textContent = reasons(error);
          failure.hidden = false;
        }
        isBusy = false;
        freeze(false);
        if (!box.contains(document.activeElement)) focused.focus();
      },
    },
    h(
      "header",
      h("h2", title),
      h("button", { type: "button", class: "bare", "aria-label": "Close", onclick: close }, icon("close")),
    ),
    content,
    failure,
    act && h("footer", cancel, h("button", { class: kind }, button)),
  );
  const onclose = () => {
    closing.abort();
    box.remove();
    keepFocus();
  };
  const box = h("dialog", { class: wide ? "wide" : "", "aria-label": title, onclose }, form);
  const opened = values();
  for (const [name, value] of Object.entries(draft?.get() ?? {})) form.elements[name].value = value;
  document.body.append(box);
  box.showModal();
  /** @type {HTMLElement} */ (box.querySelector("input:not([type=hidden]), textarea, select") ?? cancel).focus(); // which does no harm
  return box;
}

/** Copy a link; where the browser refuses, or has no clipboard (on plain HTTP), show it to be copied by hand. */
export async function copyLink(link) {
  try {
    await navigator.clipboard.writeText(link);
    toast("The link is copied.");
  } catch {
    const onfocus = ({ target }) => target.select();
    dialog("Copy the link by hand", h("input", { readonly: true, value: link, "aria-label": "The link", onfocus }));
  }
}

/** Ask before something that cannot be undone. */
export const ask = (title, words, button, act) => dialog(title, h("p", words), { button, kind: "danger", act });
