/** One's own account. */

import { h } from "./dom.js";
import { dialog, field } from "./parts.js";
import { changePassword } from "./session.js";
import { toast } from "./toast.js";

export function editProfile(hub, me, onSaved) {
  const input = (name, type = "text") =>
    h("input", { name, type, value: me[name], autocomplete: "off", required: name === "username" || name === "email" });
  dialog(
    "Your profile",
    [
      h("div.row", field("First name", input("first_name")), field("Last name", input("last_name"))),
      field("Username", input("username"), "How others mention you: @username"),
      field("Email", input("email", "email"), "What you sign in with"),
    ],
    {
      act: async (_, signal, json) => {
        onSaved(await (await hub.request("PATCH", "users/me/", { json, signal })).json());
        toast("Your profile is saved.");
      },
    },
  );
}

export function editPassword(hub) {
  const input = (name, autocomplete) => h("input", { name, type: "password", required: true, autocomplete });
  dialog(
    "Change the password",
    [
      field("Password now", input("current_password", "current-password")),
      field(
        "New password",
        input("new_password", "new-password"),
        "At least 8 characters. Wherever else you are signed in, you will be no longer.",
      ),
    ],
    {
      button: "Change it",
      act: (json) => changePassword(hub, json), // without the signal: once it is sent, only the new one leads back in
    },
  );
}
