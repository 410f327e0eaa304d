/** A person's reading: verdicts by mouse and key, what was missed, a draft that no lost connection takes away. */

const PREFIX = "xraydx.draft.";

/** Drafts live as long as the tab; another user of the tab never sees them. */
function stored(key, value) {
  try {
    if (value === undefined) return JSON.parse(sessionStorage.getItem(key));
    if (value === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage may be closed by the site's policy; the page works without.
  }
  return null;
}

export function forgetDrafts(except = "") {
  try {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX) && !(except && key.startsWith(except))) sessionStorage.removeItem(key);
  } catch {
    // As above.
  }
}

export class SignForm {
  constructor(form, viewer) {
    Object.assign(this, { form, viewer });
    this.stop = new AbortController();
    this.rows = [...form.querySelectorAll("[data-judge]")];
    this.group = form.querySelector("[data-judge-group]");
    this.lesser = form.querySelector(".judge-lesser");
    if (this.group) this.group.hidden = false;
    this.current = null;
    this.report = form.querySelector("[data-report]");
    this.added = JSON.parse(form.querySelector("[data-added-before]").value || "[]");
    const mine = `${PREFIX}${form.dataset.user}.`;
    this.key = mine + form.dataset.analysis;
    forgetDrafts(mine);
    this.restore();
    this.bind();
    this.showAdded();
    this.showGroup();
    this.compose();
  }

  close() {
    this.stop.abort();
  }

  part(name) {
    return this.form.querySelector(`[data-${name}]`);
  }

  bind() {
    const { signal } = this.stop;
    const { form } = this;
    form.addEventListener("input", (event) => {
      if (event.target === this.report) this.report.dataset.edited = "";
      if (event.target.name === "lesser") this.judgeStop(this.group, event.target.value);
      this.changed();
    }, { signal });
    // A hand on the mouse has left the keys: letters mean layers again.
    document.addEventListener("pointerdown", () => this.choose(null), { signal });
    form.addEventListener("keydown", (event) => event.key === "Escape" && this.leave(event.target), { signal });
    this.viewer.canvas.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.viewer.mode !== "box") return;
      this.drawBox();
      this.part("add-box").focus();
    }, { signal });
    form.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button?.matches("[data-agree-all]")) this.judgeRest("agree");
      else if (button?.matches("[data-add]")) this.add();
      else if (button?.matches("[data-add-box]")) this.drawBox();
      else if (button?.dataset.remove) this.remove(Number(button.dataset.remove));
    }, { signal });
    form.addEventListener("htmx:sendError", () => this.tellNotSent(), { signal });
    form.addEventListener("htmx:responseError", (event) => event.detail.xhr.status >= 500 && this.tellNotSent(), { signal });
    form.addEventListener("htmx:beforeRequest", () => { this.part("not-sent").hidden = true; }, { signal });
    form.addEventListener("htmx:beforeOnLoad", (event) => event.detail.xhr.status === 200 && this.forget(), { signal });
    this.viewer.addEventListener("change", () => this.part("add-box").setAttribute("aria-pressed", String(this.viewer.mode === "box")), { signal });
  }

  // Verdicts

  choice(row, verdict) {
    return row.querySelector(`[value=${verdict}]`);
  }

  open() {
    const amend = this.form.closest("details");
    if (amend) amend.open = true;
  }

  /** Rows that J and K reach: findings of a closed group are judged by the group's own row. */
  get stops() {
    return [...this.form.querySelectorAll("[data-judge], [data-judge-group]")].filter((row) => !row.closest(".judge-lesser:not([open])"));
  }

  choose(row) {
    this.current?.removeAttribute("data-current");
    this.current = row;
    row?.setAttribute("data-current", "");
    const keys = this.part("judge-keys");
    if (keys) keys.hidden = !row;
  }

  move(step) {
    this.open();
    const { stops } = this;
    if (!stops.length) return;
    const at = this.current ? stops.indexOf(this.current) + step : 0;
    const row = stops[Math.max(0, Math.min(stops.length - 1, at))];
    this.choose(row);
    row.scrollIntoView({ block: "nearest" });
    (row.querySelector(":checked") ?? row.querySelector("input")).focus();
  }

  judgeStop(row, verdict) {
    this.choice(row, verdict).checked = true;
    if (row === this.group) for (const one of this.lesser.querySelectorAll("[data-judge]")) this.choice(one, verdict).checked = true;
  }

  /** With a finding chosen by J or K: that one, then the next; returns whether one was chosen. */
  judgeChosen(verdict) {
    if (!this.current) return false;
    const [row, { stops }] = [this.current, this];
    this.judgeStop(row, verdict);
    this.changed();
    if (row === stops.at(-1)) this.focusSign();
    else this.move(1);
    return true;
  }

  /** The chosen finding, else all that are not judged yet, and Enter on the button signs. */
  judge(verdict) {
    this.open();
    if (verdict === "agree" || !this.judgeChosen(verdict)) this.judgeRest(verdict);
  }

  judgeRest(verdict) {
    for (const row of this.rows) if (!row.querySelector(":checked")) this.choice(row, verdict).checked = true;
    const whole = this.form.querySelector(`[data-judge-all] [value=${verdict}]`);
    if (whole) whole.checked = true;
    this.changed();
    this.focusSign();
  }

  /** The group's row says what all of its findings say; the button says whether some are judged. */
  showGroup() {
    const words = this.part("agree-words");
    words.dataset.all ??= words.textContent;
    const judged = this.rows.filter((row) => row.querySelector(":checked")).length;
    words.textContent = judged > 0 && judged < this.rows.length ? words.dataset.rest : words.dataset.all;
    if (!this.group) return;
    const said = new Set([...this.lesser.querySelectorAll("[data-judge]")].map((row) => row.querySelector(":checked")?.value));
    for (const input of this.group.querySelectorAll("input")) input.checked = said.size === 1 && said.has(input.value);
  }

  focusSign() {
    this.choose(null);
    this.form.querySelector("button[type=submit]").focus();
  }

  // What the network missed

  openAdd() {
    this.open();
    const place = this.form.querySelector(".add-missed");
    place.open = true;
    this.part("add-code").focus();
  }

  /** Escape: from the chosen finding to the film, from what is added to the line that opens it. */
  leave(target) {
    const place = target.closest(".add-missed[open]");
    if (this.current) {
      this.choose(null);
      this.viewer.canvas.focus();
    } else if (place) {
      if (this.viewer.mode === "box") this.drawBox();
      place.open = false;
      place.querySelector("summary").focus();
    }
  }

  drawBox() {
    this.viewer.setMode("box");
    const draws = this.viewer.mode === "box";
    this.part("add-help").hidden = !draws;
    if (draws) this.viewer.canvas.focus();
  }

  add() {
    const [code, words] = [this.part("add-code"), this.part("add-words")];
    if (code.value === "other" && !words.value.trim()) {
      words.focus();
      return;
    }
    let box = null;
    if (this.viewer.mode === "box") {
      const [x0, y0, x1, y1] = this.viewer.drawn;
      const sides = [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
      if (sides[2] > sides[0] && sides[3] > sides[1]) box = sides;
      this.viewer.setMode("box");
    }
    this.added.push({ code: code.value, words: words.value.trim(), box });
    words.value = "";
    this.part("add-help").hidden = true;
    this.showAdded();
    this.changed();
  }

  remove(index) {
    this.added.splice(index, 1);
    this.showAdded();
    this.changed();
  }

  nameOf({ code, words }) {
    const option = this.part("add-code").querySelector(`[value=${code}]`);
    if (code === "other") return words;
    return words ? `${option.textContent} (${words})` : option.textContent;
  }

  showAdded() {
    this.part("added").value = JSON.stringify(this.added);
    this.part("added-list").replaceChildren(...this.added.map((item, i) => {
      const row = document.createElement("li");
      row.append(`${this.nameOf(item)}${item.box ? " ▢" : ""}`);
      const button = Object.assign(document.createElement("button"), { type: "button", className: "button button-s button-quiet", textContent: this.form.dataset.sayRemove });
      button.dataset.remove = String(i);
      button.setAttribute("aria-label", `${this.form.dataset.sayRemove}: ${this.nameOf(item)}`);
      row.append(button);
      return row;
    }));
    this.viewer.set({ added: this.added.map((item) => ({ box: item.box, words: this.nameOf(item) })) });
  }

  // The draft of the report, until the physician edits it

  compose() {
    if ("edited" in this.report.dataset) return;
    const names = { agree: this.added.map((item) => this.nameOf(item)), unsure: [], disagree: [], open: [] };
    for (const row of this.rows) names[row.querySelector(":checked")?.value ?? "open"].push(row.dataset.name);
    const said = this.form.dataset;
    const sentence = (kind) => names[kind].length && said[`say${kind[0].toUpperCase()}${kind.slice(1)}`].replace("{names}", names[kind].join(", "));
    const body = ["agree", "unsure", "disagree", "open"].map(sentence).filter(Boolean);
    const nothing = names.agree.length || names.unsure.length || names.open.length ? [] : [said.sayNothing];
    this.report.value = [said.sayHead, ...nothing, ...body, said.sayRatio].filter(Boolean).join("\n");
  }

  // Nothing is lost

  changed() {
    this.showGroup();
    this.compose();
    const verdicts = Object.fromEntries([...this.form.querySelectorAll("input[type=radio]:checked")].filter((input) => input.name !== "lesser").map((input) => [input.name, input.value]));
    stored(this.key, { verdicts, added: this.added, report: this.report.value, edited: "edited" in this.report.dataset });
  }

  restore() {
    const draft = stored(this.key);
    if (!draft) return;
    for (const [name, value] of Object.entries(draft.verdicts)) {
      const input = this.form.querySelector(`[name="${CSS.escape(name)}"][value="${CSS.escape(value)}"]`);
      if (input) input.checked = true;
    }
    this.added = draft.added;
    if (draft.edited) {
      this.report.value = draft.report;
      this.report.dataset.edited = "";
    }
    this.open();
    const said = this.part("kept");
    said.textContent = this.form.dataset.sayKept;
    said.hidden = false;
  }

  forget() {
    stored(this.key, null);
  }

  tellNotSent() {
    const told = this.part("not-sent");
    told.hidden = false;
    told.scrollIntoView({ block: "nearest" });
  }
}
