/** A task as a card. */

import { h, icon, priorityIcon } from "./dom.js";
import { avatar, chip, dueChip } from "./parts.js";
import { address } from "./route.js";
import { count } from "./words.js";

const LABELS = 3; // more are counted

/** Make the card's element; `paint` fills it, and does so again when its task has changed. */
export function makeCard(id) {
  return h("li.card", { "data-id": id });
}

export function paint(card, task, store, selection, children) {
  const labels = store.labels.filter(({ id }) => task.labels.includes(id));
  const box = store.mayWrite && selection.box(task);
  const link = h(
    "a",
    {
      href: address({ task: task.key }),
      dir: "auto",
      draggable: "false",
      "aria-describedby": store.mayWrite ? "how-to-move" : null,
    },
    task.title,
  );
  card.classList.toggle("pending", store.isPending(task.id));
  card.classList.toggle("picked", selection.ids.has(task.id));
  const done = children.filter(({ completed_at: at }) => at).length;
  const foot = [
    task.due_date && dueChip(task),
    children.length > 0 &&
      h(
        "span.sum",
        { title: `${done} of ${count(children.length, "subtask")} done` },
        icon("tree"),
        `${done}/${children.length}`,
      ),
  ].filter(Boolean);
  const parts = [
    h(
      "div.top",
      h("span.key", task.key),
      h(
        "span",
        { title: `Priority: ${task.priority}` },
        priorityIcon(task.priority),
        h("span.unseen", `Priority: ${task.priority}`),
      ),
      h("span.grow"),
      box,
      h(
        "span.faces",
        task.assignees.map((one) => avatar(store.person(one))),
      ),
    ),
    h("h3", link),
    (labels.length > 0 || foot.length > 0) &&
      h("div.foot", labels.slice(0, LABELS).map(chip), labels.length > LABELS && `+${labels.length - LABELS}`, foot),
  ];
  const focused = card.contains(document.activeElement) ? document.activeElement.className : null;
  card.replaceChildren(...parts.filter(Boolean));
  if (focused !== null) ((focused === "pick" && box) || link).focus({ preventScroll: true });
}

/** Let a card, or a row, show for a while that somebody has just changed it. */
export function mark(element, name) {
  element.classList.remove("touched");
  element.getBoundingClientRect(); // so that the animation begins anew
  element.dataset.by = name;
  element.classList.add("touched");
  element.addEventListener("animationend", () => element.classList.remove("touched"), { once: true });
}
