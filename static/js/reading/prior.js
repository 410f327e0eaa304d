/** An earlier film of the patient: beside the present one, moving with it, or blended into it. */
import { Viewer } from "../viewer/viewer.js";
import { loadPicture } from "../viewer/source.js";

export class PriorFilm {
  constructor(root, viewer) {
    Object.assign(this, { root, viewer });
    this.place = root.querySelector("#prior");
    this.stop = new AbortController();
    const { signal } = this.stop;
    this.place.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button?.dataset.priorMode) this.show(button.dataset.priorMode);
      else if (button?.matches("[data-prior-close]")) this.hide();
    }, { signal });
    this.place.addEventListener("input", (event) => event.target.matches("[data-blend]") && this.blend(), { signal });
    viewer.addEventListener("change", () => this.beside?.follow(viewer), { signal });
  }

  close() {
    this.stop.abort();
    this.beside?.close();
  }

  /** The key: close what is shown, else compare with the film before this one. */
  toggle() {
    if (this.section) this.hide();
    else {
      const current = document.querySelector(".film-strip [aria-current]")?.closest("li");
      const earlier = current?.nextElementSibling ?? current?.previousElementSibling;
      earlier?.querySelector("[data-prior]")?.click();
    }
  }

  /** A comparison that was swapped in is begun. */
  look() {
    const section = this.place.querySelector("[data-prior-film]");
    if (section === this.section) return;
    this.clear();
    this.section = section;
    if (section) this.show("beside");
  }

  show(mode) {
    const url = this.section.dataset.url;
    for (const button of this.section.querySelectorAll("[data-prior-mode]")) button.setAttribute("aria-pressed", String(button.dataset.priorMode === mode));
    this.section.querySelector(".prior-blend").hidden = mode !== "blend";
    if (!url) return;
    this.clear();
    if (mode === "beside") this.showBeside(url);
    else this.showBlended(url);
  }

  showBeside(url) {
    this.stage = document.createElement("div");
    this.stage.className = "film-stage prior-stage";
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", this.section.dataset.caption);
    const caption = Object.assign(document.createElement("p"), { className: "prior-caption", textContent: this.section.dataset.caption });
    this.stage.append(canvas, caption);
    this.root.querySelector(".stages").prepend(this.stage);
    this.beside = new Viewer(canvas, { urls: { film: url } });
    this.beside.load().then(() => this.beside?.follow(this.viewer), () => caption.append(" –"));
  }

  async showBlended(url) {
    const film = await loadPicture(url);
    this.viewer.set({ other: Object.assign(film, { shape: this.viewer.shape }) });
    this.blend();
  }

  blend() {
    const slider = this.section?.querySelector("[data-blend]");
    if (slider) this.viewer.set({ blend: Number(slider.value) / 100 });
  }

  clear() {
    this.beside?.close();
    this.beside = null;
    this.stage?.remove();
    this.viewer.set({ other: null, blend: 0 });
  }

  hide() {
    this.clear();
    this.section = null;
    this.place.replaceChildren();
    this.viewer.canvas.focus();
  }
}
