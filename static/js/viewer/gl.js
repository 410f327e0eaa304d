/** Draws films at full depth by WebGL2: window, heat map and a second film are put together per screen pixel. */
import { COLORMAPS } from "./colormaps.js";

const VERTEX = `#version 300 es
void main() {
  vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp usampler2D;
uniform usampler2D film;
uniform usampler2D other;
uniform sampler2D heat;
uniform sampler2D palette;
uniform mat3 toFilm;
uniform float canvasHeight;
uniform float low;
uniform float width;
uniform float inverted;
uniform float strength;
uniform float blend;
out vec4 colour;

float near(usampler2D greys, ivec2 place, ivec2 last) {
  return float(texelFetch(greys, clamp(place, ivec2(0), last), 0).r);
}

float sampled(usampler2D greys, vec2 uv) {
  ivec2 size = textureSize(greys, 0);
  ivec2 last = size - 1;
  vec2 at = uv * vec2(size);
  float reach = max(length(dFdx(at)), length(dFdy(at)));
  if (reach > 1.5) {
    int n = int(clamp(ceil(reach), 2.0, 4.0));
    float sum = 0.0;
    for (int y = 0; y < n; y++) for (int x = 0; x < n; x++) {
      vec2 step = (vec2(float(x), float(y)) + 0.5) / float(n) - 0.5;
      sum += near(greys, ivec2(floor(at + step * reach)), last);
    }
    return sum / float(n * n);
  }
  vec2 corner = floor(at - 0.5);
  vec2 share = at - 0.5 - corner;
  ivec2 p = ivec2(corner);
  float top = mix(near(greys, p, last), near(greys, p + ivec2(1, 0), last), share.x);
  float bottom = mix(near(greys, p + ivec2(0, 1), last), near(greys, p + ivec2(1, 1), last), share.x);
  return mix(top, bottom, share.y);
}

float shown(float value) {
  float grey = clamp((value - low) / width, 0.0, 1.0);
  return inverted > 0.5 ? 1.0 - grey : grey;
}

void main() {
  vec2 uv = (toFilm * vec3(gl_FragCoord.x, canvasHeight - gl_FragCoord.y, 1.0)).xy;
  float grey = shown(sampled(film, uv));
  if (blend > 0.0) grey = mix(grey, shown(sampled(other, uv)), blend);
  vec3 mixed = vec3(grey);
  if (strength > 0.0) {
    float hot = texture(heat, uv).r;
    mixed = mix(mixed, texture(palette, vec2(hot * 0.99609375 + 0.001953125, 0.5)).rgb, hot * strength);
  }
  bool outside = any(lessThan(uv, vec2(0.0))) || any(greaterThan(uv, vec2(1.0)));
  colour = outside ? vec4(0.0) : vec4(mixed, 1.0);
}`;

function build(gl) {
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(`shader: ${gl.getProgramInfoLog(program)}`);
  return program;
}

export class GlPainter {
  /** Throws where the browser has no WebGL2. */
  constructor() {
    this.canvas = document.createElement("canvas");
    const gl = this.canvas.getContext("webgl2", { alpha: true, antialias: false, depth: false, premultipliedAlpha: false, preserveDrawingBuffer: true });
    if (!gl) throw new Error("no WebGL2");
    this.gl = gl;
    this.program = build(gl);
    this.places = {};
    for (const name of ["film", "other", "heat", "palette", "toFilm", "canvasHeight", "low", "width", "inverted", "strength", "blend"]) {
      this.places[name] = gl.getUniformLocation(this.program, name);
    }
    this.textures = new Map();
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.bindVertexArray(gl.createVertexArray());
    this.fits = (source) => Math.max(source.width, source.height) <= gl.getParameter(gl.MAX_TEXTURE_SIZE);
  }

  get isLost() {
    return this.gl.isContextLost();
  }

  /** Put the data of one unit into its texture, unless it is there already. */
  hold(unit, name, data, upload) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + unit);
    let entry = this.textures.get(name);
    if (!entry) {
      entry = { texture: gl.createTexture(), data: null };
      this.textures.set(name, entry);
    }
    gl.bindTexture(gl.TEXTURE_2D, entry.texture);
    if (entry.data !== data) {
      entry.data = data;
      upload();
      const filter = name === "heat" || name === "palette" ? gl.LINEAR : gl.NEAREST;
      for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, filter);
      for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
    }
    gl.uniform1i(this.places[name], unit);
  }

  holdGreys(unit, name, { width, height, values }) {
    const { gl } = this;
    this.hold(unit, name, values, () => gl.texImage2D(gl.TEXTURE_2D, 0, gl.R16UI, width, height, 0, gl.RED_INTEGER, gl.UNSIGNED_SHORT, values));
  }

  /** Hold a film before it is painted, so that the first change of its window comes at once. */
  ready(film) {
    this.gl.useProgram(this.program);
    this.holdGreys(0, "film", film);
  }

  /** See viewer.js for the scene. */
  paint(context, { film, other, blend, heat, strength, colours, window, map, ratio }) {
    const { gl, places } = this;
    const { width, height } = context.canvas;
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    gl.viewport(0, 0, width, height);
    gl.useProgram(this.program);
    this.holdGreys(0, "film", film);
    if (other) this.holdGreys(1, "other", other);
    else gl.uniform1i(places.other, 0);
    const cold = heat ?? { width: 1, height: 1, values: this.cold ??= new Uint8Array(1) };
    this.hold(2, "heat", cold.values, () => gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, cold.width, cold.height, 0, gl.RED, gl.UNSIGNED_BYTE, cold.values));
    const table = COLORMAPS[colours];
    this.hold(3, "palette", table, () => gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, 256, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, Uint8Array.from(table.flat())));
    const [a, b, c, d, e, f] = map.matrix.map((value) => value * ratio);
    const determinant = a * d - b * c;
    const [w, h] = [film.shape.width * determinant, film.shape.height * determinant];
    gl.uniformMatrix3fv(places.toFilm, false, [d / w, -b / h, 0, -c / w, a / h, 0, (c * f - d * e) / w, (b * e - a * f) / h, 1]);
    gl.uniform1f(places.canvasHeight, height);
    gl.uniform1f(places.low, window.center - window.width / 2);
    gl.uniform1f(places.width, window.width);
    gl.uniform1f(places.inverted, window.inverted ? 1 : 0);
    gl.uniform1f(places.strength, heat ? strength : 0);
    gl.uniform1f(places.blend, other ? blend : 0);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(this.canvas, 0, 0);
  }

  close() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
