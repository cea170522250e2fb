/** The bar at the top: which project, which view, and one's own account. */

import { h, icon, menu, option, renew } from "./dom.js";
import { newTask } from "./newtask.js";
import { avatar } from "./parts.js";
import { editPassword, editProfile } from "./profile.js";
import { newProject } from "./projects.js";
import { address, current } from "./route.js";
import { signOut } from "./session.js";
import { nameOf } from "./words.js";

export function topBar(hub) {
  const element = h("header.top");
  const logo = /** @type {HTMLLinkElement} */ (document.querySelector("link[rel=icon]")).href;
  let shown = null;

  function tab(view, words) {
    const isCurrent = current().view === view;
    const link = { href: address({ view, task: null }), "aria-current": isCurrent ? "page" : null };
    return h("a", link, icon(view), h("span", words));
  }

  function account(me) {
    const setMe = (now) => {
      Object.assign(me, now);
      shown = null;
      dispatchEvent(new Event("projects")); // which draws all of this
    };
    const draw = (details) => [
      h("div.account", h("strong", h("bdi", nameOf(me))), h("span.quiet", me.email)),
      option(details, () => editProfile(hub, me, setMe), "Profile"),
      option(details, () => editPassword(hub), "Password"),
      option(details, () => signOut().then(() => location.assign("/")), "Sign out"),
    ];
    return menu(avatar(me), draw, { says: "Your account: ", class: "round" });
  }

  function switcher(projects, key, name) {
    const link = ({ key: one, name: words }, details) => {
      const props = { href: `/${one}/`, "aria-current": one === key ? "true" : null };
      return h("a.option", { ...props, onclick: () => (details.open = false) }, h("span.badge", one), h("bdi", words));
    };
    const draw = (details) => [
      ...projects.map((project) => link(project, details)),
      option(details, () => newProject(hub), [icon("plus"), "New project"]),
    ];
    return menu([key && h("span.badge", key), h("span.name", { dir: "auto" }, name), icon("down")], draw, {
      says: "Project: ",
    });
  }

  function draw({ me, projects, store, isClosed }) {
    const { key } = current();
    const state = JSON.stringify([location.href, projects, me, store?.role, store?.project, isClosed]);
    if (shown === state) return;
    shown = state;
    const project = store?.project ?? projects.find((one) => one.key === key);
    const make = { title: "New task (n)", onclick: () => newTask(store) };
    const views = [tab("board", "Board"), tab("list", "List"), tab("people", "People")];
    const parts = [
      h(
        "a.home",
        { href: "/", "aria-label": "TicketHub: your projects" },
        h("img", { src: logo, alt: "", width: 28, height: 28 }),
      ),
      switcher(projects, key, project?.name ?? key ?? "Projects"),
      project?.archived_at && h("span.pill", "Archived: read only"),
      store?.role === "viewer" && h("span.pill", "You may look"),
      key && !isClosed && h("nav", { "aria-label": "Views" }, views),
      h("span.grow"),
      store?.mayWrite && h("button.primary.new", make, icon("plus"), h("span", "New task")),
      account(me),
    ];
    renew(element, ...parts.filter(Boolean));
  }

  return { element, draw };
}
