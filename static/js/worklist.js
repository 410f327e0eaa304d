/** The worklist: keys, ageing of the waiting times, title and tone for a newly raised study. */

import { bindSingleKeys, singleKeysAct } from "./preferences.js";

const SOUND = "xraydx.worklist.sound";
const table = document.querySelector(".wl-table");
const news = document.getElementById("worklist-news");
const title = document.title;
let current = null;
let heard = 0;

const rows = () => [...document.querySelectorAll(".wl-table tbody tr")];
const rowOf = (id) => (id ? document.getElementById(id) : null);

function mark(row, { scroll = true } = {}) {
  rowOf(current)?.classList.remove("is-current");
  current = row?.id ?? null;
  if (!row) return;
  row.classList.add("is-current");
  row.querySelector(".row-link")?.focus({ preventScroll: true });
  if (scroll) row.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const all = rows();
  if (!all.length) return;
  const place = all.findIndex((row) => row.id === current);
  const next = place < 0 ? (by > 0 ? 0 : all.length - 1) : place + by;
  mark(all[Math.min(Math.max(next, 0), all.length - 1)]);
}

const press = (selector) => rowOf(current)?.querySelector(selector)?.click();

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  t: () => press("[data-take]"),
  r: () => press("[data-release]"),
  s: () => news?.querySelector("[data-show]")?.click(),
  "/": () => document.getElementById("wl-text").focus(),
  "?": () => {
    const help = document.getElementById("wl-help");
    help.open = !help.open;
    if (help.open) help.querySelector("summary").focus();
  },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest?.("input, textarea, select");
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "Enter" && current && document.activeElement === document.body) {
    rowOf(current)?.querySelector(".row-link")?.click();
    return;
  }
  const act = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
  if (!act || (event.key.length === 1 && !singleKeysAct())) return;
  event.preventDefault();
  act();
});

const single = document.querySelector("[data-single-keys]");
if (single) bindSingleKeys(single);

// Anywhere in a row opens its film, except where something else is to be pressed.
table?.addEventListener("click", (event) => {
  if (event.target.closest("a, button, .hint") || !getSelection().isCollapsed) return;
  event.target.closest("tbody tr")?.querySelector(".row-link")?.click();
});
table?.addEventListener("focusin", (event) => {
  const row = event.target.closest("tbody tr");
  if (row && row.id !== current) {
    rowOf(current)?.classList.remove("is-current");
    current = row.id;
    row.classList.add("is-current");
  }
});

function waited(seconds) {
  const minutes = Math.max(Math.floor(seconds / 60), 0);
  return [Math.floor(minutes / 60), minutes % 60];
}

// The words come from the server; only their numbers grow here.
function age() {
  const now = Date.now() / 1000;
  for (const time of document.querySelectorAll("time[data-since]")) {
    const [hours, minutes] = waited(now - Number(time.dataset.since) + skew);
    const figures = time.textContent.match(/\d+/g) ?? [];
    const wanted = hours ? [String(hours), String(minutes).padStart(2, "0")] : [String(minutes)];
    if (figures.length !== wanted.length) continue;
    let place = 0;
    const text = time.textContent.replace(/\d+/g, () => wanted[place++]);
    if (text !== time.textContent) time.textContent = text;
  }
}

// The clock of a workstation may be wrong: what the server said when the page came counts.
const skew = (() => {
  const time = document.querySelector("time[data-since]");
  if (!time) return 0;
  const figures = (time.textContent.match(/\d+/g) ?? []).map(Number);
  const said = 60 * (figures.length > 1 ? 60 * figures[0] + figures[1] : figures[0] ?? 0);
  const own = Date.now() / 1000 - Number(time.dataset.since);
  return Math.abs(own - said) > 90 ? said - own : 0;
})();

function tone() {
  const sound = new AudioContext();
  const volume = sound.createGain();
  volume.connect(sound.destination);
  volume.gain.setValueAtTime(0.12, sound.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, sound.currentTime + 0.5);
  const wave = sound.createOscillator();
  wave.frequency.value = 660;
  wave.connect(volume);
  wave.start();
  wave.stop(sound.currentTime + 0.5);
  wave.onended = () => sound.close();
}

function announce() {
  const said = news?.querySelector("[data-critical]");
  if (!said) return;
  const critical = Number(said.dataset.critical);
  document.title = critical ? `(▲${critical}) ${title}` : title;
  if (critical > heard && localStorage.getItem(SOUND) === "1") tone();
  heard = critical;
}

document.addEventListener("htmx:afterSettle", () => {
  announce();
  rowOf(current)?.classList.add("is-current");
});

const switcher = document.getElementById("wl-sound");
if (switcher && window.AudioContext) {
  const show = () => switcher.setAttribute("aria-pressed", String(localStorage.getItem(SOUND) === "1"));
  switcher.hidden = false;
  switcher.addEventListener("click", () => {
    const on = localStorage.getItem(SOUND) !== "1";
    localStorage.setItem(SOUND, on ? "1" : "0");
    show();
    if (on) tone();
  });
  show();
}

setInterval(age, 10_000);
