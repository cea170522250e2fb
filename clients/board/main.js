/** The page as a whole: who is signed in, which project is open, in which view, with which task. */

import { boardView } from "./board.js";
import { openDrawer } from "./drawer.js";
import { h, icon, keepFocus } from "./dom.js";
import { filterBar, matcher } from "./filters.js";
import { listView } from "./list.js";
import { newTask } from "./newtask.js";
import { peopleView } from "./people.js";
import { projectsView } from "./projects.js";
import { current } from "./route.js";
import { Selection } from "./selection.js";
import { connect, isSignedIn, leave } from "./session.js";
import { welcome } from "./signin.js";
import { Store } from "./store.js";
import { complain, mount, reasons, say, toast } from "./toast.js";
import { topBar } from "./top.js";
import { count, tell } from "./words.js";

const VIEWS = { board: boardView, list: listView, people: peopleView };
const COVERS = matchMedia("(max-width: 60rem)"); // where an open task does, as board.css has it
const LOST_FOR = 1500; // milliseconds, after which a lost line is told
const FAILED = "Your projects could not be loaded.";
const ENDS = {
  access_revoked: "You are no longer a member of this project",
  deleted: "This project was deleted",
  not_found: "There is no such project, or you are not a member of it",
  duplicate: "This project is open already",
};

class App {
  hub = connect((isUp) => this.#showLine(isUp));
  me = null;
  projects = [];
  opened = null; // {store, selection, bar, view, drawer}
  top = topBar(this.hub);
  skip = h("a.skip", { href: "#main" }, "Skip to the content");
  line = h("p.line", { role: "status" });
  heading = h("h1.unseen"); // of the board and the list; the other pages have one that is seen
  body = h("main", { tabindex: "-1" });
  #lineTimer = null;

  async start() {
    document.body.className = "app";
    document.body.replaceChildren(
      this.skip,
      this.top.element,
      this.line,
      this.body,
      h(
        "p",
        { id: "how-to-move", hidden: true },
        "Space lifts it, arrow keys move it, space drops it, enter opens it.",
      ),
    );
    this.body.id = "main";
    mount();
    [this.me] = await Promise.all([this.#get("users/me/"), this.#loadProjects()]);
    addEventListener("popstate", ({ isTrusted }) => {
      if (isTrusted) this.#closeDialogs(); // and not where a search that was just typed comes to the address
      this.route();
    });
    addEventListener("projects", () =>
      this.#loadProjects().then(
        () => this.#drawTop(),
        (error) => complain(error, FAILED),
      ),
    );
    COVERS.addEventListener("change", () => {
      this.#cover();
      const drawer = this.body.inert && this.opened?.drawer.element;
      if (drawer && !drawer.contains(document.activeElement)) drawer.focus();
    });
    document.addEventListener("keydown", (event) => this.#shortcut(event));
    let today = new Date().toDateString();
    const turn = () => today !== (today = new Date().toDateString()) && this.opened?.isReady && this.#draw(null);
    setInterval(turn, 60_000); // what was due today is late tomorrow, on a page that stays open, too
    this.route();
  }

  async #get(path) {
    return (await this.hub.request("GET", path)).json();
  }

  async #loadProjects() {
    const all = Object.values(await this.hub.load("projects/"));
    this.projects = all.sort(
      (a, b) => Number(Boolean(a.archived_at)) - Number(Boolean(b.archived_at)) || a.name.localeCompare(b.name),
    );
  }

  // --- Where one is ---

  route() {
    const { key, view, task, filters } = current();
    if (this.opened?.store.key !== key) this.#openProject(key);
    if (this.opened?.isReady) {
      this.#openView(view);
      this.#openTask(task);
      this.#nameIt();
      this.opened.bar.draw();
      this.opened.selection.narrow(matcher(filters, this.opened.store));
      this.#drawTop();
      this.opened.view.draw();
    }
  }

  #openProject(key) {
    this.#closeProject();
    document.title = "TicketHub";
    if (!key) return void this.#showProjects();
    const store = new Store(this.hub, this.me, key);
    const opened = { store, selection: new Selection(store), bar: filterBar(store), isReady: false };
    this.opened = opened;
    this.#show(h("p.loading", { role: "status" }, "Loading the board…"));
    this.#drawTop();
    store.on("ended", (detail) => this.#end(store, detail));
    store.on("draw", (detail) => opened.isReady && this.#draw(detail));
    store.on("told", (detail) => opened.isReady && this.#tell(detail));
    store.on("missed", (detail) => this.#tellMissed(store, detail));
    store.ready().then(
      () => {
        if (this.opened !== opened) return;
        opened.isReady = true;
        this.body.replaceChildren();
        this.route();
      },
      () => {},
    );
  }

  /** At once those that are known, then those that there are. */
  async #showProjects() {
    const draw = () => this.#show(projectsView(this.hub, this.projects, this.me).element);
    draw();
    this.#drawTop();
    const before = JSON.stringify(this.projects);
    await this.#loadProjects().catch((error) => complain(error, FAILED));
    if (!current().key && JSON.stringify(this.projects) !== before) draw();
  }

  /** The title says which task is open, else which project; so does the heading. */
  #nameIt() {
    const { name } = this.opened.store.project;
    document.title = `${current().task ?? name} · TicketHub`;
    this.heading.textContent = name;
  }

  /** Fill the page; who was in what it held is at its beginning. */
  #show(...parts) {
    if (this.body.contains(document.activeElement)) this.body.focus();
    this.body.replaceChildren(...parts);
  }

  #closeProject() {
    const { store, view, drawer } = this.opened ?? {};
    this.opened = null;
    drawer?.element.remove();
    this.#cover();
    if (drawer) keepFocus();
    view?.close();
    store?.close();
    this.#showLine(true); // there is none to be had any more
  }

  #openView(name) {
    const { store, selection, bar } = this.opened;
    if (this.opened.name === name) return;
    this.opened.view?.close();
    this.opened.name = name;
    this.opened.view = VIEWS[name](store, selection);
    const { element } = this.opened.view;
    this.#show(...(name === "people" ? [element] : [this.heading, bar.element, element, selection.element]));
  }

  #openTask(key) {
    const { store, drawer } = this.opened;
    const isHereNow = drawer && !drawer.id && store.taskOfKey(key); // its event came after the link to it
    if ((drawer?.key ?? null) === key && !isHereNow) return;
    const isElsewhere = isHereNow && !drawer.element.contains(document.activeElement);
    drawer?.element.remove();
    this.opened.drawer = key ? { ...openDrawer(store, key), key } : null;
    this.#cover();
    if (!key) {
      this.opened.view.focus(drawer.id);
      keepFocus(); // no filter may let its card through any more
      return;
    }
    document.body.append(this.opened.drawer.element);
    if (!isElsewhere) this.opened.drawer.element.focus();
  }

  /** What an open task covers is out of reach of keys, too. */
  #cover() {
    const hasDrawer = Boolean(this.opened?.drawer);
    document.body.classList.toggle("has-drawer", hasDrawer);
    for (const one of [this.skip, this.top.element, this.body]) one.inert = hasDrawer && COVERS.matches;
  }

  // --- What comes ---

  #draw(ids) {
    const { store, view, drawer, selection } = this.opened;
    if (!store.project) return;
    if (!ids) {
      this.opened.bar.draw();
      this.#nameIt();
      this.#drawTop();
    }
    selection.narrow(matcher(current().filters, store)); // others may have changed what the filters hide
    view.draw(ids);
    drawer?.draw();
    if (drawer) this.#openTask(drawer.key);
    selection.draw();
  }

  /** Everybody's changes are drawn; those of others are also told, with who did it. */
  #tell({ event, isMissed }) {
    const { store, view, drawer } = this.opened;
    drawer?.tell(event);
    const [thing] = event.type.split(".");
    if (thing === "project") dispatchEvent(new Event("projects"));
    if (thing === "task") view.refresh?.();
    if (event.actor === this.me.id) return;
    const name = store.actorOf(event);
    if (thing === "task") requestAnimationFrame(() => view.mark(event.id, name));
    if (!isMissed) this.#announce(name, tell(event, store));
  }

  #told = new Map(); // how many changes of one person are in the note that is shown

  #announce(name, words) {
    const number = (this.#told.get(name) ?? 0) + 1;
    this.#told.set(name, number);
    setTimeout(() => this.#told.set(name, this.#told.get(name) - 1), 3000);
    toast(number > 3 ? `${name} makes many changes: ${words}` : `${name} ${words}`, { name, kind: "news" });
  }

  #tellMissed(store, events) {
    if (!events) {
      this.opened?.view?.refresh?.();
      this.opened?.drawer?.refresh();
      return void toast("You were away for long: the board is loaded anew.", { name: "missed" });
    }
    if (!events.length) return void toast("Connected again. You missed nothing.", { name: "missed" });
    const names = [...new Set(events.map((event) => store.actorOf(event)))];
    const words = `Connected again. You missed ${count(events.length, "change")}, by ${names.join(", ")}.`;
    const list = () => {
      toast(
        events
          .slice(-8)
          .map((event) => `${store.actorOf(event)} ${tell(event, store)}`)
          .join(" · "),
        { stays: 15_000 },
      );
    };
    toast(words, { name: "missed", action: ["What?", list], stays: 15_000 });
  }

  #showLine(isUp) {
    const draw = () => {
      this.line.classList.toggle("lost", !isUp);
      this.line.textContent = isUp ? "" : "The connection is lost. What you see may be old; it comes back by itself.";
    };
    if (!isUp) {
      if (this.opened) this.#lineTimer ??= setTimeout(draw, LOST_FOR);
      return;
    }
    clearTimeout(this.#lineTimer);
    this.#lineTimer = null;
    draw();
  }

  /** They are about what is left. */
  #closeDialogs() {
    for (const box of document.querySelectorAll("dialog")) box.close();
  }

  #end(store, reason) {
    if (this.opened?.store !== store) return;
    if (reason === "signed_out") return leave();
    this.#closeProject();
    this.opened = { store: { key: store.key, close() {} }, isReady: false, isClosed: true };
    this.#closeDialogs();
    const words = ENDS[reason] ?? "This board is closed";
    this.body.replaceChildren(
      h(
        "div.closed",
        icon("board"),
        h("h1", words),
        h("p.quiet", `${store.key} is closed, and nothing of it is kept here.`),
        h("a.button.primary", { href: "/" }, "Your projects"),
      ),
    );
    this.body.focus();
    say(words);
    dispatchEvent(new Event("projects"));
  }

  #drawTop() {
    const { store, isReady, isClosed } = this.opened ?? {};
    this.top.draw({ me: this.me, projects: this.projects, store: isReady ? store : null, isClosed });
  }

  /** Single keys, while nothing is written: n, /, and x on a card. */
  #shortcut(event) {
    const target = /** @type {Element} */ (event.target);
    if (!this.opened?.isReady || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.closest("input, textarea, select, dialog") || document.querySelector("dialog[open]")) return;
    const { store, bar, selection } = this.opened;
    const card = /** @type {HTMLElement} */ (target.closest("[data-id]"));
    if (event.key === "n" && store.mayWrite) newTask(store);
    else if (event.key === "/") bar.focus();
    else if (event.key === "x" && card && store.mayWrite) selection.toggle(card.dataset.id);
    else return;
    event.preventDefault();
  }
}

/** Say why nothing is there, with a way on. */
function despair(error) {
  const again = h("button.primary", { onclick: () => location.reload() }, "Try again");
  document
    .querySelector("main")
    .replaceChildren(h("div.closed", h("h1", "This could not be loaded"), h("p.quiet", reasons(error)), again));
}

if (isSignedIn()) new App().start().catch(despair);
else welcome();
