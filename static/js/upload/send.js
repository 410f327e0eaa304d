/** One request with one film: progress while it goes out, and the server's answer or none. */

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
    const answer = () => resolve({ status: request.status, html: request.responseText });
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("load", answer);
    request.addEventListener("error", () => resolve({ status: 0, html: "" }));
    request.addEventListener("abort", () => resolve({ status: -1, html: "" }));
    signal.addEventListener("abort", () => request.abort());
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
