// Before the page is drawn: whoever is signed in sees no welcome. No module, since those come later.
if (localStorage.getItem("tickethub.tokens")) document.documentElement.classList.add("is-signed-in");
