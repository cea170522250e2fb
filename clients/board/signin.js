/** The forms of the welcome page: sign in, register, a new password. They stand in its template. */

import { ask, signIn, TOLD } from "./session.js";
import { reasons } from "./toast.js";

const forms = /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll("form[data-does]"));

const does = {
  async signIn({ email, password }) {
    await signIn(email, password);
    location.assign(
      sessionStorage.getItem("tickethub.invitation") ? "/invitations/accept/" : location.pathname + location.search,
    );
  },
  async register(values) {
    await ask("auth/register/", values);
    await does.signIn(values);
  },
  async reset({ email }) {
    await ask("auth/password/reset/", { email });
    return `If ${email} has an account here, a mail with a link is on its way.`;
  },
};

export function welcome() {
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll(".welcome button")))
    button.disabled = false;
  for (const form of forms) form.addEventListener("submit", send);
  forms[0].querySelector("[role=alert]").textContent = sessionStorage.getItem(TOLD);
  sessionStorage.removeItem(TOLD);
  for (const link of document.querySelectorAll("[data-shows]")) {
    link.addEventListener("click", () => show(/** @type {HTMLElement} */ (link).dataset.shows));
  }
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("button[data-email]"))) {
    button.addEventListener("click", () => {
      const form = show("signIn");
      form.elements["email"].value = button.dataset.email;
      form.elements["password"].value = button.dataset.password;
      form.requestSubmit();
    });
  }
}

function show(name) {
  for (const form of forms) form.hidden = form.dataset.does !== name;
  const form = [...forms].find(({ dataset }) => dataset.does === name);
  /** @type {HTMLElement} */ (form.querySelector("input")).focus();
  return form;
}

async function send(event) {
  event.preventDefault();
  const form = event.target;
  const said = form.querySelector("[role=alert]");
  const button = form.querySelector("button:not([type])");
  const focused = /** @type {HTMLElement} */ (document.activeElement); // a button that is disabled loses it
  said.textContent = "";
  button.disabled = true;
  try {
    said.textContent = (await does[form.dataset.does](Object.fromEntries(new FormData(form)))) ?? "";
  } catch (error) {
    said.textContent = reasons(error);
  }
  button.disabled = false;
  focused.focus();
}
