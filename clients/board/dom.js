/** Making and changing the page, without ever parsing text as HTML. */

/**
 * Make an element: `h("button.quiet", { onclick: save }, "Save")`. What begins with `on` listens; what an element has as a
 * property of another kind than text (`checked`, `value`, `disabled` …) is set; all else is an attribute.
 */
export function h(name, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  if (tag === "input" || tag === "textarea") element.dir = "auto"; // as what is written in it
  if (children[0]?.constructor === Object) fill(element, children.shift());
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "selected", "open", "indeterminate"]);

function fill(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) element[name] = value;
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
}

/**
 * Let the parent hold these children in this order, and touch none that stays where it is. Focus survives a move. A
 * `ghost` is nobody's: what a finger holds has to stay in its place of the page, or the browser takes it for lost.
 */
export function arrange(parent, children) {
  const wanted = new Set(children);
  const isGhost = (child) => child?.classList.contains("ghost");
  for (const child of [...parent.children]) if (!wanted.has(child) && !isGhost(child)) child.remove();
  const focused = document.activeElement;
  let at = parent.firstElementChild;
  for (const child of children) {
    while (isGhost(at)) at = at.nextElementSibling;
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
  }
  if (focused instanceof HTMLElement && focused !== document.activeElement && parent.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
}

/**
 * Put new children in the place of all old ones. A control that has the focus hands it to the one in its place, in the
 * same `data-row` where there are rows; where there is none, what is around it has the focus.
 */
export function renew(element, ...children) {
  const active = document.activeElement;
  const focused = active?.closest(".panel")?.previousElementSibling ?? active; // for the menu will be closed
  const hasFocus = focused !== element && element.contains(focused);
  const row = focused?.closest("[data-row]")?.getAttribute("data-row");
  const controls = () => {
    const rows =
      row && [...element.querySelectorAll("[data-row]")].filter((one) => one.getAttribute("data-row") === row);
    return (rows || [element]).flatMap((one) => [...one.querySelectorAll("a, summary, button, select, input")]);
  };
  const at = hasFocus ? controls().indexOf(focused) : -1;
  element.replaceChildren(...children);
  if (hasFocus) (controls()[at] ?? element.closest("[tabindex]"))?.focus();
}

/** Give the focus to the open task, else to the page, where what had it is gone. */
export function keepFocus() {
  if (document.activeElement !== document.body) return;
  /** @type {HTMLElement} */ (document.querySelector(".drawer") ?? document.querySelector("main"))?.focus();
}

/** Call it once, in the next frame, however often it is asked for; soon where the page is hidden and has no frames. */
export function once(act) {
  let isPlanned = false;
  const run = () => {
    isPlanned = false;
    act();
  };
  return () => {
    if (isPlanned) return;
    isPlanned = true;
    if (document.hidden) setTimeout(run);
    else requestAnimationFrame(run);
  };
}

/** Call it when nothing more has been asked for a while. */
export function later(milliseconds, act) {
  let timer;
  return (...words) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...words), milliseconds);
  };
}

const ICONS = {
  board: "M3 3h4v14H3zM8.5 3h4v9h-4zM14 3h3v6h-3z",
  list: "M3 4.5h14M3 10h14M3 15.5h14",
  people:
    "M7.5 9a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2 17c0-3 2.4-5 5.5-5s5.5 2 5.5 5M13 3.5a3 3 0 0 1 0 5.5M15 12.3c2 .7 3 2.4 3 4.700",
  plus: "M10 4v12M4 10h12",
  close: "M5 5l10 10M15 5L5 15",
  search: "M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12zM13.5 13.5L17 17",
  more: "M4 10h.01M10 10h.01M16 10h.01",
  down: "M5 8l5 5 5-5",
  calendar: "M3 5h14v12H3zM3 8.5h14M7 3v3M13 3v3",
  tree: "M5 3v9a2 2 0 0 0 2 2h8M5 7h8",
  bell: "M10 3v7M10 16h.01",
};

/** Draw one of the icons, which say nothing to a screen reader. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(svg.namespaceURI, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

const BARS = { low: 1, medium: 2, high: 3 };

/** Draw a priority: rising bars, a sign for urgent, dots for none. */
export function priorityIcon(priority) {
  const svg = icon(priority === "urgent" ? "bell" : "more");
  svg.setAttribute("class", `icon priority ${priority}`);
  if (!BARS[priority]) return svg;
  svg.replaceChildren(
    ...[1, 2, 3].map((bar) => {
      const rect = document.createElementNS(svg.namespaceURI, "rect");
      const values = { x: bar * 5 - 2.5, y: 17 - bar * 4.5, width: 3, height: bar * 4.5, rx: 1 };
      for (const [name, value] of Object.entries(values)) rect.setAttribute(name, String(value));
      if (bar > BARS[priority]) rect.setAttribute("class", "faint");
      return rect;
    }),
  );
  return svg;
}

const EDGE = 8; // pixels, of the window, that a panel leaves free

/**
 * A button whose panel opens below it; `draw()` gives what is in it, each time. `says` is for who hears its name.
 *
 * @param {any} label
 * @param {(details: HTMLDetailsElement) => any} draw
 * @param {any} [props]
 */
export function menu(label, draw, { says = "", ...props } = {}) {
  const panel = h("div.panel", { tabindex: -1 }); // where the focus goes when words in it are clicked
  const summary = h("summary", props, says && h("span.unseen", says), label);
  const details = h("details.menu", {
    ontoggle: () => {
      panel.replaceChildren(...(details.open ? [draw(details)].flat().filter(Boolean) : []));
      if (details.open) place(panel);
    },
    onfocusout: ({ relatedTarget: next }) => {
      if (next && !details.contains(/** @type {Node} */ (next))) details.open = false;
    },
    onkeydown: (event) => {
      if (event.key !== "Escape" || !details.open) return;
      event.stopPropagation();
      details.open = false;
      summary.focus();
    },
  });
  details.append(summary, panel);
  return details;
}

/** What is chosen from a menu, which closes, and has the focus again. */
export function option(details, act, words, kind = "") {
  const choose = () => {
    details.open = false;
    details.firstElementChild.focus();
    act();
  };
  return h("button", { class: `option ${kind}`, onclick: choose }, words);
}

/** Keep a panel within the window. */
function place(panel) {
  panel.classList.remove("to-left", "to-top");
  panel.style.maxHeight = "";
  const { right, bottom, height } = panel.getBoundingClientRect();
  panel.classList.toggle("to-left", right > innerWidth - EDGE);
  panel.classList.toggle("to-top", bottom > innerHeight - EDGE && height < innerHeight / 2);
  if (panel.closest(".scroll")) return; // which grows with it; the window does not scroll
  const beyond = panel.getBoundingClientRect().bottom - innerHeight + EDGE;
  if (beyond > 0) panel.style.maxHeight = `${height - beyond}px`;
}

// Enter and Escape that end what an input method composes are for that alone.
addEventListener("keydown", (event) => event.isComposing && event.stopImmediatePropagation(), { capture: true });

document.addEventListener("pointerdown", ({ target }) => {
  for (const open of document.querySelectorAll("details.menu[open]")) {
    if (!open.contains(/** @type {Node} */ (target))) /** @type {HTMLDetailsElement} */ (open).open = false;
  }
});
