/** Shows a quiet bar while requests do not reach the server, with the time of the last that did. */

let lastAnswer = new Date();

export function watchConnection(bar) {
  if (!bar) return;
  const lost = () => {
    const time = lastAnswer.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
    bar.textContent = bar.dataset.lost.replace("{time}", time);
    bar.hidden = false;
  };
  const back = () => {
    lastAnswer = new Date();
    bar.hidden = true;
  };
  document.addEventListener("htmx:sendError", lost);
  document.addEventListener("htmx:timeout", lost);
  document.addEventListener("htmx:afterOnLoad", back);
  document.addEventListener("xraydx:lost", lost);
  document.addEventListener("xraydx:answered", back);
  window.addEventListener("offline", lost);
  window.addEventListener("online", back);
}
