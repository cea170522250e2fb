/** A task's status, priority, people, labels and due date, each to be changed by itself. */

import { h, icon, menu, priorityIcon } from "./dom.js";
import { avatar, chip, dot, ring, select } from "./parts.js";
import { complain, toast } from "./toast.js";
import { capital, nameOf, PRIORITIES } from "./words.js";

const [EARLIEST, LATEST] = ["1900-01-01", "2999-12-31"]; // a year beyond is a slip of the finger, or typed by half
const COLORS = ["#d73a4a", "#bf8700", "#2da44e", "#1f6feb", "#a371f7", "#6e7781"];

export function fieldsOf(store, id, save) {
  const element = h("dl.fields", { onfocusout: () => requestAnimationFrame(() => draw(store.task(id))) });
  let shown = null;
  let mightWrite = null; // when the controls were made
  const grow = {}; // by field: add what can be chosen since its control was made

  const signs = {
    status: (task) => ring(store.categoryOf(task.status)),
    priority: (task) => priorityIcon(task.priority),
  };
  const rows = {
    status: ["Status", (task) => [signs.status(task), pick(task, "status", statuses)]],
    priority: ["Priority", (task) => [signs.priority(task), pick(task, "priority", priorities)]],
    assignees: ["Assignees", (task) => many(task, "assignees", people)],
    labels: ["Labels", (task) => many(task, "labels", labels, newLabel)],
    due_date: ["Due", dueDate],
  };
  const priorities = () => PRIORITIES.map((one) => [one, capital(one)]);
  const statuses = () => store.statuses.map(({ slug, name }) => [slug, name]);
  const people = () => store.people.map((user) => [user.id, nameOf(user), avatar(user)]);
  const labels = () => store.labels.map((one) => [one.id, one.name, dot(one.color)]);

  function pick(task, name, options) {
    const onchange = () => save({ [name]: control.value });
    const control = select(options(), task[name], { "aria-label": rows[name][0], disabled: !store.mayWrite, onchange });
    grow[name] = () => {
      const known = new Set([...control.options].map(({ value }) => value));
      for (const [value, words] of options()) if (!known.has(value)) control.add(new Option(words, value));
    };
    return control;
  }

  /** What is picked is saved at once; what is typed on enter or on leaving, for its year is 2, 20 and 202 on the way. */
  function dueDate(task) {
    let base = task; // as this person saw it when they came to the field
    let isTyped = false;
    const begin = () => {
      base = store.task(id);
      isTyped = false;
    };
    const putBack = () => (input.value = base.due_date ?? "");
    const keep = () => {
      const isSame = input.value === (base.due_date ?? "");
      if (input.validity.badInput || !(isSame || input.validity.valid)) {
        toast(`The due date was not changed. ${input.validationMessage}`, { kind: "bad" });
        putBack();
      } else if (!isSame) {
        save({ due_date: input.value || null }, base);
        begin();
      }
    };
    const onkeydown = (event) => {
      if (event.key === "Enter") keep();
      else if (event.key === "Escape" && isTyped) {
        event.preventDefault(); // or it would close the task
        putBack();
        isTyped = false;
      } else isTyped = event.key !== " "; // which opens the calendar
    };
    const input = h("input", {
      type: "date",
      "aria-label": "Due date",
      min: EARLIEST,
      max: LATEST,
      value: task.due_date ?? "",
      disabled: !store.mayWrite,
      onfocus: begin,
      onpointerdown: () => (isTyped = false),
      onkeydown,
      onchange: () => isTyped || keep(),
      onblur: keep,
    });
    return input;
  }

  function chosen(task, name) {
    const who = (one) => h("span.who", avatar(store.person(one)), h("bdi", store.nameOf(one)));
    const ids = task[name];
    const parts = name === "labels" ? store.labels.filter((one) => ids.includes(one.id)).map(chip) : ids.map(who);
    return parts.length ? parts : [h("span.quiet", "None")];
  }

  /** A list of ids that is changed one by one, so that what others add meanwhile stays. */
  function many(task, name, options, more) {
    const summary = h("span.many", chosen(task, name));
    if (!store.mayWrite) return summary;
    const option = ([value, words, sign]) => {
      const without = (seen) => seen[name].filter((one) => one !== value);
      const onchange = () => {
        const isChosen = box.checked;
        save((seen) => ({ [name]: isChosen ? [...without(seen), value] : without(seen) }));
      };
      const box = h("input", { type: "checkbox", value, checked: store.task(id)[name].includes(value), onchange });
      return h("label.option", box, sign, words);
    };
    const details = menu(summary, () => [...options().map(option), more?.()], { says: `${rows[name][0]}: ` });
    grow[name] = () => {
      if (!details.open) return;
      const panel = details.lastElementChild;
      const known = new Set([...panel.querySelectorAll("input")].map(({ value }) => value));
      for (const one of options()) if (!known.has(one[0])) panel.insertBefore(option(one), panel.querySelector("form"));
    };
    return details;
  }

  function newLabel() {
    const name = h("input", { placeholder: "New label", "aria-label": "Name of a new label", maxlength: 50 });
    const onsubmit = async (event) => {
      event.preventDefault();
      try {
        const color = COLORS[store.labels.length % COLORS.length];
        const json = { project: store.project.id, name: name.value.trim(), color };
        const label = await store.request("POST", "labels/", { json });
        name.value = "";
        await save((seen) => ({ labels: [...new Set([...seen.labels, label.id])] }));
      } catch (error) {
        complain(error, "The label was not made.");
      }
    };
    return h("form.option", { onsubmit }, name, h("button.bare", { "aria-label": "Make the label" }, icon("plus")));
  }

  /** While this person is in the fields, what they say changes, and the controls stay. */
  function draw(task) {
    if (!task) return;
    const values = Object.keys(rows).map((name) => task[name]);
    const state = JSON.stringify([values, store.labels, store.people, store.statuses, store.mayWrite]);
    const hasFocus = element.contains(document.activeElement);
    const isBusy = hasFocus || element.querySelector("details[open]");
    if (isBusy && mightWrite === store.mayWrite) return follow(task);
    if (shown === state) return;
    shown = state;
    mightWrite = store.mayWrite;
    const row = ([name, [title, make]]) => [h("dt", title), h("dd", { "data-field": name }, make(task))];
    element.replaceChildren(...Object.entries(rows).flatMap(row));
    if (hasFocus) /** @type {HTMLElement} */ (element.closest("aside")).focus();
  }

  function follow(task) {
    for (const name of Object.keys(signs)) {
      const control = /** @type {HTMLSelectElement} */ (element.querySelector(`[data-field=${name}] select`));
      grow[name]();
      control.value = task[name];
      control.previousElementSibling.replaceWith(signs[name](task));
    }
    for (const name of ["assignees", "labels"]) {
      const field = element.querySelector(`[data-field=${name}]`);
      grow[name]?.();
      field.querySelector(".many").replaceChildren(...chosen(task, name));
      const boxes = /** @type {NodeListOf<HTMLInputElement>} */ (field.querySelectorAll("[type=checkbox]"));
      for (const box of boxes) box.checked = task[name].includes(box.value);
    }
    const due = /** @type {HTMLInputElement} */ (element.querySelector("[type=date]"));
    if (due !== document.activeElement) due.value = task.due_date ?? "";
  }

  return { element, draw };
}
