// Context menus: the app's commands for a message or a person, and the client's own entries.

import { act } from "./api.js";
import { h } from "./dom.js";
import { announce } from "./notice.js";
import { popUp } from "./picker.js";
import { channelById, commandsIn, localized, may, state } from "./state.js";

const USER_KIND = 2;
const MESSAGE_KIND = 3;

export function openMessageMenu(anchor, message, point = null) {
  const channel = channelById(message.channel_id);
  const canDelete =
    !(message.flags & 64) &&
    (message.author.id === state.place.me || may(channel, "manageMessages"));
  openMenu(anchor, point, "For this message", [
    ...apps(channel, MESSAGE_KIND, message.id),
    canDelete && {
      label: "Delete message",
      run: () => act("delete", { channel: channel.id, message: message.id }),
      isDanger: true,
    },
    !(message.flags & 64) && copy("Copy Message Link", linkTo(channel, message)),
    copy("Copy id", message.id),
  ]);
}

export function openUserMenu(anchor, userId, point = null) {
  const channel = channelById(state.channel);
  openMenu(anchor, point, "This person", [...apps(channel, USER_KIND, userId), copy("Copy id", userId)]);
}

function apps(channel, kind, target) {
  return commandsIn(channel, kind).map((command) => ({
    label: localized(command),
    note: "App",
    async run() {
      const answer = await act("menu", {
        channel: channel.id,
        command: command.name,
        kind,
        target,
      });
      if (answer) state.mine.set(answer.interaction, { title: localized(command) });
    },
  }));
}

const linkTo = (channel, message) =>
  `https://discord.com/channels/${channel.guild_id ?? "@me"}/${channel.id}/${message.id}`;

function copy(label, text) {
  return {
    label,
    run: () =>
      navigator.clipboard.writeText(text).then(
        () => announce("Copied."),
        () => announce(`Copy it from here: ${text}`),
      ),
  };
}

function openMenu(anchor, point, title, items) {
  const box = h("div", { class: "popover menu", role: "menu", "aria-label": title });
  for (const item of items.filter(Boolean)) {
    const entry = h(
      "button",
      { type: "button", role: "menuitem", class: item.isDanger ? "danger" : null },
      item.label,
      item.note && h("small", {}, item.note),
    );
    entry.addEventListener("click", () => {
      close(true);
      item.run();
    });
    box.append(entry);
  }
  const close = popUp(box, anchor, point);
  const entries = [...box.children];
  box.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = entries.indexOf(document.activeElement) + step;
    entries.at(at % entries.length).focus();
  });
  entries[0]?.focus();
}
