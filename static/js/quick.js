/** The quick read: drop a film and it is sent; the answer's film with where the network looked. */
import { Viewer } from "./viewer/viewer.js";
import { bindGestures } from "./viewer/gestures.js";

let viewer = null;

async function send(form) {
  const button = form.querySelector("[type=submit]");
  const sending = form.querySelector("[data-sending]");
  const lost = form.querySelector("[data-lost]");
  if (!sending.hidden) return;
  sending.hidden = false;
  lost.hidden = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), credentials: "same-origin" });
    if (answer.redirected) return void location.assign(answer.url);
    // Refused: the page with its words takes the place of this one.
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.getElementById("main").replaceChildren(...page.getElementById("main").childNodes);
    document.querySelector("[role=alert]")?.focus();
    takeFilms();
  } catch {
    // The film stays chosen, and a button sends it again.
    sending.hidden = true;
    lost.hidden = false;
    button.hidden = false;
    button.focus();
  }
}

function takeFilms() {
  const form = document.querySelector("[data-quick]");
  if (!form) return;
  const zone = form.querySelector("[data-drop-here]");
  const input = form.querySelector("[type=file]");
  // With a script the film is sent as soon as it is chosen.
  form.querySelector("[type=submit]").hidden = true;
  const check = () => {
    const tooLarge = input.files[0]?.size > Number(form.dataset.maxBytes);
    input.setCustomValidity(tooLarge ? form.dataset.sayTooLarge : "");
    if (!form.reportValidity()) return;
    form.requestSubmit();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
  input.addEventListener("change", () => input.files.length && check());
  for (const kind of ["dragover", "dragleave", "drop"]) {
    zone.addEventListener(kind, (event) => {
      event.preventDefault();
      zone.toggleAttribute("data-over", kind === "dragover");
    });
  }
  zone.addEventListener("drop", (event) => {
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    check();
  });
  // A page that the browser brings back is fresh again.
  window.addEventListener("pageshow", () => { form.querySelector("[data-sending]").hidden = true; });
}

function showAnswer() {
  const root = document.querySelector("[data-quick-film]");
  if (!root || viewer) return;
  const stop = new AbortController();
  viewer = new Viewer(root.querySelector("canvas"), { urls: { film: root.dataset.urlfilm, attention: root.dataset.urlattention } });
  viewer.colours = "jet";
  bindGestures(viewer, stop.signal);
  const overlay = root.querySelector("[data-overlay]");
  viewer.addEventListener("change", () => {
    overlay.setAttribute("aria-pressed", String(viewer.isShown("attention")));
    root.dataset.heat = viewer.shown.heat ?? "";
    root.dataset.palette = viewer.colours;
    for (const button of root.querySelectorAll("[data-palette-name]")) button.setAttribute("aria-pressed", String(button.dataset.paletteName === viewer.colours));
  });
  overlay.addEventListener("click", () => viewer.toggle("attention"));
  root.addEventListener("click", (event) => {
    const name = event.target.closest("[data-palette-name]")?.dataset.paletteName;
    if (name) viewer.set({ colours: name });
  });
  root.querySelector("[data-strength]").addEventListener("input", (event) => viewer.set({ strength: Number(event.target.value) / 100 }));
  viewer.load().then(() => viewer.toggle("attention", true));
}

takeFilms();
showAnswer();
document.addEventListener("htmx:afterSettle", showAnswer);
