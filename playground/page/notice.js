// Short notes that disappear again, and texts for screen readers.

import { h } from "./dom.js";

const box = document.getElementById("notices");
const speech = document.getElementById("speech");

export function announce(text, kind = "good") {
  const note = h("p", { class: `notice ${kind}` }, text);
  box.append(note);
  setTimeout(() => note.remove(), 7000);
}

/** Text for screen readers only. It is polite: it waits until the reader has finished. */
export function say(text) {
  speech.textContent = text.slice(0, 300);
}
