/** Making a task. */

import { h } from "./dom.js";
import { draftOf } from "./draft.js";
import { dialog, field, select } from "./parts.js";
import { go } from "./route.js";
import { toast } from "./toast.js";
import { capital, nameOf, PRIORITIES } from "./words.js";

/** Make an id of version 7, so that sending the task again makes no second one. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  new DataView(bytes.buffer).setBigUint64(0, (BigInt(Date.now()) << 16n) | BigInt(bytes[6] << 8) | BigInt(bytes[7]));
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}

/** It had been made already, and only the answer was lost: let it be what was written since. */
async function correct(store, task, json, signal) {
  const isOther = ([name, value]) => JSON.stringify(value) !== JSON.stringify(task[name]);
  const left = Object.fromEntries(Object.entries(json).filter(isOther));
  if (Object.keys(left).length) await store.request("PATCH", `tasks/${task.id}/`, { json: left, signal });
}

/** Ask for a new task; `values` are what it begins with. */
export function newTask(store, values = {}) {
  if (!store.mayWrite) return;
  const draft = draftOf("task", store, values.parent ?? store.project.id); // {id, title, …}
  if (store.task(draft.get()?.id)) draft.drop(); // it was made, and only the answer lost
  if (values.status && draft.get()) draft.set({ ...draft.get(), status: values.status });
  const usual = store.statuses.find(({ is_default: isDefault }) => isDefault)?.slug;
  const status = select(
    store.statuses.map(({ slug, name }) => [slug, name]),
    values.status ?? usual,
    { name: "status" },
  );
  const priority = select(
    PRIORITIES.toReversed().map((one) => [one, capital(one)]),
    "none",
    { name: "priority" },
  );
  const people = [["", "Nobody"], ...store.people.map((user) => [user.id, nameOf(user)])];
  dialog(
    `New task in ${store.project.name}`,
    [
      h("input", { type: "hidden", name: "id", value: newId() }),
      field("Title", h("input", { name: "title", required: true, maxlength: 255, autocomplete: "off" })),
      field("Description", h("textarea", { name: "description", rows: 5 }), "Markdown: **bold**, `code`, lists, links"),
      h(
        "div.row",
        field("Status", status),
        field("Priority", priority),
        field("Assignee", select(people, "", { name: "assignee" })),
      ),
    ],
    {
      button: "Make the task",
      wide: true,
      draft,
      act: async ({ assignee, ...fields }, signal) => {
        const json = { project: store.project.id, ...values, ...fields, assignees: assignee ? [assignee] : [] };
        const answer = await store.hub.request("POST", "tasks/", { json, signal });
        const task = await answer.json();
        if (answer.status === 200) await correct(store, task, json, signal);
        toast(`${task.key} is made.`, { action: ["Open", () => go({ task: task.key })] });
      },
    },
  );
}
