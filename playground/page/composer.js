// The field at the bottom: plain messages, and slash commands with their options.

import { act } from "./api.js";
import { bytes, h } from "./dom.js";
import { CommandForm } from "./command.js";
import { Suggestions } from "./picker.js";
import { toNewest } from "./timeline.js";
import { channelById, commandsIn, localized, may, state } from "./state.js";

const form = document.getElementById("composer");
const line = document.getElementById("composer-line");
const text = document.getElementById("text");
const extras = document.getElementById("extras");
const problem = document.getElementById("composer-problem");
const picker = document.getElementById("attach-input");
const attach = document.getElementById("attach");
const suggestions = new Suggestions(document.getElementById("suggestions"));

const FORUM = 15;
let command = null; // the CommandForm that is being filled in
let files = [];

/** Every slash command that is offered here, with each subcommand on its own. */
function offers() {
  const found = [];
  const walk = (definition, words, labels, top) => {
    const inner = (definition.options ?? []).filter((option) => option.type <= 2);
    if (!inner.length) found.push({ words, labels, definition, command: top });
    for (const option of inner)
      walk(option, [...words, option.name], [...labels, localized(option)], top);
  };
  for (const each of commandsIn(channelById(state.channel), 1))
    walk(each, [each.name], [localized(each)], each);
  return found;
}

const titleOf = (offer) => `/${offer.labels.join(" ")}`;

function suggest() {
  problem.textContent = "";
  const typed = text.value;
  if (!typed.startsWith("/") || typed.includes("\n")) {
    suggestions.hide();
    return;
  }
  const all = offers();
  const whole = all
    .filter((offer) => typed.toLowerCase().startsWith(`${titleOf(offer)} `))
    .sort((one, other) => titleOf(other).length - titleOf(one).length)[0];
  if (whole) {
    begin(whole, typed.slice(titleOf(whole).length + 1));
    return;
  }
  const wanted = typed.slice(1).toLowerCase();
  const starts = all.filter((offer) => titleOf(offer).slice(1).toLowerCase().startsWith(wanted));
  const contains = all.filter(
    (offer) => !starts.includes(offer) && titleOf(offer).toLowerCase().includes(wanted),
  );
  const options = [...starts, ...contains].map((offer) => ({
    label: titleOf(offer),
    description: localized(offer.definition, "description"),
    offer,
  }));
  suggestions.show(text, options.length ? "Commands" : "", options, (option) =>
    begin(option.offer, ""),
  );
}

function begin(offer, rest) {
  suggestions.hide();
  text.value = "";
  text.hidden = true;
  attach.hidden = true;
  command = new CommandForm(offer, titleOf(offer), {
    suggestions,
    problem,
    extras,
    onCancel: cancel,
    onSubmit: submit,
  });
  line.insertBefore(command.node, document.getElementById("send"));
  command.start(rest);
}

/** Remove the command and go back to plain text. */
export function cancel() {
  suggestions.hide();
  command?.node.remove();
  command = null;
  extras.replaceChildren();
  problem.textContent = "";
  text.hidden = false;
  attach.hidden = false;
  showFiles();
}

async function submit() {
  if (command) {
    const filled = command.read();
    if (!filled) return;
    const { title, name } = { title: command.title, name: command.name };
    cancel();
    text.focus();
    toNewest();
    const answer = await act(
      "slash",
      { channel: state.channel, command: name, options: filled.options },
      filled.files,
    );
    if (answer) state.mine.set(answer.interaction, { title });
    return;
  }
  const content = text.value;
  if (!content.trim() && !files.length) return;
  const sent = files;
  text.value = "";
  files = [];
  showFiles();
  resize();
  toNewest();
  const answer = await act("send", { channel: state.channel, content }, sent);
  if (answer || text.value) return;
  text.value = content; // it was refused: put the person's text back
  files = sent;
  showFiles();
}

function showFiles() {
  if (command) return;
  extras.replaceChildren(
    ...files.map((file, index) =>
      h(
        "button",
        {
          type: "button",
          class: "chip",
          "aria-label": `Remove ${file.name}`,
          onclick: () => removeFile(index),
        },
        file.name,
        h("small", {}, bytes(file.size)),
        " ×",
      ),
    ),
  );
}

function removeFile(index) {
  files.splice(index, 1);
  showFiles();
  text.focus();
}

function addFiles(added) {
  if (!added.length) return;
  if (command) command.takeFile(added[0]);
  else {
    files = [...files, ...added].slice(0, 10);
    showFiles();
  }
}

function resize() {
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight, 180)}px`;
}

/** Remove the command and the suggestions, because the channel or the person has changed. */
export function refresh() {
  if (command) cancel();
  suggestions.hide();
  renew();
}

/** Update after a change in this channel. Keep what is being typed, with new suggestions. */
export function renew() {
  const channel = channelById(state.channel);
  const canWrite = may(channel, "sendMessages") && channel.type !== FORUM;
  text.placeholder = canWrite
    ? `Message ${channel.guild_id ? "#" : ""}${channel.title}, / for commands`
    : "You may not write here";
  text.disabled = !canWrite;
  if (command && !offers().some((offer) => offer.words.join(" ") === command.name)) cancel();
  if (!command && document.activeElement === text) suggest();
}

text.addEventListener("input", () => {
  resize();
  suggest();
});
text.addEventListener("keydown", (event) => {
  if (suggestions.key(event)) return;
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submit();
  }
});
text.addEventListener("blur", () => suggestions.hide());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
attach.addEventListener("click", () => picker.click());
picker.addEventListener("change", () => {
  addFiles([...picker.files]);
  picker.value = "";
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData?.files.length && !document.querySelector("dialog[open]"))
    addFiles([...event.clipboardData.files]);
});
for (const name of ["dragover", "drop"]) {
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    if (name === "drop") addFiles([...event.dataTransfer.files]);
  });
}
