/** What the address says: `/`, `/WEB/`, `/WEB/list/?status=todo&ordering=-priority&task=WEB-12`, `/WEB/people/`. */

const PATH = /^\/(?:([A-Z][A-Z0-9]{1,9})\/(?:(list|people)\/)?)?$/;
const FILTERS = ["search", "status", "priority", "assignee", "label", "due_before"];

/** Give the project's key, the view, the filters with their values, the ordering, and the key of the open task. */
export function current() {
  const [, key = null, view = "board"] = PATH.exec(location.pathname) ?? [];
  const params = new URLSearchParams(location.search);
  const filters = {};
  for (const name of FILTERS) if (params.has(name)) filters[name] = params.getAll(name);
  return { key, view: key ? view : "projects", filters, ordering: params.get("ordering"), task: params.get("task") };
}

/** Give the address with some of that changed. Another view keeps the filters, another project does not. */
export function address(changes = {}) {
  const now = current();
  const { key, view, filters, ordering, task } = { ...now, ...changes };
  if (!key || view === "projects") return "/";
  const params = new URLSearchParams();
  if (key === now.key || changes.filters) {
    for (const [name, values] of Object.entries(filters)) for (const value of values) params.append(name, value);
    if (ordering && view === "list") params.set("ordering", ordering);
  }
  if (task && task.startsWith(`${key}-`)) params.set("task", task);
  return `/${key}/${view === "board" ? "" : `${view}/`}${params.size ? `?${params}` : ""}`;
}

/** Go to an address of the board. What is typed into a filter replaces its last address. */
export function go(changes, { replace = false } = {}) {
  const url = typeof changes === "string" ? changes : address(changes);
  if (url === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", url);
  dispatchEvent(new Event("popstate"));
}

/** Follow the links to the board without loading the page anew. */
document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  const link = /** @type {Element} */ (event.target).closest("a");
  if (!link || link.origin !== location.origin || link.target || link.hash || !PATH.test(link.pathname)) return;
  if (!document.body.classList.contains("app")) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
