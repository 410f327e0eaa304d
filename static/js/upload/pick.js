/** A file picker's own button speaks the browser's language: the page's button stands in for it. */
export function showPick(zone, input) {
  zone.querySelector("[data-pick]").hidden = false;
  input.classList.add("visually-hidden");
}
