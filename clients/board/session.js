/** Who is signed in. All tabs share one login: its tokens are in the browser's storage, and one tab at a time renews them. */

import { ApiError, newKey, SignedOut, TicketHub } from "../js/tickethub.js";

const KEY = "tickethub.tokens"; // early.js knows it, too

export const TOLD = "tickethub.told"; // what the page to sign in says at first

const PATIENCE = 5; // seconds that somebody waits without a word

const parse = (text) => {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null; // somebody else's
  }
};
const read = () => parse(localStorage.getItem(KEY));
const write = (tokens) => localStorage.setItem(KEY, JSON.stringify(tokens));

// A change of localStorage may reach another tab later than the lock does. A refresh token works once, so what was got
// is kept in IndexedDB as well, where whoever has the lock next finds it.
let written = Promise.resolve();

/** Do something with what is kept. Where there is no IndexedDB, localStorage has to do. */
function keep(mode, act) {
  return new Promise((resolve) => {
    const opening = indexedDB.open(KEY);
    opening.onupgradeneeded = () => opening.result.createObjectStore("newest");
    opening.onerror = () => resolve(null);
    opening.onsuccess = () => {
      const transaction = opening.result.transaction("newest", mode);
      const asked = act(transaction.objectStore("newest"));
      transaction.oncomplete = transaction.onabort = () => {
        opening.result.close();
        resolve(asked.result);
      };
    };
  });
}

function save(access, refresh, key, login = read()?.login) {
  const tokens = { access, refresh, key, login, turn: (read()?.turn ?? 0) + 1 };
  write(tokens);
  written = keep("readwrite", (store) => store.put(tokens, KEY));
}

function forget() {
  localStorage.removeItem(KEY);
  written = keep("readwrite", (store) => store.delete(KEY));
}

async function inTurn(act) {
  const [here, newest] = [read(), await keep("readonly", (store) => store.get(KEY))];
  if (here && newest?.login === here.login && newest.turn > (here.turn ?? 0)) write(newest);
  try {
    return await act();
  } finally {
    await written;
  }
}
const alone = (act) => (navigator.locks ? navigator.locks.request(KEY, () => inTurn(act)) : inTurn(act)); // there are none without HTTPS

export function isSignedIn() {
  document.documentElement.classList.toggle("is-signed-in", Boolean(read()));
  return Boolean(read());
}

let renewing = Promise.resolve(); // what makes this login anew, having ended it

/** The login has ended: sign in again, and go on here. Not with one that was begun meanwhile. */
export async function leave() {
  await renewing;
  if (read()?.login === shownFor) forget();
  location.reload();
}

/** Change the password, which ends every login, and make this one anew; else tell where one signs in. */
export async function changePassword(hub, json) {
  const { email } = await (await hub.request("GET", "users/me/")).json(); // another tab may have changed it
  let end = () => {};
  renewing = new Promise((resolve) => (end = resolve));
  try {
    await hub.request("POST", "auth/password/change/", { json });
    await signIn(email, json.new_password).catch(() => {
      if (read() && read().login !== shownFor) return; // another one was begun meanwhile
      forget();
      try {
        sessionStorage.setItem(TOLD, "The password is changed. Sign in with it.");
      } catch {} // it is full
    });
    location.reload();
  } finally {
    end();
  }
}

class Hub extends TicketHub {
  async request(method, path, options) {
    try {
      return await super.request(method, path, options);
    } catch (error) {
      if (error instanceof SignedOut) leave();
      throw error;
    }
  }
}

/** The server as the person who is signed in. */
export function connect(onLine) {
  return new Hub(location.origin, {
    shared: { read, alone },
    onTokens: (access, refresh, key) => save(access, refresh, key),
    onLine,
    longestWait: PATIENCE,
  });
}

/** Ask what needs no login. Throws ApiError, also for "too many", so that nobody waits without knowing. */
export async function ask(path, json) {
  const response = await fetch(`/api/v1/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(json),
  });
  if (!response.ok) throw await ApiError.of(response);
  return response;
}

export async function signIn(email, password) {
  const { access, refresh } = await (await ask("auth/token/", { email, password })).json();
  try {
    save(access, refresh, newKey(), String(Math.random()));
  } catch (error) {
    throw Object.assign(error, { detail: "This browser's storage is full: no login can be kept in it." });
  }
}

/** End the login here, in the other tabs and at the server. */
export async function signOut() {
  await renewing;
  await alone(async () => {
    const { refresh } = read() ?? {};
    forget();
    if (refresh) await ask("auth/token/blacklist/", { refresh }).catch(() => {}); // it is over for this browser anyway
  });
}

// Another tab signed in, out, or in as another person. It may be out because this one makes their login anew.
addEventListener("storage", ({ key, oldValue, newValue }) => {
  const login = (text) => parse(text)?.login;
  if (key !== KEY || login(oldValue) === login(newValue)) return;
  (newValue ? Promise.resolve() : renewing).then(() => location.reload());
});

// "Back" may show a page as the browser kept it, of a login that has ended since.
const shownFor = read()?.login;
addEventListener("pageshow", ({ persisted }) => persisted && read()?.login !== shownFor && location.reload());
