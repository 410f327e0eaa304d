/** Takes films by drop or picker, checks them at once, sends two at a time, and loses none when the line breaks. */
import { checkFile } from "./upload/check.js";
import { showPick } from "./upload/pick.js";
import { newKey, sendFilm } from "./upload/send.js";

const AT_ONCE = 2;
const RETRY_MS = [2000, 4000, 8000, 15000];

class FilmRow {
  constructor(zone, file) {
    this.zone = zone;
    this.file = file;
    this.key = newKey();
    this.confirmed = false;
    this.tries = 0;
    this.state = "waiting";
    this.element = zone.root.querySelector("template[data-row]").content.firstElementChild.cloneNode(true);
    this.element.querySelector(".drop-name").textContent = file.name;
    this.answer = this.element.querySelector("[data-answer]");
    this.progress = this.element.querySelector("progress");
    this.retry = this.element.querySelector("[data-retry]");
    this.removal = this.element.querySelector("[data-drop-row]");
    this.retry.addEventListener("click", () => this.again());
    this.removal.addEventListener("click", () => this.remove());
    this.say(zone.words("Waiting"));
  }

  say(words) {
    this.element.querySelector("[data-said]").textContent = words;
  }

  tell(words) {
    const note = document.createElement("p");
    note.className = "notice notice-warn";
    note.setAttribute("role", "alert");
    note.textContent = words;
    this.answer.replaceChildren(note);
  }

  stop(words) {
    this.state = "stopped";
    this.progress.hidden = true;
    this.say("");
    if (words) this.tell(words);
  }

  async send() {
    this.state = "sending";
    this.sending = new AbortController();
    this.answer.replaceChildren();
    this.retry.hidden = true;
    this.progress.hidden = false;
    this.progress.value = 0;
    const { status, html } = await sendFilm(this.zone.url, {
      file: this.file,
      key: this.key,
      confirmed: this.confirmed,
      token: this.zone.token,
      signal: this.sending.signal,
      onProgress: (share) => this.showProgress(share),
    });
    if (status === -1) return;
    document.dispatchEvent(new Event(status ? "xraydx:answered" : "xraydx:lost"));
    if (status === 200) this.taken(html);
    else if (status === 0 || status >= 500) this.hold(status);
    else if (status === 401 || status === 403) this.askSignIn(html);
    else this.refused(html);
  }

  showProgress(share) {
    this.progress.value = share * 100;
    this.say(share < 1 ? `${this.zone.words("Sending")} ${Math.round(share * 100)} %` : this.zone.words("Checking"));
  }

  taken(html) {
    this.state = "taken";
    this.file = null;
    this.progress.hidden = true;
    this.removal.hidden = true;
    this.say("");
    this.show(html);
    this.zone.openWhenAlone(this);
  }

  /** The file stays here; a broken line is tried again by itself, and at once when it is back. */
  hold(status) {
    this.stop(this.zone.words(status ? "Fault" : "Lost"));
    this.retry.hidden = false;
    this.state = "held";
    const delay = RETRY_MS[Math.min(this.tries, RETRY_MS.length - 1)];
    this.tries += 1;
    if (!status) this.timer = setTimeout(() => this.again(), delay);
  }

  askSignIn(html) {
    this.stop();
    if (html.includes("notice")) this.show(html);
    else this.tell(this.zone.words("SignedOut"));
    this.retry.hidden = false;
    this.state = "held";
  }

  refused(html) {
    this.stop();
    if (html.includes("notice")) this.show(html);
    else this.tell(this.zone.words("Fault"));
    this.answer.querySelector("[data-confirm]")?.addEventListener("click", () => {
      this.confirmed = true;
      this.key = newKey();
      this.again();
    });
  }

  again() {
    clearTimeout(this.timer);
    if (!this.file || this.state === "sending") return;
    this.state = "waiting";
    this.zone.sendNext();
  }

  show(html) {
    this.answer.innerHTML = html;
    window.htmx.process(this.answer);
  }

  remove() {
    clearTimeout(this.timer);
    this.sending?.abort();
    this.zone.forget(this);
  }
}

class DropZone {
  constructor(root) {
    this.root = root;
    this.url = root.dataset.url;
    this.token = root.querySelector("[name=csrfmiddlewaretoken]").value;
    this.list = root.querySelector(".drop-list");
    this.form = root.querySelector("form");
    this.input = root.querySelector("input[type=file]");
    this.rows = [];
    this.input.multiple = true;
    showPick(root, this.input);
    root.querySelector("[data-without-script]").hidden = true;
    this.input.addEventListener("change", () => this.take(this.input.files));
    this.bindDrop();
    window.addEventListener("online", () => this.rows.filter((row) => row.state === "held").forEach((row) => row.again()));
    window.addEventListener("beforeunload", (event) => {
      if (this.rows.some((row) => row.file && row.state !== "stopped")) event.preventDefault();
    });
    // Chosen before this script came: no event will tell of these.
    if (this.input.files.length) this.take(this.input.files);
  }

  words(name) {
    return this.root.dataset[`say${name}`];
  }

  bindDrop() {
    const over = (on) => (event) => {
      event.preventDefault();
      if (on) this.form.dataset.over = "true";
      else delete this.form.dataset.over;
    };
    for (const name of ["dragenter", "dragover"]) this.root.addEventListener(name, over(true));
    this.root.addEventListener("dragleave", over(false));
    this.root.addEventListener("drop", (event) => {
      over(false)(event);
      this.take(event.dataTransfer.files);
    });
    // A film dropped beside the zone must not replace the page.
    for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
  }

  async take(files) {
    const rows = [...files].map((file) => new FilmRow(this, file));
    this.input.value = "";
    for (const row of rows) {
      this.rows.push(row);
      this.list.append(row.element);
    }
    for (const row of rows) {
      const fault = await checkFile(row.file, Number(this.root.dataset.maxBytes) || Infinity).catch(() => "type");
      if (fault) row.stop(this.words(fault[0].toUpperCase() + fault.slice(1)));
    }
    this.sendNext();
  }

  sendNext() {
    const going = this.rows.filter((row) => row.state === "sending").length;
    const waiting = this.rows.filter((row) => row.state === "waiting");
    for (const row of waiting.slice(0, Math.max(0, AT_ONCE - going))) row.send().finally(() => this.sendNext());
  }

  /** One film alone is what its sender wants to see: open it. */
  openWhenAlone(row) {
    if (this.rows.length !== 1) return;
    window.location.assign(row.answer.querySelector("[data-open]").href);
  }

  forget(row) {
    this.rows = this.rows.filter((other) => other !== row);
    row.element.remove();
    this.input.focus();
    this.sendNext();
  }
}

for (const root of document.querySelectorAll("[data-drop]")) new DropZone(root);
