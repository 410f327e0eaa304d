/** One request with one film: progress while it goes out, and the server's answer or none. */

// A line that breaks without a word: nothing moves any more, or no answer comes. The key of the
// upload makes the same film of a repetition, should the first have arrived after all.
const STALLED_MS = 20000;
const ANSWER_MS = 90000;

/**
 * onProgress: called with the share sent, 0..1
 * returns: {status, html}, status 0 where no answer came
 */
export function sendFilm(url, { file, key, confirmed, token, onProgress, signal }) {
  const body = new FormData();
  body.append("file", file);
  body.append("idempotency_key", key);
  if (confirmed) body.append("confirm_patient", "true");
  return new Promise((resolve) => {
    const request = new XMLHttpRequest(); // fetch tells nothing about progress
    const done = new AbortController();
    let watch = 0;
    const end = (found) => {
      clearTimeout(watch);
      done.abort();
      resolve(found);
    };
    const lose = () => {
      end({ status: 0, html: "" });
      request.abort();
    };
    const wait = (ms) => {
      clearTimeout(watch);
      watch = setTimeout(lose, ms);
    };
    window.addEventListener("offline", lose, { signal: done.signal });
    const answer = () => end({ status: request.status, html: request.responseText });
    request.upload.addEventListener("progress", (event) => {
      wait(STALLED_MS);
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.upload.addEventListener("load", () => wait(ANSWER_MS));
    request.addEventListener("load", answer);
    request.addEventListener("error", () => end({ status: 0, html: "" }));
    request.addEventListener("abort", () => end({ status: -1, html: "" }));
    signal.addEventListener("abort", () => request.abort());
    wait(STALLED_MS);
    request.open("POST", url);
    request.setRequestHeader("X-CSRFToken", token);
    request.setRequestHeader("HX-Request", "true");
    request.send(body);
  });
}

/** A key that makes a repeated upload the same upload; also where the page has no secure context. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
