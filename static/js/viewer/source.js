/** Films as 16-bit greys: from the 8-bit picture at once, from the full-depth data after it. */

async function loadBitmap(url) {
  const response = await fetch(url, { credentials: "same-origin" });
  if (!response.ok) throw new Error(`picture: ${response.status}`);
  return createImageBitmap(await response.blob(), { colorSpaceConversion: "none" });
}

function pixelsOf(bitmap) {
  const { width, height } = bitmap;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, width, height);
}

/** Fetch a picture and read its pixels; throws where the server does not give it. */
export async function loadPixels(url) {
  const bitmap = await loadBitmap(url);
  const pixels = pixelsOf(bitmap);
  bitmap.close();
  return pixels;
}

/** The 8-bit picture. As it is, the canvas draws its bitmap; for windowing its greys are read, once. */
class Picture {
  constructor(bitmap) {
    Object.assign(this, { bitmap, width: bitmap.width, height: bitmap.height, depth: 8 });
  }

  /** Spread over 0..65535, so that full depth follows without a jump. */
  get values() {
    if (!this.greys) {
      const { data } = pixelsOf(this.bitmap);
      this.greys = new Uint16Array(this.width * this.height);
      for (let i = 0; i < this.greys.length; i += 1) this.greys[i] = data[i * 4] * 257;
    }
    return this.greys;
  }
}

export async function loadPicture(url) {
  return new Picture(await loadBitmap(url));
}

/** Full depth: width, height, then differences to the left neighbour, low bytes before high bytes. */
export async function loadDepth(url, signal) {
  const response = await fetch(url, { credentials: "same-origin", signal });
  if (!response.ok) throw new Error(`depth: ${response.status}`);
  const buffer = await response.arrayBuffer();
  const [width, height] = new Uint32Array(buffer, 0, 2);
  const count = width * height;
  const low = new Uint8Array(buffer, 8, count);
  const high = new Uint8Array(buffer, 8 + count, count);
  const values = new Uint16Array(count);
  for (let row = 0, i = 0; row < height; row += 1) {
    let value = 0;
    for (let column = 0; column < width; column += 1, i += 1) {
      value = (value + low[i] + (high[i] << 8)) & 0xffff;
      values[i] = value;
    }
  }
  return { width, height, values, depth: 16 };
}

/** The grey bytes of a map picture. */
export function greysOf({ width, height, data }) {
  const values = new Uint8Array(width * height);
  for (let i = 0; i < values.length; i += 1) values[i] = data[i * 4];
  return { width, height, values };
}

const cubic = (p, t) => p[1] + 0.5 * t * (p[2] - p[0] + t * (2 * p[0] - 5 * p[1] + 4 * p[2] - p[3] + t * (3 * (p[1] - p[2]) + p[3] - p[0])));

function stretch(values, width, height, length) {
  const output = new Float32Array(length * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < length; x += 1) {
      const at = ((x + 0.5) / length) * width - 0.5;
      const left = Math.floor(at);
      const near = [-1, 0, 1, 2].map((step) => values[y * width + Math.max(0, Math.min(width - 1, left + step))]);
      output[y * length + x] = cubic(near, at - left);
    }
  }
  return output;
}

function turned(values, width, height) {
  const output = new Float32Array(values.length);
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) output[x * height + y] = values[y * width + x];
  return output;
}

/** Enlarge a coarse map smoothly; size: longer side, pixels. */
export function enlarge({ width, height, values }, size = 160) {
  if (Math.max(width, height) >= size) return { width, height, values };
  const wide = stretch(values, width, height, size);
  const tall = stretch(turned(wide, size, height), height, size, size);
  return { width: size, height: size, values: Uint8Array.from(turned(tall, size, size), (v) => Math.max(0, Math.min(255, Math.round(v)))) };
}

/** One disease's map from the picture that holds all of them one below the other. */
export function mapOf({ width, height, values }, index, count) {
  const rows = height / count;
  return enlarge({ width, height: rows, values: values.slice(index * rows * width, (index + 1) * rows * width) });
}
