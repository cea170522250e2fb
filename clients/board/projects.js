/** The first page: one's projects, and one's tasks in all of them. */

import { h, icon } from "./dom.js";
import { dialog, dueChip, field } from "./parts.js";
import { go } from "./route.js";
import { complain } from "./toast.js";
import { capital, count } from "./words.js";

const MINE = 20; // tasks

export function projectsView(hub, projects, me) {
  const cards = h("ul.projects");
  const mine = h("ul.mine");
  const summary = h("h2", "Your open tasks");
  const counted = h(
    "p.quiet",
    { hidden: !projects.some((one) => one.archived_at) },
    "Those of archived projects, too.",
  );
  const more = h("button", { hidden: true, onclick: () => attempt(showMore) }, "Show more");
  let isAsking = false; // an impatient second click would show it twice
  const element = h(
    "div.page",
    h(
      "div.heading",
      h("h1", "Projects"),
      h("button.primary", { onclick: () => newProject(hub) }, icon("plus"), "New project"),
    ),
    cards,
    h("section.mine-section", summary, counted, mine, more),
  );

  cards.replaceChildren(
    ...projects.map((project) =>
      h(
        "li",
        h(
          "a",
          { href: `/${project.key}/` },
          h("span.badge", project.key),
          h("strong", h("bdi", project.name)),
          h("span.quiet", { dir: "auto" }, project.description || "No description."),
          h("small.quiet", [capital(project.role), project.archived_at && "archived"].filter(Boolean).join(" · ")),
        ),
      ),
    ),
  );
  if (!projects.length)
    cards.replaceChildren(
      h(
        "li.nothing",
        h("strong", "You are in no project yet"),
        h("p.quiet", `Make one, or have somebody invite ${me.email}.`),
      ),
    );

  async function loadMine() {
    const params = {
      assignee: "me",
      status_category: ["backlog", "todo", "in_progress"],
      ordering: "due_date",
      limit: MINE,
      offset: mine.childElementCount,
    };
    const page = await (await hub.request("GET", "tasks/", { params })).json();
    summary.textContent = page.count ? `Your ${count(page.count, "open task")}` : "Your open tasks";
    mine.append(...page.results.map(mineItem));
    if (!page.count) mine.append(h("li.quiet", "Nothing is assigned to you. Enjoy it."));
    more.hidden = page.next === null;
  }

  const mineItem = (task) =>
    h(
      "li",
      h(
        "a",
        { href: `/${task.key.split("-")[0]}/?task=${task.key}` },
        h("span.key", task.key),
        h("span.grow", { dir: "auto" }, task.title),
        task.due_date && dueChip(task),
      ),
    );

  /** The focus goes on to what is new. */
  async function showMore() {
    if (isAsking) return;
    isAsking = true;
    const last = mine.lastElementChild;
    await loadMine().finally(() => (isAsking = false));
    if ([more, document.body].includes(document.activeElement)) last.nextElementSibling?.querySelector("a").focus();
  }

  const attempt = (load) => load().catch((error) => complain(error, "Your tasks could not be loaded."));
  attempt(loadMine);
  return { element };
}

export function newProject(hub) {
  const key = h("input", {
    name: "key",
    required: true,
    pattern: "[A-Z][A-Z0-9]{1,9}",
    maxlength: 10,
    autocomplete: "off",
  });
  let isOwn = false;
  key.addEventListener("input", () => {
    isOwn = true;
    key.value = key.value.toUpperCase();
  });
  const suggest = () =>
    isOwn ||
    (key.value = name.value
      .toUpperCase()
      .replace(/[^A-Z0-9]/g, "")
      .replace(/^\d+/, "")
      .slice(0, 4));
  const name = h("input", { name: "name", required: true, maxlength: 100, autocomplete: "off", oninput: suggest });
  dialog(
    "New project",
    [
      field("Name", name),
      field("Key", key, "2 to 10 capital letters or digits. It begins the names of tasks, and stays."),
      field("Description", h("textarea", { name: "description", rows: 3 })),
    ],
    {
      button: "Make the project",
      act: async (json, signal) => {
        const project = await (await hub.request("POST", "projects/", { json, signal })).json();
        dispatchEvent(new Event("projects"));
        go({ key: project.key, view: "board", filters: {}, task: null });
      },
    },
  );
}
