// Message components: both action rows and Components V2.

import { bytes, fileUrl, h, icon, nameOf, safeUrl } from "./dom.js";
import { markdown } from "./markdown.js";
import { channelById, guildOf, state, usersIn } from "./state.js";

export const STRING = 3;
export const SELECTS = [3, 5, 6, 7, 8];
const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link", 6: "premium" };
const ARROW = "M7 17 17 7M9 7h8v8";
const CHEVRON = "m6 9 6 6 6-6";
const FILE = "M14 3H6v18h12V7zM14 3v4h4";

const RENDERERS = {
  1: (component, message) => h("div", { class: "row" }, renderAll(component.components, message)),
  2: renderButton,
  9: renderSection,
  10: (component) => markdown(component.content ?? ""),
  11: (component, message) => renderMedia(component.media, component, message, "thumbnail"),
  12: renderGallery,
  13: renderFile,
  14: (component) =>
    h("hr", {
      class: `separator${component.divider === false ? " blank" : ""}${component.spacing === 2 ? " large" : ""}`,
    }),
  17: renderContainer,
};
for (const kind of SELECTS) RENDERERS[kind] = renderSelect;

export function renderAll(components, message) {
  return (components ?? []).map((component) => renderComponent(component, message));
}

function renderComponent(component, message) {
  const render = RENDERERS[component.type];
  return render
    ? render(component, message)
    : h("p", { class: "unknown" }, `A component of type ${component.type} is not shown here.`);
}

export function emoji(given) {
  if (!given) return null;
  return h("span", { class: "emoji" }, given.id ? `:${given.name}:` : given.name);
}

/** The person's newest interaction with this message, or with one of its components. */
function newest(message, customId) {
  let found = null;
  for (const interaction of state.interactions.values()) {
    if (interaction.source === message.id && (!customId || interaction.custom_id === customId))
      found = interaction;
  }
  return found;
}

export const hasFailed = (message) => newest(message)?.state === "failed";
const isBusy = (message, customId) => newest(message, customId)?.state === "waiting";

function renderButton(button, message) {
  const name = `button ${STYLES[button.style] ?? "secondary"}`;
  const inside = [emoji(button.emoji), button.label && h("span", {}, button.label)];
  if (button.style === 5) {
    const href = safeUrl(button.url);
    if (!href || button.disabled)
      return h("span", { class: name, role: "link", "aria-disabled": "true" }, inside);
    return h(
      "a",
      { class: name, href, title: href, target: "_blank", rel: "noopener noreferrer" },
      inside,
      icon(ARROW),
    );
  }
  const busy = isBusy(message, button.custom_id);
  const attributes = {
    type: "button",
    class: name,
    disabled: Boolean(button.disabled),
    "aria-busy": busy ? "true" : null,
  };
  return h(
    "button",
    { ...attributes, data: { act: "press", customId: button.custom_id ?? "" } },
    inside,
  );
}

function renderSelect(select, message) {
  const chosen = new Set(
    state.chosen.get(`${message.id} ${select.custom_id}`) ?? defaultsOf(select),
  );
  const names = selectOptions(select, channelById(message.channel_id))
    .filter((option) => chosen.has(option.value))
    .map((option) => option.label);
  const shown = names.join(", ") || select.placeholder || "Make a selection";
  return h(
    "button",
    {
      type: "button",
      class: `select${names.length ? " chosen" : ""}`,
      disabled: Boolean(select.disabled),
      "aria-haspopup": "listbox",
      "aria-label": names.length
        ? `${select.placeholder ?? "Selection"}: ${names.join(", ")}`
        : shown,
      "aria-busy": isBusy(message, select.custom_id) ? "true" : null,
      data: { act: "select", customId: select.custom_id },
    },
    h("span", {}, shown),
    icon(CHEVRON),
  );
}

export function defaultsOf(select) {
  if (select.type !== STRING) return (select.default_values ?? []).map((value) => value.id);
  return (select.options ?? []).filter((option) => option.default).map((option) => option.value);
}

/** The options of a select of any kind: {value, label, description, emoji}. */
export function selectOptions(select, channel) {
  const guild = guildOf(channel);
  const people = usersIn(channel).map((user) => ({
    value: user.id,
    label: nameOf(user),
    description: `@${user.username}`,
  }));
  const roles = (guild?.roles ?? []).map((role) => ({
    value: role.id,
    label: role.name,
    description: "role",
  }));
  const kinds = select.channel_types?.length ? select.channel_types : null;
  switch (select.type) {
    case STRING:
      return select.options ?? [];
    case 5:
      return people;
    case 6:
      return roles;
    case 7:
      return [...people, ...roles];
    default:
      return state.place.channels
        .filter((each) => each.guild_id && (!kinds || kinds.includes(each.type)))
        .map((each) => ({ value: each.id, label: `# ${each.title}` }));
  }
}

function renderSection(section, message) {
  return h(
    "div",
    { class: "section" },
    h("div", { class: "section-text" }, renderAll(section.components, message)),
    section.accessory &&
      h("div", { class: "accessory" }, renderComponent(section.accessory, message)),
  );
}

function renderContainer(container, message) {
  const box = h("div", { class: "container" }, renderAll(container.components, message));
  if (Number.isInteger(container.accent_color)) {
    box.classList.add("accented");
    box.style.setProperty("--stripe", colour(container.accent_color));
  }
  return container.spoiler ? cover(box) : box;
}

export const colour = (number) => `#${number.toString(16).padStart(6, "0").slice(-6)}`;

function renderGallery(gallery, message) {
  const items = gallery.items ?? [];
  const pictures = items.map((item) => renderMedia(item.media, item, message));
  return h("div", { class: `gallery of-${Math.min(items.length, 4)}` }, pictures);
}

/** Returns a picture with its alt text, covered if it is a spoiler. */
export function renderMedia(media, { description, spoiler }, message, name = "picture") {
  const source = fileUrl(media?.url ?? "");
  if (!source)
    return h(
      "p",
      { class: "outside" },
      description || "A picture from elsewhere",
      h("small", {}, "Not loaded: this page loads nothing from outside."),
    );
  const attachment = (message.attachments ?? []).find(
    (each) => each.id === media.attachment_id || each.url === media.url,
  );
  const type = media.content_type ?? attachment?.content_type ?? "";
  if (type && !type.startsWith("image/"))
    return fileLink(source, attachment?.filename ?? "file", attachment?.size);
  const width = media.width ?? attachment?.width;
  const height = media.height ?? attachment?.height;
  const image = h("img", {
    src: source,
    alt: description ?? "",
    width,
    height,
    draggable: "false",
  });
  const opener = h(
    "button",
    {
      type: "button",
      class: "zoom",
      "aria-label": description ? `Enlarge: ${description}` : "Enlarge the picture",
      data: { act: "zoom" },
    },
    image,
  );
  const alt =
    description && h("span", { class: "alt", title: description, "aria-hidden": "true" }, "ALT");
  const figure = h("div", { class: name }, opener, alt);
  return spoiler ? cover(figure) : figure;
}

function cover(inside) {
  const box = h("div", { class: "covered", data: { kept: "class" } }, inside);
  box.append(h("button", { type: "button", class: "cover", data: { act: "reveal" } }, "Spoiler"));
  return box;
}

function renderFile(component, message) {
  const given = component.file ?? {};
  const attachment = (message.attachments ?? []).find((each) => each.id === given.attachment_id);
  const box = fileLink(
    fileUrl(given.url ?? ""),
    attachment?.filename ?? component.name ?? "file",
    attachment?.size,
  );
  return component.spoiler ? cover(box) : box;
}

export function fileLink(href, filename, size) {
  const text = h("span", {}, filename, size !== undefined && h("small", {}, bytes(size)));
  return href
    ? h("a", { class: "file", href, download: filename }, icon(FILE), text)
    : h("span", { class: "file" }, icon(FILE), text);
}

export const isSpoilerFile = (attachment) => attachment.filename.startsWith("SPOILER_");
