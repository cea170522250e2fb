/** Two people changed the same of a task: show both, let this person choose or write a third. */

import { h } from "./dom.js";
import { dialog } from "./parts.js";
import { Collision } from "./store.js";
import { capital, PRIORITIES } from "./words.js";
import { complain, toast } from "./toast.js";

const TEXTS = new Set(["title", "description"]);

/** Change the task as `store.change` does; where that collides, ask. Gives null if it failed, false if theirs is taken. */
export async function change(store, base, values) {
  try {
    return await store.change(base, typeof values === "function" ? values : () => values);
  } catch (error) {
    if (error instanceof Collision) return ask(store, error);
    complain(error, `${base.key} was not changed.`);
    return null;
  }
}

/** Gives the changed task, false where theirs is taken, null where nothing is chosen. Until this person has chosen, both are on the page. */
function ask(store, { current, mine, fields }) {
  return new Promise((resolve) => {
    /** @type {Promise<any>} */
    let answer = Promise.resolve(null); // who closes it without a choice goes on writing
    const merged = {};
    const show = (field, value) => h("pre", words(store, field, value));
    const both = fields.map((field) => {
      const isText = TEXTS.has(field);
      if (isText) merged[field] = h("textarea", { rows: 6, "aria-label": `Merged ${field}`, value: mine[field] });
      return h(
        "section",
        h("h3", capital(field)),
        h(
          "div.both",
          h("div.theirs", h("h4", "Theirs, as it stands"), show(field, current[field])),
          h("div.yours", h("h4", "Yours, not saved yet"), show(field, mine[field])),
        ),
        isText && h("label.field", h("span", "Or make one of both"), merged[field]),
      );
    });
    const box = dialog(
      `${current.key} was changed meanwhile`,
      [
        h("p", "Somebody else changed the same while you did. Nothing is lost: choose what it should be."),
        both,
        h(
          "footer",
          h("button", { type: "button", onclick: () => choose(Promise.resolve(false)) }, "Take theirs"),
          Object.keys(merged).length > 0 &&
            h(
              "button",
              {
                type: "button",
                onclick: () =>
                  save({
                    ...mine,
                    ...Object.fromEntries(Object.entries(merged).map(([name, area]) => [name, area.value])),
                  }),
              },
              "Save the merged text",
            ),
          h("button", { type: "button", class: "primary", onclick: () => save(mine) }, "Keep mine"),
        ),
      ],
      { wide: true },
    );
    const save = (values) => choose(change(store, current, values));
    function choose(result) {
      answer = result;
      box.close();
    }
    box.addEventListener("close", () => {
      resolve(answer);
      answer.then((task) => task && toast(`${task.key} is saved.`));
    });
  });
}

function words(store, field, value) {
  if (value === null || value === "") return "(nothing)";
  if (field === "status") return store.statusName(value);
  if (field === "parent") return store.keyOf(value);
  return PRIORITIES.includes(value) ? capital(value) : String(value);
}
