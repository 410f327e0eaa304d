/** Mouse, touch and keyboard on the viewer's canvas. Drag windows, space + drag pans, the wheel and two fingers zoom. */

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const WINDOW_STEP = 8;
const PAN_STEP = 40;

function isTyping(target) {
  return target.matches?.("input:not([type=range], [type=radio], [type=checkbox]), textarea, select, [contenteditable]");
}

function spread(pointers) {
  const [a, b] = [...pointers.values()];
  return { distance: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
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
    canvas.style.touchAction = viewer.view.zoom > 1 ? "none" : "pan-y";
  };

  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const point = at(event);
    viewer.zoomAt(Math.exp(-event.deltaY * 0.0015), point.x, point.y);
    allowScroll();
  }, { passive: false, signal });

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, { ...at(event), pans: spaceHeld || event.button === 1 || event.pointerType === "touch" });
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
  canvas.addEventListener("dblclick", () => viewer.reset(), { signal });

  canvas.addEventListener("keydown", (event) => {
    const arrow = ARROWS[event.key];
    if (!arrow || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (event.shiftKey) viewer.moveWindow(arrow[0] * WINDOW_STEP, arrow[1] * WINDOW_STEP);
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
    if (!action) return;
    event.preventDefault();
    action();
  }, { signal });
}
