/** Buttons that show a password while it is typed. */
for (const button of document.querySelectorAll("[data-reveal]")) {
  const input = document.getElementById(button.dataset.reveal);
  const word = button.firstChild;
  const words = [word.data, button.dataset.hide];
  button.hidden = false;
  button.addEventListener("click", () => {
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    word.data = words[shown ? 0 : 1];
  });
  // What was typed leaves as a password, so that no browser offers it as text later.
  input.form.addEventListener("submit", () => { input.type = "password"; });
}
