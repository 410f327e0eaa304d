/** What lies over the film, in screen space so that lines and words stay sharp: boxes, lines, the ruler. */
import { toScreen } from "./place.js";

// The page's own family: it brings letters that the machine may lack.
const font = () => `600 13px ${getComputedStyle(document.documentElement).fontFamily}`;
const NARROWEST = 180;
export const COLOURS = { machine: "#ff6a5a", person: "#82bcff", heart: "#f0b428", chest: "#56b4e9", ruler: "#ffe27a" };

function stroke(context, points, colour, closed = false) {
  for (const [width, style] of [[4, "rgb(0 0 0 / 55%)"], [2, colour]]) {
    context.lineWidth = width;
    context.strokeStyle = style;
    context.beginPath();
    points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    if (closed) context.closePath();
    context.stroke();
  }
}

/** The words, cut where they would cover more than half of the film's width. */
function fitting(context, words) {
  const widest = Math.max(NARROWEST, context.canvas.clientWidth / 2);
  if (context.measureText(words).width <= widest) return words;
  let kept = words;
  while (kept && context.measureText(`${kept}…`).width > widest) kept = kept.slice(0, -1);
  return `${kept.trimEnd()}…`;
}

/** Words on a dark ground; taken: the places of words already written, which these make way for. */
function caption(context, text, x, y, colour, taken = []) {
  const words = fitting(context, text);
  const room = context.measureText(words).width + 10;
  const left = Math.max(0, Math.min(x, context.canvas.clientWidth - room));
  let top = Math.max(0, y);
  while (taken.some((other) => left < other.left + other.room && other.left < left + room && Math.abs(top - other.top) < 19)) top += 20;
  taken.push({ left, top, room });
  context.fillStyle = "rgb(0 0 0 / 70%)";
  context.fillRect(left, top, room, 19);
  context.fillStyle = colour;
  context.fillText(words, left + 5, top + 10);
}

/** box: x0 y0 x1 y1, fractions; dashed: still being drawn, or to be amended. */
function drawBox(context, map, film, { words, box, colour, dashed }, taken) {
  const corners = [[box[0], box[1]], [box[2], box[1]], [box[2], box[3]], [box[0], box[3]]].map((corner) => toScreen(map, film, corner));
  context.setLineDash(dashed ? [6, 4] : []);
  stroke(context, corners, colour, true);
  context.setLineDash([]);
  const left = Math.min(...corners.map(([x]) => x));
  const top = Math.min(...corners.map(([, y]) => y));
  if (words) caption(context, words, left - 1, top >= 22 ? top - 20 : top + 2, colour, taken);
}

/** A line with end marks across it. */
function drawMeasure(context, map, film, { line, words, colour }) {
  const a = toScreen(map, film, [line[0], line[1]]);
  const b = toScreen(map, film, [line[2], line[3]]);
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1;
  const across = [(-(b[1] - a[1]) / length) * 7, ((b[0] - a[0]) / length) * 7];
  stroke(context, [a, b], colour);
  for (const end of [a, b]) stroke(context, [[end[0] - across[0], end[1] - across[1]], [end[0] + across[0], end[1] + across[1]]], colour);
  if (words) caption(context, words, (a[0] + b[0]) / 2 - context.measureText(fitting(context, words)).width / 2, Math.max(a[1], b[1]) + 8, colour);
}

/** boxes, measures: see above; outlines: a canvas over the whole film with its share. */
export function drawOverlay(context, { map, film, ratio, boxes, measures, outlines, share }) {
  if (outlines) {
    context.setTransform(...map.matrix.map((value) => value * ratio));
    context.globalAlpha = share;
    context.drawImage(outlines, 0, 0, film.width, film.height);
    context.globalAlpha = 1;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.font = font();
  context.textBaseline = "middle";
  for (const measure of measures) drawMeasure(context, map, film, measure);
  const taken = [];
  for (const box of boxes) drawBox(context, map, film, box, taken);
}

/** Keep the coloured pixels of a picture drawn on the film, so that the film below can be windowed. */
export function colouredOnly({ width, height, data }) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const output = new ImageData(width, height);
  for (let i = 0; i < data.length; i += 4) {
    const spread = Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]);
    output.data.set(data.subarray(i, i + 3), i);
    output.data[i + 3] = spread < 16 ? 0 : Math.min(255, 64 + spread * 2);
  }
  canvas.getContext("2d").putImageData(output, 0, 0);
  return canvas;
}
