// Short notes that come and go, and what screen readers are told.

import { h } from "./dom.js";

const box = document.getElementById("notices");
const speech = document.getElementById("speech");

export function announce(text, kind = "good") {
  const note = h("p", { class: `notice ${kind}` }, text);
  box.append(note);
  setTimeout(() => note.remove(), 7000);
}

/** For screen readers alone; politely, so that it waits for its turn. */
export function say(text) {
  speech.textContent = text.slice(0, 300);
}
