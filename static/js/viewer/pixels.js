/** Pictures to canvases: window a grey film, colour a grey map, keep only what is coloured. */
import { COLORMAPS } from "./colormaps.js";

function canvasOf(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/** Fetch a picture and read its pixels; throws where the server does not give it. */
export async function loadPixels(url) {
  const response = await fetch(url, { credentials: "same-origin" });
  if (!response.ok) throw new Error(`picture: ${response.status}`);
  const bitmap = await createImageBitmap(await response.blob());
  const canvas = canvasOf(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/** A film under a window: grey values 0..255, linear between center ± width / 2. */
export class FilmLayer {
  constructor(pixels) {
    this.source = pixels;
    this.canvas = canvasOf(pixels.width, pixels.height);
    this.output = new ImageData(pixels.width, pixels.height);
    this.words = new Uint32Array(this.output.data.buffer);
    this.table = new Uint32Array(256);
  }

  apply({ center, width, inverted }) {
    const low = center - width / 2;
    for (let value = 0; value < 256; value += 1) {
      let grey = Math.max(0, Math.min(255, Math.round(((value - low) / width) * 255)));
      if (inverted) grey = 255 - grey;
      // Little-endian on every browser that matters: alpha, blue, green, red.
      this.table[value] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
    }
    const bytes = this.source.data;
    for (let i = 0, n = this.words.length; i < n; i += 1) this.words[i] = this.table[bytes[i * 4]];
    this.canvas.getContext("2d").putImageData(this.output, 0, 0);
    return this.canvas;
  }
}

/** A grey map in colour: the higher the value, the less see-through. */
export function colourMap(pixels, name) {
  const table = COLORMAPS[name] ?? COLORMAPS.viridis;
  const canvas = canvasOf(pixels.width, pixels.height);
  const output = new ImageData(pixels.width, pixels.height);
  for (let i = 0; i < pixels.data.length; i += 4) {
    const value = pixels.data[i];
    const [red, green, blue] = table[value];
    output.data[i] = red;
    output.data[i + 1] = green;
    output.data[i + 2] = blue;
    output.data[i + 3] = value;
  }
  canvas.getContext("2d").putImageData(output, 0, 0);
  return canvas;
}

/** Keep the coloured pixels of a picture drawn on the film, so that the film below can be windowed. */
export function colouredOnly(pixels) {
  const canvas = canvasOf(pixels.width, pixels.height);
  const output = new ImageData(pixels.width, pixels.height);
  for (let i = 0; i < pixels.data.length; i += 4) {
    const [red, green, blue] = [pixels.data[i], pixels.data[i + 1], pixels.data[i + 2]];
    const spread = Math.max(red, green, blue) - Math.min(red, green, blue);
    output.data[i] = red;
    output.data[i + 1] = green;
    output.data[i + 2] = blue;
    output.data[i + 3] = spread < 16 ? 0 : Math.min(255, 64 + spread * 2);
  }
  canvas.getContext("2d").putImageData(output, 0, 0);
  return canvas;
}
