/** The page that an invitation's link leads to. The token stands behind the #, where no server is told it. */

import { connect, isSignedIn } from "./session.js";
import { reasons } from "./toast.js";

const KEPT = "tickethub.invitation"; // while somebody signs in
const token = location.hash.slice(1) || sessionStorage.getItem(KEPT);
const box = document.querySelector("#accept");
const said = box.querySelector("[role=alert]");
const button = box.querySelector("button");

async function accept(hub) {
  button.disabled = true;
  said.textContent = "";
  try {
    const { project } = await (await hub.request("POST", "invitations/accept/", { json: { token } })).json();
    sessionStorage.removeItem(KEPT);
    const { key } = await (await hub.request("GET", `projects/${project}/`)).json();
    location.assign(`/${key}/`);
  } catch (error) {
    said.textContent =
      error.status === 404
        ? "It was used, withdrawn or is too old, or it is for another address than yours."
        : reasons(error);
    button.disabled = false;
  }
}

async function begin() {
  if (!token) {
    said.textContent = "The address of this page is not complete: what stands behind the # is missing.";
    return;
  }
  if (!isSignedIn()) {
    button.textContent = "Sign in or register to accept";
    button.addEventListener("click", () => {
      sessionStorage.setItem(KEPT, token);
      location.assign("/");
    });
    button.hidden = false;
    return;
  }
  const hub = connect();
  const me = await (await hub.request("GET", "users/me/")).json();
  button.textContent = `Accept as ${me.email}`;
  button.addEventListener("click", () => accept(hub));
  button.hidden = false;
}

begin().catch((error) => (said.textContent = reasons(error)));
