/** Choices of this browser (never patient data): how strong a map is drawn, in which colours. */

const PREFIX = "xraydx.";

export function kept(name, fallback) {
  try {
    return localStorage.getItem(PREFIX + name) ?? fallback;
  } catch {
    return fallback; // Storage may be closed by the site's policy; the page works without.
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // As above.
  }
}

/** Whether a single letter acts (WCAG 2.2, 2.1.4: whoever speaks to the computer may not want it). */
export const singleKeysAct = () => kept("single-keys", "on") === "on";

/** A checkbox that switches them, here and on the other pages. */
export function bindSingleKeys(box, signal) {
  box.checked = singleKeysAct();
  box.addEventListener("change", () => keep("single-keys", box.checked ? "on" : "off"), { signal });
}
