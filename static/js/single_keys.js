/** The checkbox for single keys, on pages that have no keys of their own. */
import { bindSingleKeys } from "./preferences.js";

for (const box of document.querySelectorAll("[data-single-keys]")) bindSingleKeys(box);
