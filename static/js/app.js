/** What every page has: menus that close, a bar for a lost connection, focus after a refused form. */
import { watchConnection } from "./connection.js";

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (menu !== except) menu.open = false;
  }
}

document.addEventListener("click", (event) => closeMenus(event.target.closest("details[data-menu]")));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details[data-menu][open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
// A part that was swapped in is no live region yet when its words arrive: one that stays says them.
document.addEventListener("htmx:afterSettle", (event) => {
  const part = event.target;
  const words = (part.matches?.("[data-say]") ? part : part.querySelector?.("[data-say]"))?.dataset.say;
  const said = document.getElementById("say");
  if (words && said && said.textContent !== words) said.textContent = words;
});
document.addEventListener("htmx:afterSwap", (event) => {
  const alert = event.target.querySelector?.("[data-autofocus]");
  if (alert) alert.focus();
});

document.querySelector("[data-autofocus]")?.focus();
// On a phone the bar is longer than the screen.
const place = document.querySelector(".topbar-nav [aria-current]");
if (place) place.parentElement.scrollLeft = place.offsetLeft - place.parentElement.offsetLeft - 60;
watchConnection(document.getElementById("connection"));
