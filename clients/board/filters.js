/** The bar of filters above the board and the list, and what a task has to be for them. */

import { h, icon, later, menu } from "./dom.js";
import { dot, ring, select } from "./parts.js";
import { current, go } from "./route.js";
import { capital, nameOf, PRIORITIES } from "./words.js";

const TYPING = 200; // milliseconds
const SINGLE = new Set(["due_before"]); // filters that the API takes one value of

/** Give a test of tasks, as the API's filters would find them. */
export function matcher(filters, store) {
  const words = (filters.search?.[0] ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const [dueBefore] = filters.due_before ?? [];
  const isAssigned = (task, value) =>
    value === "none" ? !task.assignees.length : task.assignees.includes(value === "me" ? store.me.id : value);
  return (task) =>
    (!filters.status || filters.status.includes(task.status)) &&
    (!filters.priority || filters.priority.includes(task.priority)) &&
    (!filters.label || filters.label.some((id) => task.labels.includes(id))) &&
    (!filters.assignee || filters.assignee.some((value) => isAssigned(task, value))) &&
    (!dueBefore || (task.due_date !== null && task.due_date < dueBefore)) &&
    words.every(
      (word) => task.key.toLowerCase() === word || `${task.title}\n${task.description}`.toLowerCase().includes(word),
    );
}

/** The first day that is not within a week, by this person's calendar, as all else that says when something is due. */
function inAWeek() {
  const day = new Date();
  day.setDate(day.getDate() + 8);
  return [day.getFullYear(), day.getMonth() + 1, day.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
}

/** Make the bar; call its `draw` when the project or the address has changed. */
export function filterBar(store) {
  const search = h("input", {
    type: "search",
    placeholder: "Search",
    "aria-label": "Search tasks",
    "data-shortcut": "/",
    oninput: () => {
      isTyping = true;
      find();
    },
  });
  let isTyping = false; // what is not in the address yet
  const find = later(TYPING, () => {
    isTyping = false;
    set("search", search.value.trim() ? [search.value.trim()] : [], true);
  });
  const clear = h("button.link", { onclick: () => (go({ filters: {} }), search.focus()) }, "Clear");
  const order = h("span.order");
  const menus = h("div.filters");
  const bar = h("div.bar", h("div.search", icon("search"), search), menus, clear, order);

  const choices = {
    status: ["Status", () => store.statuses.map((one) => [one.slug, one.name, ring(one.category)])],
    priority: ["Priority", () => PRIORITIES.map((one) => [one, capital(one)])],
    assignee: [
      "Assignee",
      () => [["me", "Me"], ["none", "Nobody"], ...store.people.map((user) => [user.id, nameOf(user)])],
    ],
    label: ["Label", () => store.labels.map((label) => [label.id, label.name, dot(label.color)])],
    due_before: ["Due", () => [[inAWeek(), "Within a week"]]],
  };

  function set(name, values, replace = false) {
    const { [name]: _, ...filters } = current().filters;
    go({ filters: values.length ? { ...filters, [name]: values } : filters }, { replace });
  }

  const menuOf = ([name, [title, options]]) => {
    const chosen = current().filters[name] ?? [];
    const draw = () =>
      options().map(([value, words, sign]) => {
        const box = h("input", {
          type: "checkbox",
          checked: (current().filters[name] ?? []).includes(value),
          onchange: () => {
            const others = SINGLE.has(name) ? [] : (current().filters[name] ?? []).filter((one) => one !== value);
            set(name, box.checked ? [...others, value] : others);
          },
        });
        return h("label.option", box, sign, words);
      });
    return menu([title, h("span.number")], draw, { "data-filter": name, class: chosen.length ? "on" : "" });
  };
  menus.append(...Object.entries(choices).map(menuOf));

  return {
    element: bar,
    focus: () => search.focus(),
    draw() {
      const { filters, view, ordering } = current();
      const [words = ""] = filters.search ?? [];
      if (!isTyping && search.value.trim() !== words.trim()) search.value = words;
      for (const summary of menus.querySelectorAll("summary")) {
        const number = (filters[summary.dataset.filter] ?? []).length;
        summary.classList.toggle("on", number > 0);
        summary.querySelector(".number").textContent = number ? String(number) : "";
      }
      clear.hidden = !Object.keys(filters).length;
      order.replaceChildren(...(view === "list" ? [orderSelect(ordering)] : []));
    },
  };
}

const ORDERS = [
  ["", "Newest first"],
  ["created_at", "Oldest first"],
  ["-updated_at", "Last changed"],
  ["-priority", "Most urgent"],
  ["due_date", "Due soonest"],
  ["position", "As on the board"],
  ["number", "By number"],
];

function orderSelect(ordering) {
  const known = ORDERS.some(([value]) => value === (ordering ?? ""));
  const options = known ? ORDERS : [...ORDERS, [ordering, ordering]];
  const control = select(options, ordering ?? "", {
    "aria-label": "Order",
    onchange: () => go({ ordering: control.value || null }),
  });
  return control;
}
