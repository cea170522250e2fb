/** The board: a column for each status. Only what has changed is drawn. */

import { arrange, h, icon } from "./dom.js";
import { makeCard, mark, paint } from "./card.js";
import { dragging } from "./drag.js";
import { matcher } from "./filters.js";
import { ring } from "./parts.js";
import { current } from "./route.js";
import { Store } from "./store.js";
import { newTask } from "./newtask.js";
import { count } from "./words.js";

const GLIDES = 200; // milliseconds
const MANY = 30; // that glide at once

export function boardView(store, selection) {
  const root = h("div.board", { role: "group", "aria-label": "Board" });
  const cards = new Map(); // by id: {element, painted: what it shows, isParent}
  const columns = new Map(); // by slug
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)");

  function columnOf(status) {
    const list = h("ol.cards", { "data-status": status.slug });
    const title = h("h2");
    const number = h("span.number");
    const add = h(
      "button.bare",
      { title: "New task", onclick: () => newTask(store, { status: status.slug }) },
      icon("plus"),
    );
    const empty = h("p.empty", "No tasks");
    const element = h("section.column", { "data-status": status.slug }, h("header", title, number, add), list, empty);
    return { element, list, title, number, add, empty, name: null };
  }

  function drawColumn(column, status, tasks, isFiltered) {
    const name = `${status.name}\n${status.category}\n${store.mayWrite}`;
    if (column.name !== name) {
      column.name = name;
      column.title.replaceChildren(ring(status.category), status.name);
      column.element.setAttribute("aria-label", status.name);
      column.add.setAttribute("aria-label", `New task in ${status.name}`);
      column.add.hidden = !store.mayWrite;
      column.list.setAttribute("aria-label", status.name);
    }
    column.number.textContent = String(tasks.length);
    column.number.title = count(tasks.length, "task");
    column.empty.hidden = tasks.length > 0;
    column.empty.textContent = isFiltered ? "Nothing fits the filters" : "No tasks";
    arrange(
      column.list,
      tasks.map(({ id }) => cards.get(id).element),
    );
  }

  /** Draw what has changed: the tasks of these ids, or all. */
  function draw(ids = null) {
    const { filters } = current();
    const fits = matcher(filters, store);
    const byStatus = new Map(store.statuses.map((status) => [status.slug, []]));
    drag.check(byStatus);
    const children = store.subtasks;
    const focused = nearFocus();
    const before = isCalm.matches || !ids || ids.size > MANY ? null : places(ids);
    const seen = new Set();
    for (const task of store.tasks) {
      const isShown = fits(task) || drag.isHeld(task.id); // a filter takes nothing out of a hand
      if (!isShown || !byStatus.has(task.status)) continue;
      byStatus.get(task.status).push(task);
      seen.add(task.id);
      let card = cards.get(task.id);
      if (!card) cards.set(task.id, (card = { element: makeCard(task.id), painted: null }));
      const isParent = children.has(task.id) || card.isParent; // the last subtask may have gone
      card.isParent = children.has(task.id);
      if (card.painted && ids && !ids.has(task.id) && !isParent) continue;
      const shown = JSON.stringify([
        task,
        children.get(task.id)?.map(({ completed_at: at }) => at),
        selection.ids.has(task.id),
        store.isPending(task.id),
      ]);
      if (card.painted === shown && ids) continue;
      card.painted = shown;
      paint(card.element, task, store, selection, children.get(task.id) ?? []);
    }
    for (const id of cards.keys()) if (!seen.has(id)) cards.delete(id);
    for (const status of store.statuses) {
      if (!columns.has(status.slug)) columns.set(status.slug, columnOf(status));
      const tasks = byStatus.get(status.slug).sort(Store.byPlace);
      drawColumn(columns.get(status.slug), status, tasks, Object.keys(filters).length > 0);
    }
    arrange(
      root,
      store.statuses.map(({ slug }) => columns.get(slug).element),
    );
    if (before) glide(before);
    const [card, ...beside] = focused;
    if (!card || card.isConnected) return;
    const near = [...beside, root].find((one) => one?.isConnected).querySelector("a");
    (near ?? root.closest("[tabindex]")).focus();
  }

  /** The card that has the focus, and those that get it should that one go. */
  function nearFocus() {
    const card = root.contains(document.activeElement) && document.activeElement.closest(".card");
    return card ? [card, card.nextElementSibling, card.previousElementSibling] : [];
  }

  function places(ids) {
    const shown = [...ids].map((id) => cards.get(id)?.element).filter((element) => element?.isConnected);
    return shown.map((element) => [element, element.getBoundingClientRect()]);
  }

  /** Let the cards that moved come from where they were. */
  function glide(before) {
    for (const [element, { left, top }] of before) {
      if (!element.isConnected || element.classList.contains("lifted")) continue;
      const now = element.getBoundingClientRect();
      const [x, y] = [left - now.left, top - now.top];
      if (!x && !y) continue;
      element.animate({ transform: [`translate(${x}px, ${y}px)`, "none"] }, { duration: GLIDES, easing: "ease-out" });
    }
  }

  function replace(id) {
    const { element: old } = cards.get(id);
    const element = makeCard(id);
    old.before(element);
    cards.set(id, { element, painted: null });
    draw(new Set([id]));
    return element;
  }

  const drag = dragging(root, store, { draw, replace });
  return {
    element: root,
    draw,
    close: () => drag.close(),
    mark(id, name) {
      const card = cards.get(id);
      if (card) mark(card.element, name);
    },
    focus(id) {
      cards.get(id)?.element.querySelector("a").focus();
    },
  };
}
