/** The film on a canvas: zoom, pan, window, invert, and layers over it. State in, pixels out. */
import { FilmLayer, colourMap, colouredOnly, loadPixels } from "./pixels.js";
import { drawBoxes } from "./boxes.js";

const FULL_WINDOW = { center: 127.5, width: 255, inverted: false };
const MAX_ZOOM = 12;
const HEAT_LAYERS = ["attention", "unet", "reversed_ae"];

export class Viewer extends EventTarget {
  /**
   * canvas: the element that shows the film
   * urls: {film, attention, unet, reversed_ae, anatomy} → address of the picture
   * boxes: see boxes.js
   */
  constructor(canvas, { urls, boxes }) {
    super();
    this.canvas = canvas;
    this.urls = urls;
    this.boxes = boxes;
    this.pixels = new Map();
    this.layers = new Map();
    this.window = { ...FULL_WINDOW };
    this.view = { zoom: 1, x: 0, y: 0 };
    this.shown = { boxes: boxes.length > 0, anatomy: false, heat: null };
    this.strength = 0.5;
    this.colours = "viridis";
    this.drawing = 0;
    this.resizing = new ResizeObserver(() => this.draw());
    this.resizing.observe(canvas);
  }

  async load() {
    this.film = new FilmLayer(await loadPixels(this.urls.film));
    this.film.apply(this.window);
    this.changed();
  }

  close() {
    this.resizing.disconnect();
    cancelAnimationFrame(this.drawing);
    this.pixels.clear();
    this.layers.clear();
  }

  changed() {
    this.draw();
    this.dispatchEvent(new Event("change"));
  }

  // Layers

  has(layer) {
    return layer === "boxes" ? this.boxes.length > 0 : Boolean(this.urls[layer]);
  }

  isShown(layer) {
    return HEAT_LAYERS.includes(layer) ? this.shown.heat === layer : this.shown[layer];
  }

  /** Switch a layer; one heat map at a time, boxes and anatomy beside any. */
  async toggle(layer, on = !this.isShown(layer)) {
    if (!this.has(layer)) return;
    if (layer !== "boxes" && on) await this.fetchPixels(layer);
    if (HEAT_LAYERS.includes(layer)) this.shown.heat = on ? layer : null;
    else this.shown[layer] = on;
    this.changed();
  }

  async fetchPixels(layer) {
    if (!this.pixels.has(layer)) this.pixels.set(layer, await loadPixels(this.urls[layer]));
  }

  layerCanvas(layer) {
    const key = layer === "anatomy" ? layer : `${layer}/${this.colours}`;
    if (!this.layers.has(key)) {
      const pixels = this.pixels.get(layer);
      this.layers.set(key, layer === "anatomy" ? colouredOnly(pixels) : colourMap(pixels, this.colours));
    }
    return this.layers.get(key);
  }

  setStrength(share) {
    this.strength = share;
    this.changed();
  }

  setColours(name) {
    this.colours = name;
    this.changed();
  }

  // Window

  setWindow(change) {
    this.window = { ...this.window, ...change };
    this.window.width = Math.max(4, Math.min(510, this.window.width));
    this.window.center = Math.max(0, Math.min(255, this.window.center));
    this.film?.apply(this.window);
    this.changed();
  }

  moveWindow(width, center) {
    this.setWindow({ width: this.window.width + width, center: this.window.center + center });
  }

  invert() {
    this.setWindow({ inverted: !this.window.inverted });
  }

  // Place

  /** Where the film lies on the canvas, CSS pixels. */
  place() {
    const { width, height } = this.film.canvas;
    const room = { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
    const scale = Math.min(room.width / width, room.height / height) * this.view.zoom;
    return {
      scale,
      width: width * scale,
      height: height * scale,
      x: (room.width - width * scale) / 2 + this.view.x,
      y: (room.height - height * scale) / 2 + this.view.y,
    };
  }

  /** Zoom so that the point (CSS pixels from the canvas's corner) stays where it is. */
  zoomAt(factor, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const zoom = Math.max(1, Math.min(MAX_ZOOM, this.view.zoom * factor));
    const share = zoom / this.view.zoom;
    const middle = { x: this.canvas.clientWidth / 2, y: this.canvas.clientHeight / 2 };
    this.view.x = (x - middle.x) * (1 - share) + this.view.x * share;
    this.view.y = (y - middle.y) * (1 - share) + this.view.y * share;
    this.view.zoom = zoom;
    this.keepInReach();
  }

  pan(dx, dy) {
    this.view.x += dx;
    this.view.y += dy;
    this.keepInReach();
  }

  /** One film pixel on one screen pixel. */
  showActualSize() {
    this.view.zoom = 1;
    const fitted = this.place().scale * (window.devicePixelRatio || 1);
    this.zoomAt(1 / fitted);
  }

  /** The film never leaves the canvas: its edge stops at the canvas's edge. */
  keepInReach() {
    if (!this.film) return;
    const place = this.place();
    const reach = { x: Math.max(0, place.width - this.canvas.clientWidth) / 2, y: Math.max(0, place.height - this.canvas.clientHeight) / 2 };
    this.view.x = Math.max(-reach.x, Math.min(reach.x, this.view.x));
    this.view.y = Math.max(-reach.y, Math.min(reach.y, this.view.y));
    this.changed();
  }

  reset() {
    this.view = { zoom: 1, x: 0, y: 0 };
    this.setWindow({ ...FULL_WINDOW });
  }

  // Drawing

  draw() {
    if (this.drawing || !this.film) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = 0;
      this.paint();
    });
  }

  paint() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(this.canvas.clientWidth * ratio), Math.round(this.canvas.clientHeight * ratio)];
    if (!width || !height) return;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    const place = this.place();
    const lay = (picture, alpha) => {
      context.globalAlpha = alpha;
      context.drawImage(picture, place.x, place.y, place.width, place.height);
      context.globalAlpha = 1;
    };
    lay(this.film.canvas, 1);
    if (this.shown.heat) lay(this.layerCanvas(this.shown.heat), this.strength);
    if (this.shown.anatomy) lay(this.layerCanvas("anatomy"), 0.4 + this.strength * 0.6);
    if (this.shown.boxes) drawBoxes(context, this.boxes, place, { colour: "#ff6a5a" });
    this.canvas.dataset.painted = "true";
  }
}
