/** A project's people: members with their roles, invitations, and the project's own settings. */

import { h, icon, renew } from "./dom.js";
import { ask, avatar, copyLink, dialog, field, select, since } from "./parts.js";
import { complain } from "./toast.js";
import { capital, day, nameOf, ROLES } from "./words.js";

const roleOptions = (roles) => roles.map((role) => [role, capital(role)]);

export function peopleView(store) {
  const members = h("ul.people");
  const invited = h("ul.people");
  const invitations = h("section", h("h2", "Invitations"), invited);
  const heading = h("div.heading");
  const about = h("div.about");
  const element = h("div.page", about, h("section", heading, members), invitations);
  let shown = null;
  let open = null; // invitations by id, once they are loaded
  let asked = 0;

  /** The roles that this person may give and take: owners all, admins the lower ones. */
  const mayGive = () => (store.role === "owner" ? ROLES : store.role === "admin" ? ROLES.slice(0, 2) : []);

  async function loadInvitations() {
    const number = ++asked;
    if (!store.isAdmin) return;
    try {
      const rows = await store.hub.load("invitations/", { project: store.project.id });
      if (number !== asked) return;
      const now = new Map(Object.entries(rows).filter(([, { accepted_at: at }]) => !at));
      if (open && JSON.stringify([...now]) === JSON.stringify([...open])) return; // a click on one may be under way
      open = now;
      drawInvitations();
    } catch (error) {
      complain(error, "The invitations could not be loaded.");
    }
  }

  const attempt = (act, doing) => act.catch((error) => (complain(error, doing), (shown = null), draw()));

  function member({ id, user, role, created_at: joined }) {
    const isSelf = user.id === store.me.id;
    const isOurs = mayGive().includes(role) && !store.project.archived_at;
    const control = isOurs
      ? select(roleOptions(mayGive()), role, {
          "aria-label": `Role of ${nameOf(user)}`,
          onchange: () =>
            attempt(
              store.request("PATCH", `memberships/${id}/`, { json: { role: control.value } }),
              "The role was not changed.",
            ),
        })
      : h("span.quiet", capital(role));
    return h(
      "li",
      { "data-user": user.username, "data-row": id },
      avatar(user),
      h(
        "div.grow",
        h("strong", h("bdi", nameOf(user)), isSelf && h("span.quiet", " (you)")),
        h("div.quiet", `@${user.username} · ${user.email} · since ${day(joined)}`),
      ),
      control,
      (isOurs || isSelf) &&
        h("button.quiet-danger", { onclick: () => remove(id, user, isSelf) }, isSelf ? "Leave" : "Remove"),
    );
  }

  function remove(id, user, isSelf) {
    ask(
      isSelf ? `Leave ${store.project.name}?` : `Remove ${nameOf(user)}?`,
      isSelf
        ? "You will see nothing of it any more."
        : "They will see nothing of this project any more, and their tasks are unassigned.",
      isSelf ? "Leave" : "Remove",
      (_, signal) => store.request("DELETE", `memberships/${id}/`, { signal }),
    );
  }

  function drawInvitations() {
    invitations.hidden = !store.isAdmin || !open;
    if (!open) return;
    const rows = [...open.values()].map((row) =>
      h(
        "li",
        { "data-row": row.id },
        h("span.avatar.hue-none", { "aria-hidden": "true" }, "@"),
        h(
          "div.grow",
          h("strong", row.email),
          h("div.quiet", `${capital(row.role)} · invited `, since(row.created_at), ` · until ${day(row.expires_at)}`),
        ),
        h(
          "button.quiet-danger",
          {
            onclick: () =>
              attempt(
                store.request("DELETE", `invitations/${row.id}/`).then(() => (open.delete(row.id), drawInvitations())),
                "It was not withdrawn.",
              ),
          },
          "Withdraw",
        ),
      ),
    );
    renew(invited, ...(rows.length ? rows : [h("li.quiet", "Nobody is invited just now.")]));
  }

  function invite() {
    const roles = select(roleOptions(mayGive()), "member", { name: "role" });
    dialog(
      "Invite somebody",
      [field("Email", h("input", { name: "email", type: "email", required: true })), field("Role", roles)],
      {
        button: "Invite",
        act: async (values, signal) => {
          const json = { project: store.project.id, ...values };
          const made = await store.request("POST", "invitations/", { json, signal });
          const link = h("input", {
            readonly: true,
            value: made.accept_url,
            "aria-label": "Link of the invitation",
            onfocus: () => link.select(),
          });
          loadInvitations();
          dialog(`${made.email} is invited`, [
            h(
              "p",
              "A mail is on its way, where this server sends any. You can also pass on this link; it is shown this once, and works for this address alone.",
            ),
            h(
              "div.row",
              link,
              h("button", { type: "button", class: "primary", onclick: () => copyLink(link.value) }, "Copy"),
            ),
          ]);
        },
      },
    );
  }

  function settings() {
    const { name, description } = store.project;
    dialog(
      "Settings of the project",
      [
        field("Name", h("input", { name: "name", required: true, maxlength: 100, value: name })),
        field("Description", h("textarea", { name: "description", rows: 4, value: description })),
      ],
      { act: (_, signal, json) => store.request("PATCH", `projects/${store.key}/`, { json, signal }) },
    );
  }

  function archive() {
    const archived = !store.project.archived_at;
    attempt(store.request("PATCH", `projects/${store.key}/`, { json: { archived } }), "Nothing was changed.");
  }

  function askToDelete() {
    const word = h("input", { name: "key", required: true, autocomplete: "off" });
    dialog(
      `Delete ${store.project.name}?`,
      [
        h("p", "All its tasks, comments and people's places in it go, for good."),
        field(`Type ${store.key} to go on`, word),
      ],
      {
        button: "Delete the project",
        kind: "danger",
        act: async ({ key }, signal) => {
          if (key !== store.key) throw Object.assign(new Error(key), { detail: `That is not ${store.key}.` });
          await store.request("DELETE", `projects/${store.key}/`, { signal });
        },
      },
    );
  }

  function draw() {
    const state = JSON.stringify([store.project, store.memberships]);
    if (state === shown) return;
    shown = state;
    const { name, key, description, archived_at: archivedAt } = store.project;
    renew(
      about,
      ...[
        h("h1", h("bdi", name), " ", h("span.key", key)),
        description && h("p.quiet", { dir: "auto" }, description),
        h(
          "div.row",
          store.isAdmin && !archivedAt && h("button", { onclick: settings }, "Edit the project"),
          store.role === "owner" &&
            h("button", { onclick: archive }, archivedAt ? "Restore the project" : "Archive the project"),
          store.role === "owner" && h("button.quiet-danger", { onclick: askToDelete }, "Delete the project"),
        ),
      ].filter(Boolean),
    );
    renew(
      heading,
      h("h2", "People"),
      store.isAdmin && !archivedAt ? h("button.primary", { onclick: invite }, icon("plus"), "Invite") : "",
    );
    renew(members, ...store.memberships.map(member));
    drawInvitations();
    loadInvitations(); // who has come was invited, and who is an admin now sees them
  }

  const ends = new AbortController();
  addEventListener("focus", loadInvitations, { signal: ends.signal }); // other admins' come without an event
  return { element, draw, close: () => ends.abort(), mark() {}, focus() {} };
}
