/** Binds the reading view's buttons, slider and keys to the viewer; starts anew when the live part is swapped. */
import { Viewer } from "./viewer/viewer.js";
import { bindGestures, bindKeys } from "./viewer/gestures.js";
import { keep, kept } from "./preferences.js";

const VERDICTS = { g: "agree", d: "disagree", n: "unsure" };
const KEYS = { b: "boxes", a: "attention", u: "unet", e: "reversed_ae", l: "anatomy" };
let running = null;

function readBoxes(root) {
  return [...root.querySelectorAll("[data-box]")].map((item) => ({
    label: item.dataset.label,
    probability: item.dataset.probability,
    box: item.dataset.box.split(" ").map(Number),
  }));
}

function readUrls(root) {
  const names = ["film", "attention", "unet", "reversed_ae", "anatomy"];
  return Object.fromEntries(names.filter((name) => root.dataset[`url${name}`]).map((name) => [name, root.dataset[`url${name}`]]));
}

/** Chooses the verdict and waits on the button: Enter signs, and nothing is signed by one key alone. */
function chooseVerdict(verdict) {
  const form = document.querySelector("form[data-sign]");
  if (!form) return;
  const amend = form.closest("details");
  if (amend) amend.open = true;
  form.querySelector(`[name=verdict][value=${verdict}]`).checked = true;
  form.querySelector("button[type=submit]").focus();
}

class FilmPage {
  constructor(root) {
    this.root = root;
    this.stop = new AbortController();
    this.canvas = root.querySelector("canvas");
    this.viewer = new Viewer(this.canvas, { urls: readUrls(root), boxes: readBoxes(root) });
    this.viewer.strength = Number(kept("strength", "50")) / 100;
    this.viewer.colours = kept("colours", "viridis");
    this.viewer.addEventListener("change", () => this.show());
    bindGestures(this.viewer, this.stop.signal);
    this.bindControls();
    this.viewer.load().then(() => this.root.removeAttribute("data-loading"), () => this.tellMissing());
  }

  close() {
    this.stop.abort();
    this.viewer.close();
  }

  tellMissing() {
    this.root.querySelector("[data-missing]").hidden = false;
    this.root.removeAttribute("data-loading");
  }

  async toggle(layer) {
    try {
      await this.viewer.toggle(layer);
    } catch {
      this.tellMissing();
    }
  }

  bindControls() {
    const { signal } = this.stop;
    const viewer = this.viewer;
    const actions = {
      invert: () => viewer.invert(),
      reset: () => viewer.reset(),
      actual: () => viewer.showActualSize(),
      in: () => viewer.zoomAt(1.25),
      out: () => viewer.zoomAt(0.8),
      colours: () => this.setColours(viewer.colours === "viridis" ? "jet" : "viridis"),
    };
    this.root.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button?.dataset.layer) this.toggle(button.dataset.layer);
      else if (button?.dataset.action) actions[button.dataset.action]();
      else if (button?.dataset.colours) this.setColours(button.dataset.colours);
    }, { signal });
    this.bindSlider(this.root.querySelector("[data-strength]"));
    const single = document.querySelector("[data-single-keys]");
    if (single) {
      single.checked = kept("single-keys", "on") === "on";
      single.addEventListener("change", () => keep("single-keys", single.checked ? "on" : "off"), { signal });
    }
    const keys = Object.fromEntries(Object.entries(KEYS).map(([key, layer]) => [key, () => this.toggle(layer)]));
    Object.assign(keys, { i: actions.invert, z: actions.reset, c: actions.colours, 1: actions.actual, "+": actions.in, "=": actions.in, "-": actions.out });
    for (const [key, verdict] of Object.entries(VERDICTS)) keys[key] = () => chooseVerdict(verdict);
    bindKeys(keys, () => kept("single-keys", "on") === "on", signal);
  }

  /** A refused film has no maps, and so no slider. */
  bindSlider(slider) {
    if (!slider) return;
    slider.value = String(Math.round(this.viewer.strength * 100));
    slider.addEventListener("input", () => {
      this.viewer.setStrength(Number(slider.value) / 100);
      keep("strength", slider.value);
    }, { signal: this.stop.signal });
  }

  setColours(name) {
    keep("colours", name);
    this.viewer.setColours(name);
  }

  /** Buttons say what is on; the legend stands only beside a heat map. */
  show() {
    const { viewer } = this;
    for (const button of this.root.querySelectorAll("button[data-layer]")) {
      button.disabled = !viewer.has(button.dataset.layer);
      button.setAttribute("aria-pressed", String(viewer.isShown(button.dataset.layer)));
    }
    for (const button of this.root.querySelectorAll("button[data-colours]")) {
      button.setAttribute("aria-pressed", String(viewer.colours === button.dataset.colours));
    }
    this.root.querySelector("[data-action=invert]").setAttribute("aria-pressed", String(viewer.window.inverted));
    const heat = viewer.shown.heat ?? "";
    this.root.dataset.heat = heat;
    if (heat) this.root.querySelector("[data-legend-of]").textContent = this.root.querySelector(`button[data-layer=${heat}]`).dataset.legend;
    this.root.dataset.palette = viewer.colours;
    const zoom = this.root.querySelector("[data-zoom]");
    zoom.textContent = `${Math.round(viewer.view.zoom * 100)} %`;
  }
}

function start() {
  const root = document.querySelector("[data-viewer]");
  if (running?.root === root) return;
  running?.close();
  running = root ? new FilmPage(root) : null;
}

start();
document.addEventListener("htmx:afterSettle", start);
