/** A task's page beside the board: everything of it, to be changed where it stands. */

import { change } from "./collision.js";
import { activity } from "./activity.js";
import { describe } from "./description.js";
import { h, icon, menu, option } from "./dom.js";
import { draftOf } from "./draft.js";
import { fieldsOf } from "./fields.js";
import { ask, copyLink } from "./parts.js";
import { related } from "./relations.js";
import { address, go } from "./route.js";
import { toast } from "./toast.js";
import { moment } from "./words.js";

/** Make the drawer of the task of this key. */
export function openDrawer(store, key) {
  const id = store.taskOfKey(key)?.id;
  const head = h("header", h("strong.key", key), h("span.grow"));
  const leave = () => go({ task: null });
  const closer = h("button.bare", { "aria-label": "Close the task", onclick: leave }, icon("close"));
  const aside = h("aside.drawer", { "aria-label": `Task ${key}`, tabindex: "-1" }, head);
  aside.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) leave();
  });
  if (!id) {
    head.append(closer);
    aside.append(h("p.empty", `There is no ${key} here. It may have been deleted.`));
    return { element: aside, draw() {}, tell() {}, refresh() {} };
  }

  let isGone = false;
  const task = () => store.task(id);
  const link = () => location.origin + address({ task: key, filters: {}, view: "board" });
  const mayDelete = () => store.mayWrite && (store.isAdmin || task()?.created_by === store.me.id);
  const save = (values, base = task()) => change(store, base, values);
  const title = titleOf();
  const description = describe(store, id, save);
  const fields = fieldsOf(store, id, save);
  const links = related(store, id, save);
  const history = activity(store, id);
  const made = h("p.quiet");
  const remove = menu(
    [icon("more"), h("span.unseen", "More")],
    (details) => [
      option(details, () => copyLink(link()), "Copy the link"),
      mayDelete() && option(details, askToDelete, "Delete", "danger"),
    ],
    { class: "bare" },
  );
  head.append(remove, closer);
  aside.append(
    h("div.scroll", title.element, fields.element, description.element, links.element, history.element, made),
  );

  function askToDelete() {
    ask(`Delete ${key}?`, "Its comments go with it. This cannot be undone.", "Delete", async (_, signal) => {
      await store.request("DELETE", `tasks/${id}/`, { signal });
      leave();
    });
  }

  /** What it looked like when this person began to edit is what the edit rests on, until it is saved or given up. */
  function titleOf() {
    const draft = draftOf("title", store, id); // {base, words}
    const left = draft.get();
    let base = left?.base ?? null;
    let isSaving = false;
    const written = () => area.value.replace(/\s+/g, " ").trim();

    async function keep() {
      if (isSaving || !base || !store.mayWrite) return;
      const words = written();
      if (words && words !== base.title) {
        isSaving = true;
        const saved = await save({ title: words }, base);
        isSaving = false;
        if (saved === null) return; // what was written stays there
        if (saved && written() !== words) {
          base = saved; // what was written meanwhile rests on it
          if (document.activeElement !== area) keep();
          return;
        }
      }
      end();
      if (task()) draw();
    }

    function end() {
      draft.drop();
      base = null;
    }

    const area = h("textarea.title", {
      rows: 1,
      maxlength: 255,
      "aria-label": "Title",
      value: left?.words ?? "",
      onfocus: () => (base ??= task()),
      oninput: () => {
        base ??= task();
        draft.set({ base, words: area.value });
        fit(area);
      },
      onblur: keep,
      onkeydown: (event) => {
        if (event.key === "Escape") {
          event.preventDefault();
          end();
          area.value = task().title;
          fit(area);
        }
        if (event.key === "Enter" || event.key === "Escape") {
          event.preventDefault();
          area.blur();
          aside.focus();
        }
      },
    });
    new ResizeObserver(() => fit(area)).observe(area); // it has a width once it is shown
    if (left) toast("The title is not saved yet: enter in it saves it, escape gives it up.");
    return {
      element: area,
      unsaved: () => draft.get()?.words,
      draw({ title }) {
        area.readOnly = !store.mayWrite;
        const isIdle = document.activeElement !== area && !store.isPending(id);
        if (base && isIdle && written() === title) end(); // only the answer was lost
        if (!base && area.value !== title) {
          area.value = title;
          fit(area);
        }
      },
    };
  }

  function draw() {
    const now = task();
    if (!now) {
      if (isGone) return; // somebody may be selecting what they wrote
      isGone = true;
      const unsaved = [title, description, history].map((one) => one.unsaved()).filter(Boolean);
      const kept = unsaved.length > 0 && [
        h("p", "What you wrote and had not saved:"),
        unsaved.map((value) => h("textarea", { rows: 8, readonly: true, "aria-label": "Not saved", value })),
      ];
      aside.replaceChildren(head, h("div.scroll", h("p.empty", `${key} was deleted.`), kept));
      return;
    }
    title.draw(now);
    description.draw(now);
    fields.draw(now);
    links.draw();
    history.draw();
    made.textContent = `Made by ${store.nameOf(now.created_by)} on ${moment(now.created_at)}`;
  }

  draw();
  return { element: aside, id, draw, tell: history.tell, refresh: history.refresh };
}

const FITS = CSS.supports("field-sizing", "content");

/** Make a text's box as high as the text, in a browser that does not do so by itself. */
function fit(area) {
  if (FITS) return;
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight + area.offsetHeight - area.clientHeight}px`; // with its edges
}
