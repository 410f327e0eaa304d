/** Binds the reading view's buttons, slider and keys to the viewer; starts anew when the live part is swapped. */
import { Viewer } from "./viewer/viewer.js";
import { bindGestures, bindKeys } from "./viewer/gestures.js";
import { bindSingleKeys, keep, kept, singleKeysAct } from "./preferences.js";
import { SignForm, forgetDrafts } from "./reading/sign.js";
import { PriorFilm } from "./reading/prior.js";

const KEYS = { b: "boxes", a: "attention", u: "unet", e: "reversed_ae", l: "anatomy" };
const COLOURS = ["viridis", "jet", "grey"];
const PICTURES = ["film", "depth", "attention", "attention_each", "unet", "reversed_ae", "anatomy", "pneumonia"];
let running = null;

const numbers = (text) => text?.split(" ").map(Number) ?? null;

function describe(root) {
  const { dataset } = root;
  const urls = Object.fromEntries(PICTURES.filter((name) => dataset[`url${name}`]).map((name) => [name, dataset[`url${name}`]]));
  const boxes = [...root.querySelectorAll("[data-box]")].map(({ dataset: item }) => ({ words: `${item.label} ${item.probability}`.trim(), box: numbers(item.box) }));
  const lines = Object.fromEntries([...root.querySelectorAll("[data-line]")].map(({ dataset: item }) => [item.line, { line: numbers(item.place), words: item.words }]));
  return { urls, boxes, lines, diseases: dataset.diseases.split(" "), extent: { mm: numbers(dataset.mm), px: numbers(dataset.px) } };
}

class FilmPage {
  constructor(root) {
    this.root = root;
    this.stop = new AbortController();
    this.viewer = new Viewer(root.querySelector("canvas"), describe(root));
    this.viewer.strength = Number(kept("strength", "50")) / 100;
    this.viewer.colours = COLOURS.includes(kept("colours", "")) ? kept("colours", "") : "viridis";
    this.viewer.addEventListener("change", () => this.show());
    bindGestures(this.viewer, this.stop.signal);
    this.prior = new PriorFilm(root, this.viewer);
    this.bindSign();
    this.bindControls();
    this.bindKeys();
    this.viewer.load().catch(() => this.tellMissing()).finally(() => root.removeAttribute("data-loading"));
  }

  close() {
    this.stop.abort();
    this.sign?.close();
    this.prior.close();
    this.viewer.close();
  }

  tellMissing() {
    this.root.querySelector("[data-missing]").hidden = false;
  }

  async toggle(layer, disease) {
    const same = disease === undefined || (this.viewer.shown.heat === layer && this.viewer.shown.disease === disease);
    try {
      await this.viewer.toggle(layer, same ? undefined : true, disease ?? null);
    } catch {
      this.tellMissing();
    }
  }

  get actions() {
    const { viewer } = this;
    return {
      invert: () => viewer.invert(),
      reset: () => viewer.reset(),
      turn: () => viewer.turn(),
      actual: () => viewer.showActualSize(),
      in: () => viewer.zoomAt(1.25),
      out: () => viewer.zoomAt(0.8),
      colours: () => this.setColours(COLOURS[(COLOURS.indexOf(viewer.colours) + 1) % COLOURS.length]),
    };
  }

  bindControls() {
    const { signal } = this.stop;
    const { actions, viewer } = this;
    document.addEventListener("click", (event) => {
      const { dataset } = event.target.closest("button") ?? { dataset: {} };
      if (dataset.disease) this.toggle("attention", dataset.disease);
      else if (dataset.layer) this.toggle(dataset.layer);
      else if (dataset.action) actions[dataset.action]?.();
      else if (dataset.mode) this.setMode(dataset.mode);
    }, { signal });
    this.root.querySelector("[data-colours]")?.addEventListener("change", (event) => this.setColours(event.target.value), { signal });
    const slider = this.root.querySelector("[data-strength]");
    if (slider) {
      slider.value = String(Math.round(viewer.strength * 100));
      slider.addEventListener("input", () => {
        viewer.set({ strength: Number(slider.value) / 100 });
        keep("strength", slider.value);
      }, { signal });
    }
    bindSingleKeys(document.querySelector("[data-single-keys]"), signal);
  }

  bindKeys() {
    const { actions } = this;
    const keys = Object.fromEntries(Object.entries(KEYS).map(([key, layer]) => [key, () => this.toggle(layer)]));
    Object.assign(keys, { i: actions.invert, z: actions.reset, t: actions.turn, c: actions.colours, 1: actions.actual, "+": actions.in, "=": actions.in, "-": actions.out });
    keys.r = () => this.setMode("ruler");
    keys.p = () => this.prior.toggle();
    for (const [key, act] of Object.entries({ g: "agree", d: "disagree", n: "unsure" })) keys[key] = () => this.sign?.judge(act);
    // While a finding of the reading is chosen, its first letters are verdicts, not layers.
    for (const [key, act] of Object.entries({ a: "agree", u: "unsure" })) {
      const layer = keys[key];
      keys[key] = () => this.sign?.judgeChosen(act) || layer();
    }
    keys.j = () => this.sign?.move(1);
    keys.k = () => this.sign?.move(-1);
    keys.m = () => this.sign?.openAdd();
    bindKeys(keys, singleKeysAct, this.stop.signal);
  }

  /** The form is swapped by itself when it was sent. */
  bindSign() {
    const form = document.querySelector("form[data-sign]");
    if (this.sign?.form === form) return;
    this.sign?.close();
    this.viewer.set({ added: [] });
    this.sign = form ? new SignForm(form, this.viewer) : null;
  }

  setMode(mode) {
    this.viewer.setMode(mode);
    if (this.viewer.mode === "window") return;
    this.viewer.canvas.focus();
  }

  setColours(name) {
    keep("colours", name);
    this.viewer.set({ colours: name });
  }

  /** Buttons say what is on; the legend stands only beside a heat map. */
  show() {
    const { root, viewer } = this;
    for (const button of document.querySelectorAll("button[data-layer]")) {
      button.disabled = !viewer.has(button.dataset.layer);
      button.setAttribute("aria-pressed", String(Boolean(viewer.isShown(button.dataset.layer))));
    }
    for (const button of document.querySelectorAll("button[data-disease]")) {
      button.setAttribute("aria-pressed", String(viewer.shown.heat === "attention" && viewer.shown.disease === button.dataset.disease));
    }
    for (const button of root.querySelectorAll("button[data-mode]")) button.setAttribute("aria-pressed", String(viewer.mode === button.dataset.mode));
    root.querySelector("[data-action=invert]").setAttribute("aria-pressed", String(viewer.window.inverted));
    const { heat, disease } = viewer.shown;
    root.dataset.heat = heat ?? "";
    const source = disease ? document.querySelector(`button[data-disease=${disease}]`) : document.querySelector(`button[data-layer=${heat}]`);
    if (heat && source) root.querySelector("[data-legend-of]").textContent = source.dataset.legend;
    root.dataset.palette = viewer.colours;
    const colours = root.querySelector("[data-colours]");
    if (colours) colours.value = viewer.colours;
    const said = root.querySelector("[data-said]");
    const words = viewer.mode === "ruler" ? said.dataset[viewer.extent.mm ? "sayMm" : "sayPx"] : "";
    if (said.textContent !== words) said.textContent = words;
    root.querySelector("[data-zoom]").textContent = `${Math.round(viewer.view.zoom * 100)} %`;
  }
}

function start() {
  const root = document.querySelector("[data-viewer]");
  if (running?.root === root) {
    running?.bindSign();
    running?.prior.look();
    return;
  }
  running?.close();
  running = root ? new FilmPage(root) : null;
}

start();
document.addEventListener("htmx:afterSettle", start);
document.addEventListener("submit", (event) => {
  if (event.target.action?.includes("sign-out")) forgetDrafts();
});
