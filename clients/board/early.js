// Before the page is drawn: whoever is signed in sees no welcome. No module, since those come later.
try {
  if (localStorage.getItem("tickethub.tokens")) document.documentElement.classList.add("is-signed-in");
} catch {
  document.documentElement.classList.add("has-no-storage"); // somebody denied it to this site
}
