/** Where the film lies on the canvas: zoom, pan, quarter turns. Fractions of the film to CSS pixels and back. */

const MAX_ZOOM = 16;
const QUARTERS = [[1, 0], [0, 1], [-1, 0], [0, -1]];

export class Place {
  constructor() {
    this.reset();
  }

  reset() {
    Object.assign(this, { zoom: 1, x: 0, y: 0, turns: 0 });
  }

  /** film, room: {width, height}; returns the affine map of film pixels to CSS pixels. */
  map(film, room) {
    const [c, s] = QUARTERS[this.turns];
    const lying = this.turns % 2 === 1;
    const [width, height] = lying ? [film.height, film.width] : [film.width, film.height];
    const scale = Math.min(room.width / width, room.height / height) * this.zoom;
    const middle = { x: room.width / 2 + this.x, y: room.height / 2 + this.y };
    const matrix = [c * scale, s * scale, -s * scale, c * scale, 0, 0];
    matrix[4] = middle.x - (matrix[0] * film.width + matrix[2] * film.height) / 2;
    matrix[5] = middle.y - (matrix[1] * film.width + matrix[3] * film.height) / 2;
    return { scale, width: width * scale, height: height * scale, matrix };
  }

  /** Zoom so that the point (CSS pixels from the canvas's corner) stays where it is. */
  zoomAt(factor, point, room) {
    const zoom = Math.max(1, Math.min(MAX_ZOOM, this.zoom * factor));
    const share = zoom / this.zoom;
    this.x = (point.x - room.width / 2) * (1 - share) + this.x * share;
    this.y = (point.y - room.height / 2) * (1 - share) + this.y * share;
    this.zoom = zoom;
  }

  /** The film never leaves the canvas: its edge stops at the canvas's edge. */
  keepInReach(film, room) {
    const { width, height } = this.map(film, room);
    const reach = { x: Math.max(0, width - room.width) / 2, y: Math.max(0, height - room.height) / 2 };
    this.x = Math.max(-reach.x, Math.min(reach.x, this.x));
    this.y = Math.max(-reach.y, Math.min(reach.y, this.y));
  }

  turn() {
    this.turns = (this.turns + 1) % 4;
    [this.x, this.y] = [-this.y, this.x];
  }
}

/** Fractions of the film to CSS pixels. */
export function toScreen({ matrix: m }, film, [u, v]) {
  const [x, y] = [u * film.width, v * film.height];
  return [m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5]];
}

/** CSS pixels to fractions of the film, kept on the film. */
export function toFilm({ matrix: m }, film, { x, y }) {
  const determinant = m[0] * m[3] - m[1] * m[2];
  const [dx, dy] = [x - m[4], y - m[5]];
  const u = (m[3] * dx - m[2] * dy) / determinant / film.width;
  const v = (m[0] * dy - m[1] * dx) / determinant / film.height;
  return [Math.max(0, Math.min(1, u)), Math.max(0, Math.min(1, v))];
}
