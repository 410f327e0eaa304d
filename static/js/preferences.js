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
