// The list of messages: updates the DOM to match the state, once per frame.

import { act } from "./api.js";
import { selectOptions, defaultsOf } from "./components.js";
import { h, morph, nameOf } from "./dom.js";
import { openMessageMenu, openUserMenu } from "./menu.js";
import { isEphemeral, isLoading, renderMessage, renderUnanswered, summary } from "./message.js";
import { announce, say } from "./notice.js";
import { openPicker } from "./picker.js";
import { channelById, state } from "./state.js";

const scroller = document.getElementById("messages");
const list = document.getElementById("list");
const nodes = new Map(); // id → node
const dirty = new Set();
const spoken = new Map(); // id → when it was last read out
const speeches = new Map(); // id → the timer of the text to be read out
const SPEECH_PAUSE_MS = 4000;
let frame = 0;

/** Draw this message or unanswered interaction again, in the next frame. */
export function touch(id) {
  dirty.add(id);
  frame ||= requestAnimationFrame(flush);
}

/** Build the list again, because the channel or the person has changed. */
export function rebuild() {
  nodes.clear();
  dirty.clear();
  list.replaceChildren();
  for (const [id, { data }] of state.messages) if (data.channel_id === state.channel) dirty.add(id);
  for (const id of state.interactions.keys()) dirty.add(id);
  flush();
  toNewest();
}

/** Scrolls to the end of the channel, where this person's next message will appear. */
export function toNewest() {
  scroller.scrollTop = 0; // the list is laid out in reverse order
}

function flush() {
  cancelAnimationFrame(frame);
  frame = 0;
  for (const id of [...dirty].sort(byAge)) {
    const fresh = render(id);
    const old = nodes.get(id);
    if (!fresh) remove(id);
    else if (old) morph(old, fresh);
    else insert(id, fresh);
  }
  dirty.clear();
  document.getElementById("empty").hidden = nodes.size > 0;
}

/** Sorts ids, oldest first. A newer id is a greater number. */
const byAge = (one, other) => one.length - other.length || (one < other ? -1 : one > other ? 1 : 0);

function render(id) {
  if (state.dismissed.has(id)) return null;
  const known = state.messages.get(id);
  if (known) return known.data.channel_id === state.channel ? renderMessage(known) : null;
  const interaction = state.interactions.get(id);
  const isOpen = interaction && interaction.state !== "answered" && !interaction.source;
  const begun = state.mine.get(id);
  if (!isOpen || !begun || interaction.type === 5 || interaction.channel_id !== state.channel)
    return null;
  return renderUnanswered({ ...interaction, title: begun.title });
}

function remove(id) {
  const node = nodes.get(id);
  nodes.delete(id);
  if (!node) return;
  if (node.contains(document.activeElement)) (node.previousElementSibling ?? scroller).focus();
  node.remove();
}

function insert(id, node) {
  let next = null;
  for (
    let other = list.lastElementChild;
    other && byAge(other.dataset.id, id) > 0;
    other = other.previousElementSibling
  )
    next = other;
  nodes.set(id, node);
  list.insertBefore(node, next);
}

/** Reads new messages out at once, and edits every few seconds; the last edit is always read. */
export function speak(id) {
  const known = state.messages.get(id);
  if (!known || known.data.channel_id !== state.channel) return;
  const wait = (spoken.get(id) ?? 0) + SPEECH_PAUSE_MS - Date.now();
  if (wait > 0) {
    if (!speeches.has(id))
      speeches.set(
        id,
        setTimeout(() => speak(id), wait),
      );
    return;
  }
  speeches.delete(id);
  spoken.set(id, Date.now());
  const message = known.data;
  const text = isLoading(message) ? "is thinking" : summary(message) || "sent a file";
  say(`${nameOf(message.author)}${isEphemeral(message) ? ", to you alone" : ""}: ${text}`);
}

function messageOf(target) {
  return state.messages.get(target.closest(".message")?.dataset.id)?.data;
}

const ACTS = {
  press: (target, message) => begin("press", message, { custom_id: target.dataset.customId }),
  join: (target, message) => join(target, message),
  select: (target, message) => pick(target, message),
  reveal: (target) => reveal(target),
  zoom: (target) => zoom(target.querySelector("img")),
  dismiss: (target) => dismiss(target.closest(".message").dataset.id),
  menu: (target, message) => openMessageMenu(target, message),
  user: (target) => openUserMenu(target, target.dataset.user),
};

async function begin(what, message, data) {
  const answer = await act(what, { channel: message.channel_id, message: message.id, ...data });
  if (answer) state.mine.set(answer.interaction, {});
  return answer;
}

async function join(target, message) {
  target.disabled = true;
  const answer = await act("join", { channel: message.channel_id, message: message.id });
  target.disabled = false;
  if (answer) announce(`${answer.names.join(", ")} have used this message.`);
}

function pick(target, message) {
  const select = findComponent(message.components, target.dataset.customId);
  const key = `${message.id} ${select.custom_id}`;
  openPicker(target, {
    title: select.placeholder ?? "Make a selection",
    options: selectOptions(select, channelById(message.channel_id)),
    chosen: state.chosen.get(key) ?? defaultsOf(select),
    least: select.min_values ?? 1,
    most: select.max_values ?? 1,
    done: (values) => {
      state.chosen.set(key, values);
      touch(message.id);
      begin("select", message, { custom_id: select.custom_id, values });
    },
  });
}

function findComponent(components, customId) {
  for (const component of components ?? []) {
    if (component.custom_id === customId) return component;
    const inside = findComponent(component.components, customId);
    if (inside) return inside;
  }
  return null;
}

function reveal(target) {
  const box = target.closest(".covered, .spoiler");
  box.classList.add("shown");
  box.dataset.kept = "class role tabindex aria-label";
  if (box.matches(".spoiler"))
    for (const name of ["role", "tabindex", "aria-label"]) box.removeAttribute(name);
}

function dismiss(id) {
  state.dismissed.add(id);
  touch(id);
  document.querySelector("#composer textarea, #composer input")?.focus();
}

function zoom(image) {
  const dialog = h(
    "dialog",
    { class: "zoomed", "aria-label": "Picture" },
    h("img", {
      src: image.src,
      alt: image.alt,
      width: image.naturalWidth,
      height: image.naturalHeight,
    }),
    image.alt && h("p", {}, image.alt),
    h("button", { type: "button", class: "button secondary" }, "Close"),
  );
  dialog.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function run(event) {
  const target = event.target.closest("[data-act]");
  const action = target && ACTS[target.dataset.act];
  if (!action) return;
  const message = messageOf(target);
  if (target.classList.contains("shown")) return;
  if (target.getAttribute("aria-busy") !== "true") action(target, message);
}

scroller.addEventListener("click", run);
scroller.addEventListener("contextmenu", (event) => {
  const message = messageOf(event.target);
  if (!message || event.target.closest("a, input")) return;
  event.preventDefault();
  const author = event.target.closest("[data-user]");
  const place =
    event.target.closest(".message") === event.target
      ? event.target.querySelector(".more")
      : event.target;
  if (author) openUserMenu(author, author.dataset.user);
  else openMessageMenu(place, message, event.clientX ? event : null);
});
scroller.addEventListener("keydown", (event) => {
  if (event.target.matches(".spoiler") && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    run(event);
    return;
  }
  if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
  const current = event.target.closest(".message");
  if (event.target !== scroller && event.target !== current) return;
  const next = current
    ? event.key === "ArrowUp"
      ? current.previousElementSibling
      : current.nextElementSibling
    : list.lastElementChild;
  if (next) {
    event.preventDefault();
    next.focus();
  }
});
scroller.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches(".message")) {
    const message = messageOf(event.target);
    if (!message) return;
    event.preventDefault(); // otherwise the same key press would also choose the menu's first entry
    openMessageMenu(event.target.querySelector(".more"), message);
  }
});
