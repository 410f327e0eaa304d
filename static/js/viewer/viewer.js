/** The film on a canvas: zoom, pan, window, turns, and layers over it. State in, pixels out. */
import { enlarge, greysOf, loadDepth, loadPicture, loadPixels, mapOf } from "./source.js";
import { Place, toFilm } from "./place.js";
import { GlPainter } from "./gl.js";
import { FlatPainter } from "./flat.js";
import { COLOURS, colouredOnly, drawOverlay } from "./overlay.js";

const FULL_WINDOW = { center: 32767.5, width: 65535, inverted: false };
const STEP = 65535 / 255;
const HEATS = ["attention", "unet", "reversed_ae", "pneumonia"];

function makePainter() {
  try {
    return new GlPainter();
  } catch {
    return new FlatPainter();
  }
}

export class Viewer extends EventTarget {
  /**
   * canvas: the element that shows the film
   * urls: {film, depth, attention, attention_each, unet, reversed_ae, anatomy} → address
   * boxes: [{words, box: [x0, y0, x1, y1]}], fractions of the film
   * lines: {heart, chest} → {line, words}; diseases: codes in the order of attention_each
   * extent: {mm: [width, height] or null, px: [width, height]} of the whole film
   */
  constructor(canvas, { urls, boxes = [], lines = {}, diseases = [], extent = {} }) {
    super();
    Object.assign(this, { canvas, urls, boxes, lines, diseases, extent });
    this.painter = null;
    this.view = new Place();
    this.window = { ...FULL_WINDOW };
    this.shown = { boxes: boxes.length > 0, anatomy: false, heat: null, disease: null };
    this.maps = new Map();
    this.added = [];
    this.mode = "window";
    this.ruler = null;
    this.drawn = null;
    this.strength = 0.5;
    this.colours = "viridis";
    this.other = null;
    this.blend = 0;
    this.frame = 0;
    this.firstPaint = new Promise((resolve) => { this.tellPainted = () => setTimeout(resolve); });
    this.stop = new AbortController();
    this.resizing = new ResizeObserver(() => this.draw());
    this.resizing.observe(canvas);
    // Letters that came after the words were drawn.
    document.fonts.addEventListener("loadingdone", () => this.draw(), { signal: this.stop.signal });
  }

  /** The 8-bit picture at once; full depth replaces it without a jump when it has come, or comes alone. */
  async load() {
    if (this.urls.film) {
      this.setFilm(await loadPicture(this.urls.film));
      await this.firstPaint;
    }
    if (!this.urls.depth) {
      this.prepare();
      return;
    }
    try {
      const deep = await loadDepth(this.urls.depth, this.stop.signal);
      if (!this.film || this.readyPainter().fits(deep)) this.setFilm(deep);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!this.film) throw error;
      this.dispatchEvent(new Event("shallow"));
    }
  }

  /** Shaders and greys cost more than the first picture may wait: made when it is painted, or first needed. */
  readyPainter() {
    if (!this.painter || this.painter.isLost) this.painter = this.painter ? new FlatPainter() : makePainter();
    return this.painter;
  }

  prepare() {
    if (this.stop.signal.aborted) return;
    this.readyPainter().ready?.(this.film);
  }

  setFilm(source) {
    this.shape ??= { width: source.width, height: source.height };
    this.film?.bitmap?.close();
    this.film = Object.assign(source, { shape: this.shape });
    this.canvas.dataset.depth = source.depth;
    this.changed();
  }

  close() {
    this.stop.abort();
    this.resizing.disconnect();
    cancelAnimationFrame(this.frame);
    this.painter?.close();
    this.film?.bitmap?.close();
    this.maps.clear();
  }

  changed() {
    this.draw();
    this.dispatchEvent(new Event("change"));
  }

  get room() {
    return { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
  }

  get map() {
    return this.view.map(this.shape, this.room);
  }

  /** CSS pixels from the canvas's corner → fractions of the film. */
  filmPoint(point) {
    return toFilm(this.map, this.shape, point);
  }

  // Layers

  has(layer) {
    if (layer === "boxes") return this.boxes.length + this.added.length > 0;
    return Boolean(this.urls[layer]);
  }

  isShown(layer) {
    return HEATS.includes(layer) ? this.shown.heat === layer : this.shown[layer];
  }

  /** Switch a layer; one heat map at a time, boxes and anatomy beside any. disease: for attention alone */
  async toggle(layer, on = !this.isShown(layer), disease = null) {
    if (!this.has(layer)) return;
    if (layer !== "boxes" && on) await this.fetchMap(layer, disease);
    if (HEATS.includes(layer)) Object.assign(this.shown, { heat: on ? layer : null, disease: on ? disease : null });
    else this.shown[layer] = on;
    this.changed();
  }

  async fetchMap(layer, disease) {
    const key = disease ? `${layer}/${disease}` : layer;
    if (this.maps.has(key)) return;
    const pixels = await loadPixels(this.urls[disease ? "attention_each" : layer]);
    if (disease) this.maps.set(key, mapOf(greysOf(pixels), this.diseases.indexOf(disease), this.diseases.length));
    else this.maps.set(key, layer === "anatomy" ? colouredOnly(pixels) : enlarge(greysOf(pixels)));
  }

  get heat() {
    const { heat, disease } = this.shown;
    return heat ? this.maps.get(disease ? `${heat}/${disease}` : heat) : null;
  }

  set(values) {
    Object.assign(this, values);
    this.changed();
  }

  // Window, in 0..65535

  setWindow(change) {
    this.window = { ...this.window, ...change };
    this.window.width = Math.max(256, Math.min(2 * 65535, this.window.width));
    this.window.center = Math.max(0, Math.min(65535, this.window.center));
    this.changed();
  }

  moveWindow(width, center) {
    this.setWindow({ width: this.window.width + width * STEP, center: this.window.center + center * STEP });
  }

  invert() {
    this.setWindow({ inverted: !this.window.inverted });
  }

  // Place

  zoomAt(factor, x = this.room.width / 2, y = this.room.height / 2) {
    this.view.zoomAt(factor, { x, y }, this.room);
    this.keepInReach();
  }

  pan(dx, dy) {
    this.view.x += dx;
    this.view.y += dy;
    this.keepInReach();
  }

  turn() {
    this.view.turn();
    this.keepInReach();
  }

  /** One film pixel on one screen pixel. */
  showActualSize() {
    const { width } = this.film;
    this.view.zoom = 1;
    this.zoomAt(this.shape.width && width / (this.shape.width * this.map.scale * (window.devicePixelRatio || 1)));
  }

  keepInReach() {
    if (!this.film) return;
    this.view.keepInReach(this.shape, this.room);
    this.changed();
  }

  reset() {
    this.view.reset();
    this.setWindow({ ...FULL_WINDOW });
  }

  /** Follow another viewer's place and window: the film beside moves with it. */
  follow(leader) {
    Object.assign(this.view, { zoom: leader.view.zoom, x: leader.view.x, y: leader.view.y, turns: leader.view.turns });
    this.window = { ...leader.window };
    this.draw();
  }

  // Ruler and box: both are drawn from one point to another

  setMode(mode) {
    this.mode = this.mode === mode ? "window" : mode;
    if (this.mode === "ruler") this.ruler ??= [0.3, 0.5, 0.7, 0.5];
    else this.ruler = null;
    this.drawn = this.mode === "box" ? [0.4, 0.4, 0.6, 0.6] : null;
    this.changed();
  }

  get line() {
    return this.mode === "ruler" ? this.ruler : this.drawn;
  }

  set line(value) {
    if (this.mode === "ruler") this.ruler = value;
    else this.drawn = value;
    this.changed();
  }

  /** Length of a line in mm where the pixel spacing is known, else in film pixels. */
  measure([x0, y0, x1, y1]) {
    const [width, height] = this.extent.mm ?? this.extent.px;
    return { length: Math.hypot((x1 - x0) * width, (y1 - y0) * height), unit: this.extent.mm ? "mm" : "px" };
  }

  wordsOf(line) {
    const { length, unit } = this.measure(line);
    const figure = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: unit === "mm" ? 1 : 0 });
    return `${figure.format(length)} ${unit}`;
  }

  // Drawing

  draw() {
    if (this.frame || !this.film) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  marks() {
    const boxes = this.shown.boxes ? this.boxes.map((box) => ({ ...box, colour: COLOURS.machine })) : [];
    for (const item of this.added) if (item.box) boxes.push({ words: item.words, box: item.box, colour: COLOURS.person });
    if (this.drawn) {
      const [x0, y0, x1, y1] = this.drawn;
      boxes.push({ box: [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)], colour: COLOURS.person, dashed: true });
    }
    const measures = this.ruler ? [{ line: this.ruler, words: this.wordsOf(this.ruler), colour: COLOURS.ruler }] : [];
    if (this.shown.anatomy) for (const name of ["chest", "heart"]) if (this.lines[name]) measures.push({ ...this.lines[name], colour: COLOURS[name] });
    return { boxes, measures };
  }

  /** Whether the picture is shown as it came: nothing over it but lines, no other window. */
  get isPlain() {
    const { center, width, inverted } = this.window;
    const whole = center === FULL_WINDOW.center && width === FULL_WINDOW.width && !inverted;
    return Boolean(this.film.bitmap) && whole && !this.heat && !this.other;
  }

  paintPlain(context, { map, ratio }) {
    context.imageSmoothingQuality = "high";
    context.setTransform(...map.matrix.map((value) => value * ratio));
    context.drawImage(this.film.bitmap, 0, 0, this.shape.width, this.shape.height);
  }

  paint() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(this.room.width * ratio), Math.round(this.room.height * ratio)];
    if (!width || !height) return;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d");
    const { map } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    const { film, other, blend, heat, strength, colours } = this;
    if (this.isPlain) this.paintPlain(context, { map, ratio });
    else this.readyPainter().paint(context, { film, other, blend, heat, strength, colours, window: this.window, map, ratio });
    const outlines = this.shown.anatomy ? this.maps.get("anatomy") : null;
    drawOverlay(context, { map, film: this.shape, ratio, outlines, share: 0.4 + strength * 0.6, ...this.marks() });
    this.canvas.dataset.painted = "true";
    this.tellPainted();
  }
}
