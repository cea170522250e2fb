/** The list: what the API's filters, search and ordering find, in pages; its rows follow the replica. */

import { arrange, h, later, priorityIcon, renew } from "./dom.js";
import { mark } from "./card.js";
import { avatar, chip, dueChip, ring, since } from "./parts.js";
import { address, current } from "./route.js";
import { complain, reasons } from "./toast.js";
import { capital, count } from "./words.js";

const PAGE = 100;
const SETTLES = 300; // milliseconds, in which many events are one reason to ask again

export function listView(store, selection) {
  const found = h("p.quiet", { role: "status" });
  const all = h("input", {
    type: "checkbox",
    "aria-label": "Select all shown",
    onchange: () => selection.set(all.checked ? ids : []),
  });
  const body = h("tbody");
  const heads = ["key", "title", "status", "assignees", "until", "changed"].map((name) =>
    h("th", { scope: "col", class: name }, name === "until" ? "Due" : capital(name)),
  );
  const table = h("table.tasks", h("thead", h("tr", h("th", { scope: "col" }, all), heads)), body);
  const more = h("button", { hidden: true, onclick: () => load(false) }, "Show more");
  const element = h("div.list", found, table, h("div.more", more));
  const rows = new Map();
  let ids = [];
  let asked = 0;
  let shownFor = null;
  let foundFor = null; // what `ids` answer

  /** Ask the API; from the beginning, as many as are shown, or for the next page. */
  async function load(isAnew, size = PAGE) {
    const { filters, ordering } = current();
    const number = ++asked;
    const [before, wasFocused] = [ids.length, document.activeElement === more];
    shownFor = JSON.stringify([filters, ordering]);
    const params = { ...filters, ...(ordering && { ordering }), project: store.project.id };
    try {
      const pages = [];
      for (let offset = isAnew ? 0 : ids.length; ; offset += PAGE) {
        const page = await store.request("GET", "tasks/", { params: { ...params, limit: PAGE, offset } });
        pages.push(...page.results.map(({ id }) => id));
        if (number !== asked) return;
        more.hidden = page.next === null;
        renew(found, count(page.count, "task"));
        if (!isAnew || page.next === null || pages.length >= size) break;
      }
      ids = [...new Set([...(isAnew ? [] : ids), ...pages])];
      foundFor = shownFor;
    } catch (error) {
      if (number !== asked) return;
      const isRefused = error.status === 400; // the filters are; all else may go better soon
      if (isRefused || foundFor !== shownFor) [ids, more.hidden] = [[], true];
      const again = h("button.link", { onclick: reload }, "Try again");
      renew(found, reasons(error), ...(isRefused ? [] : [" ", again]));
      complain(error, "The list could not be loaded.");
    }
    draw();
    if (wasFocused && more.hidden && [more, document.body].includes(document.activeElement))
      rows.get(ids[before])?.querySelector("a").focus();
  }
  const reload = () => load(true, Math.max(PAGE, ids.length));
  const refresh = later(SETTLES, reload);

  function paint(row, task) {
    const status = store.statuses.find(({ slug }) => slug === task.status);
    row.classList.toggle("pending", store.isPending(task.id));
    const focused = row.contains(document.activeElement) ? document.activeElement.className : null;
    row.replaceChildren(
      h("td", store.mayWrite && selection.box(task)),
      h("td.key", task.key),
      h(
        "td.title",
        h(
          "div",
          h(
            "span",
            { title: `Priority: ${task.priority}` },
            priorityIcon(task.priority),
            h("span.unseen", `Priority: ${task.priority}`),
          ),
          h("a", { href: address({ task: task.key }), dir: "auto" }, task.title),
          store.labels.filter(({ id }) => task.labels.includes(id)).map(chip),
        ),
      ),
      h("td.status", h("span.who", ring(status?.category), status?.name)),
      h(
        "td.assignees",
        h(
          "span.faces",
          task.assignees.map((one) => avatar(store.person(one))),
        ),
      ),
      h("td.until", task.due_date && dueChip(task)),
      h("td.changed", since(task.updated_at)),
    );
    if (focused === null) return;
    /** @type {HTMLElement} */ (row.querySelector(focused === "pick" ? ".pick" : "a"))?.focus({ preventScroll: true });
  }

  function draw(changed = null) {
    const { filters, ordering } = current();
    if (shownFor !== JSON.stringify([filters, ordering])) return void load(true);
    const tasks = ids.map((id) => store.task(id)).filter(Boolean);
    for (const task of tasks) {
      const isNew = !rows.has(task.id);
      if (isNew) rows.set(task.id, h("tr", { "data-id": task.id }));
      if (isNew || !changed || changed.has(task.id)) paint(rows.get(task.id), task);
    }
    arrange(
      body,
      tasks.map(({ id }) => rows.get(id)),
    );
    all.checked = tasks.length > 0 && tasks.every(({ id }) => selection.ids.has(id));
    all.disabled = !store.mayWrite;
  }

  return {
    element,
    draw,
    refresh,
    close() {},
    mark(id, name) {
      if (rows.get(id)?.isConnected) mark(rows.get(id), name);
    },
    focus: (id) => rows.get(id)?.querySelector("a").focus(),
  };
}
