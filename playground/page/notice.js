// Short notes that disappear after some seconds, and texts for screen readers.

import { h } from "./dom.js";

const box = document.getElementById("notices");
const speech = document.getElementById("speech");

export function announce(text, kind = "good") {
  const note = h("p", { class: `notice ${kind}` }, text);
  box.append(note);
  setTimeout(() => note.remove(), 7000);
}

/** Gives a text to screen readers only. They finish what they are reading first. */
export function say(text) {
  speech.textContent = text.slice(0, 300);
}
