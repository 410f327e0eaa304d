/** Draws films without WebGL2: a table from 16-bit greys to the screen's, then the canvas's own scaling. */
import { COLORMAPS } from "./colormaps.js";

function canvasOf(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/** A film under a window, made anew only where film or window changed. */
class Windowed {
  of(film, { center, width, inverted }) {
    const key = `${center}/${width}/${inverted}`;
    if (this.film === film.values && this.key === key) return this.canvas;
    if (this.film !== film.values) {
      this.canvas = canvasOf(film.width, film.height);
      this.output = new ImageData(film.width, film.height);
      this.words = new Uint32Array(this.output.data.buffer);
    }
    [this.film, this.key] = [film.values, key];
    const low = center - width / 2;
    const table = new Uint32Array(65536);
    for (let value = 0; value < 65536; value += 1) {
      let grey = Math.max(0, Math.min(255, Math.round(((value - low) / width) * 255)));
      if (inverted) grey = 255 - grey;
      // Little-endian on every browser that matters: alpha, blue, green, red.
      table[value] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
    }
    const { words } = this;
    for (let i = 0; i < words.length; i += 1) words[i] = table[film.values[i]];
    this.canvas.getContext("2d").putImageData(this.output, 0, 0);
    return this.canvas;
  }
}

/** A grey map in colour: the higher the value, the less see-through. */
function coloured({ width, height, values }, colours) {
  const canvas = canvasOf(width, height);
  const output = new ImageData(width, height);
  const table = COLORMAPS[colours];
  for (let i = 0; i < values.length; i += 1) {
    const [red, green, blue] = table[values[i]];
    output.data[i * 4] = red;
    output.data[i * 4 + 1] = green;
    output.data[i * 4 + 2] = blue;
    output.data[i * 4 + 3] = values[i];
  }
  canvas.getContext("2d").putImageData(output, 0, 0);
  return canvas;
}

export class FlatPainter {
  constructor() {
    this.film = new Windowed();
    this.other = new Windowed();
    this.heats = new Map();
    this.isLost = false;
    this.fits = () => true;
  }

  paint(context, { film, other, blend, heat, strength, colours, window, map, ratio }) {
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.setTransform(...map.matrix.map((value) => value * ratio));
    const lay = (picture, alpha) => {
      context.globalAlpha = alpha;
      context.drawImage(picture, 0, 0, film.shape.width, film.shape.height);
      context.globalAlpha = 1;
    };
    lay(this.film.of(film, window), 1);
    if (other && blend > 0) lay(this.other.of(other, window), blend);
    if (!heat) return;
    const key = colours;
    if (this.heat !== heat.values) this.heats.clear();
    this.heat = heat.values;
    if (!this.heats.has(key)) this.heats.set(key, coloured(heat, colours));
    lay(this.heats.get(key), strength);
  }

  close() {
    this.heats.clear();
  }
}
