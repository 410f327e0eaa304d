/** Mouse, touch and keyboard on the viewer's canvas. Drag windows (or draws ruler and box), space + drag pans, the wheel and two fingers zoom. */
import { toScreen } from "./place.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const WINDOW_STEP = 8;
const PAN_STEP = 40;
const NUDGE = 0.01;
const NEAR_PX = 16;

function isTyping(target) {
  return target.matches?.("input:not([type=range], [type=radio], [type=checkbox]), textarea, select, [contenteditable]");
}

function spread(pointers) {
  const [a, b] = [...pointers.values()];
  return { distance: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

/** Which end of the line the pointer takes: one that it is near, or both begin anew here. */
function beginLine(viewer, point) {
  const { line, map, shape } = viewer;
  const near = (i) => {
    const [x, y] = toScreen(map, shape, [line[i], line[i + 1]]);
    return Math.hypot(point.x - x, point.y - y) < NEAR_PX;
  };
  if (near(0)) return 0;
  if (near(2)) return 2;
  const [u, v] = viewer.filmPoint(point);
  viewer.line = [u, v, u, v];
  return 2;
}

function dragLine(viewer, end, point) {
  const line = [...viewer.line];
  [line[end], line[end + 1]] = viewer.filmPoint(point);
  viewer.line = line;
}

/** Arrows move the line, with Shift its second end. */
function nudgeLine(viewer, arrow, secondEnd) {
  const move = (i) => Math.max(0, Math.min(1, viewer.line[i] + arrow[i % 2] * NUDGE));
  viewer.line = viewer.line.map((value, i) => (secondEnd && i < 2 ? value : move(i)));
}

export function bindGestures(viewer, signal) {
  const { canvas } = viewer;
  const pointers = new Map();
  let spaceHeld = false;
  let pinch = null;

  const at = (event) => {
    const rect = canvas.getBoundingClientRect();
    return { x: event.clientX - rect.left, y: event.clientY - rect.top };
  };
  // A finger scrolls the page past a film that is not zoomed in; once it is, the finger moves the film.
  const allowScroll = () => {
    canvas.toggleAttribute("data-held", viewer.view.zoom > 1 || viewer.mode !== "window");
  };

  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const point = at(event);
    viewer.zoomAt(Math.exp(-event.deltaY * 0.0015), point.x, point.y);
    allowScroll();
  }, { passive: false, signal });

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    const point = at(event);
    const draws = viewer.mode !== "window" && !spaceHeld && event.button === 0;
    const pans = !draws && (spaceHeld || event.button === 1 || event.pointerType === "touch");
    pointers.set(event.pointerId, { ...point, pans, end: draws ? beginLine(viewer, point) : null });
    if (pointers.size === 2) pinch = spread(pointers);
  }, { signal });

  canvas.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    const point = at(event);
    pointers.set(event.pointerId, { ...last, ...point });
    if (pointers.size === 2 && pinch) {
      const now = spread(pointers);
      viewer.zoomAt(now.distance / Math.max(1, pinch.distance), now.x, now.y);
      viewer.pan(now.x - pinch.x, now.y - pinch.y);
      pinch = now;
    } else if (last.end !== null) {
      dragLine(viewer, last.end, point);
    } else if (last.pans) {
      viewer.pan(point.x - last.x, point.y - last.y);
    } else {
      viewer.moveWindow(point.x - last.x, point.y - last.y);
    }
  }, { signal });

  const release = (event) => {
    pointers.delete(event.pointerId);
    if (pointers.size < 2) pinch = null;
    allowScroll();
  };
  canvas.addEventListener("pointerup", release, { signal });
  canvas.addEventListener("pointercancel", release, { signal });
  canvas.addEventListener("dblclick", () => viewer.mode === "window" && viewer.reset(), { signal });
  viewer.addEventListener("change", allowScroll, { signal });

  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && viewer.mode === "ruler") viewer.setMode("ruler");
    const arrow = ARROWS[event.key];
    if (!arrow || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (viewer.mode !== "window") nudgeLine(viewer, arrow, event.shiftKey);
    else if (event.shiftKey) viewer.moveWindow(arrow[0] * WINDOW_STEP, arrow[1] * WINDOW_STEP);
    else viewer.pan(-arrow[0] * PAN_STEP, -arrow[1] * PAN_STEP);
  }, { signal });

  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || isTyping(event.target) || event.target.matches?.("button, summary, a, label, input")) return;
    spaceHeld = true;
    canvas.dataset.pans = "true";
    event.preventDefault();
  }, { signal });
  document.addEventListener("keyup", (event) => {
    if (event.key !== " ") return;
    spaceHeld = false;
    delete canvas.dataset.pans;
  }, { signal });
}

/** Single keys, unless somebody types or has switched them off (WCAG 2.2, 2.1.4). */
export function bindKeys(actions, isOn, signal) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || !isOn()) return;
    const action = actions[event.key.toLowerCase()];
    if (!action || (event.key === "Enter" && event.target !== document.body && event.target.tagName !== "CANVAS")) return;
    event.preventDefault();
    action();
  }, { signal });
}
