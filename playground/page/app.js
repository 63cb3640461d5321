// Starts everything: the stream of changes, the people, the channels, the theme.

import { act } from "./api.js";
import { refresh, renew } from "./composer.js";
import { avatar, h, nameOf } from "./dom.js";
import * as inspector from "./inspector.js";
import { openUserMenu } from "./menu.js";
import { followModal, openModal } from "./modal.js";
import { channelById, state, userById } from "./state.js";
import { rebuild, speak, touch } from "./timeline.js";

const $ = (id) => document.getElementById(id);
let stream = null;
let hasStarted = false;

function connect() {
  stream?.close();
  hasStarted = false;
  stream = new EventSource(`/play/live?as=${encodeURIComponent(state.as)}`);
  stream.addEventListener("start", (event) => {
    start(JSON.parse(event.data));
    hasStarted = true;
    document.body.classList.remove("offline");
  });
  stream.addEventListener("message", (event) => {
    if (hasStarted) for (const change of JSON.parse(event.data)) apply(change);
  });
  stream.addEventListener("error", () => {
    document.body.classList.add("offline");
    showConnection(false);
  });
}

function start(changes) {
  state.messages.clear();
  state.interactions.clear();
  inspector.forget();
  for (const change of changes) (LOADERS[change.kind] ?? (() => {}))(change);
  if (!channelById(state.channel))
    state.channel = (
      state.place.channels.find((each) => each.title === remembered("channel")) ??
      state.place.channels[0]
    )?.id;
  showPeople();
  showStatus(state.status);
  openChannel(state.channel);
}

const LOADERS = {
  place(change) {
    state.place = change;
    state.as = userById(change.me)?.username ?? state.as;
  },
  status: (change) => (state.status = change),
  message: (change) => state.messages.set(change.data.id, change),
  interaction: (change) => state.interactions.set(change.id, change),
  request: inspector.note,
  frame: inspector.note,
};

const APPLIERS = {
  place: applyPlace,
  status: showStatus,
  message: applyMessage,
  gone: (change) => {
    state.messages.delete(change.id);
    touch(change.id);
  },
  interaction: applyInteraction,
  request: inspector.note,
  frame: inspector.note,
};

function apply(change) {
  APPLIERS[change.kind]?.(change);
}

function applyPlace(place) {
  state.place = place;
  showPeople();
  showChannels();
  renew();
}

function applyMessage(change) {
  const { id, channel_id: channelId } = change.data;
  state.messages.set(id, change);
  for (const key of state.chosen.keys()) if (key.startsWith(`${id} `)) state.chosen.delete(key);
  if (channelId === state.channel) touch(id);
  else if (!state.unread.has(channelId)) {
    state.unread.add(channelId);
    showChannels();
  }
  speak(id);
}

function applyInteraction(interaction) {
  const before = state.interactions.get(interaction.id);
  state.interactions.set(interaction.id, interaction);
  touch(interaction.id);
  if (interaction.source) touch(interaction.source);
  if (interaction.modal && !before?.modal) awaitModal(interaction);
  followModal(interaction);
}

/** Opens the form if this page asked for it. It may arrive before the answer to the press. */
function awaitModal(interaction, triesLeft = 20) {
  if (state.mine.has(interaction.id)) openModal(interaction);
  else if (triesLeft) setTimeout(() => awaitModal(interaction, triesLeft - 1), 50);
}

function showStatus(status) {
  state.status = status;
  showConnection(true);
  inspector.showStatus();
}

function showConnection(isServed) {
  const isOnline = isServed && state.status.is_connected;
  const pill = $("bot-state");
  pill.textContent = !isServed ? "playground stopped" : isOnline ? "bot online" : "bot offline";
  pill.className = isOnline ? "good" : "bad";
  $("bot-hint").hidden = !isServed || isOnline;
}

function rolesOf(member, guild) {
  const names = guild.roles
    .filter((role) => member.roles.includes(role.id))
    .map((role) => role.name);
  if (member.user.id === guild.owner_id) names.unshift("owns the server");
  return names.join(", ") || "no roles";
}

function showPeople() {
  const guild = state.place.guilds[0];
  const members = guild?.members ?? [];
  const humans = members.filter((member) => !member.user.bot);
  const focused = $("people").contains(document.activeElement)
    ? document.activeElement.value
    : null;
  $("people").replaceChildren(
    ...humans.map((member) => {
      const { user } = member;
      const input = h("input", {
        type: "radio",
        name: "person",
        value: user.username,
        checked: user.username === state.as,
      });
      input.addEventListener("change", () => become(user.username));
      const roles = rolesOf(member, guild);
      const label = h(
        "label",
        { class: "person", title: roles, data: { user: user.id } },
        input,
        avatar(user, "small"),
        h("span", {}, h("b", {}, nameOf(user)), h("small", {}, user.username)),
      );
      label.addEventListener("contextmenu", (event) => {
        event.preventDefault();
        openUserMenu(label, user.id, event);
      });
      return label;
    }),
  );
  if (focused)
    $("people")
      .querySelector(`[value="${CSS.escape(focused)}"]`)
      ?.focus();
  $("guild").textContent = guild?.name ?? "Playground";
  $("locale").value = state.place.locale;
  document.documentElement.lang = "en";
}

function become(name) {
  state.as = name;
  state.mine.clear();
  state.unread.clear();
  remember("as", name);
  connect();
}

function showChannels() {
  const focused = $("channels").contains(document.activeElement)
    ? document.activeElement.dataset.channel
    : null;
  $("channels").replaceChildren(
    ...state.place.channels.map((channel) => {
      const isOpen = channel.id === state.channel;
      const sign = signOf(channel);
      const isUnread = state.unread.has(channel.id);
      return h(
        "li",
        {},
        h(
          "button",
          {
            type: "button",
            class: `channel${isUnread ? " unread" : ""}`,
            "aria-current": isOpen ? "page" : null,
            data: { channel: channel.id },
            onclick: () => openChannel(channel.id),
          },
          h("span", { class: "sign", "aria-hidden": "true" }, sign),
          channel.title,
          isUnread && h("span", { class: "visually-hidden" }, ", unread"),
        ),
      );
    }),
  );
  if (focused) $("channels").querySelector(`[data-channel="${focused}"]`)?.focus();
}

const SIGNS = { 2: "♪", 13: "◉", 15: "▤" };
const TOPICS = {
  2: "The chat of a voice channel",
  13: "The chat of a stage",
  15: "A forum takes posts, which are threads, and no messages of its own",
};
const signOf = (channel) => (channel.guild_id ? (SIGNS[channel.type] ?? "#") : "@");

function openChannel(id) {
  state.channel = id;
  state.unread.delete(id);
  document.body.classList.remove("browsing");
  const channel = channelById(id);
  if (!channel) return;
  remember("channel", channel.title);
  $("channel-name").textContent = `${signOf(channel)} ${channel.title}`;
  $("channel-topic").textContent = channel.guild_id
    ? (channel.topic ?? TOPICS[channel.type] ?? "")
    : "Direct messages with the app";
  showChannels();
  rebuild();
  refresh();
}

function remembered(key) {
  try {
    return localStorage.getItem(`playground ${key}`);
  } catch {
    return null; // the browser does not allow storage
  }
}

function remember(key, value) {
  try {
    localStorage.setItem(`playground ${key}`, value);
  } catch {
    // the page also works without storage
  }
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").setAttribute("aria-pressed", String(theme === "dark"));
}

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
setTheme(remembered("theme") ?? (prefersDark.matches ? "dark" : "light"));
prefersDark.addEventListener("change", (event) => {
  if (!remembered("theme")) setTheme(event.matches ? "dark" : "light");
});

$("theme").addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  setTheme(theme);
  remember("theme", theme);
});
$("inspect").addEventListener("click", () => inspector.toggle($("inspector").hidden));
$("inspect-close").addEventListener("click", () => {
  inspector.toggle(false);
  $("inspect").focus();
});
$("browse").addEventListener("click", () => document.body.classList.toggle("browsing"));
$("veil").addEventListener("click", () => document.body.classList.remove("browsing"));
$("locale").addEventListener("change", () => act("locale", { locale: $("locale").value }));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.body.classList.remove("browsing");
});

state.as = remembered("as") ?? "member";
inspector.toggle(false);
connect();
