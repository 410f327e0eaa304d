/** Lesion boxes, drawn in screen space so that lines and words stay sharp at any zoom. */

const LABEL_FONT = '600 13px system-ui, "Segoe UI", Roboto, Arial, sans-serif';

/**
 * boxes: [{label, probability, box: [x0, y0, x1, y1]}], fractions of the film
 * place: {x, y, width, height} of the film on the canvas, CSS pixels
 */
export function drawBoxes(context, boxes, place, { colour }) {
  context.save();
  context.font = LABEL_FONT;
  context.textBaseline = "middle";
  for (const { label, probability, box } of boxes) {
    const x = place.x + box[0] * place.width;
    const y = place.y + box[1] * place.height;
    const width = (box[2] - box[0]) * place.width;
    const height = (box[3] - box[1]) * place.height;
    context.lineWidth = 4;
    context.strokeStyle = "rgb(0 0 0 / 55%)";
    context.strokeRect(x, y, width, height);
    context.lineWidth = 2;
    context.strokeStyle = colour;
    context.strokeRect(x, y, width, height);
    const words = `${label} ${probability}`;
    const room = context.measureText(words).width + 10;
    const top = y >= 22 ? y - 20 : y + 2;
    context.fillStyle = "rgb(0 0 0 / 65%)";
    context.fillRect(x - 1, top, room, 19);
    context.fillStyle = colour;
    context.fillText(words, x + 4, top + 10);
  }
  context.restore();
}
