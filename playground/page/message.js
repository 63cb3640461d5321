// One message as a DOM node, from Discord's own JSON.

import {
  colour,
  fileLink,
  hasFailed,
  isSpoilerFile,
  renderAll,
  renderMedia,
} from "./components.js";
import { avatar, fileUrl, h, icon, nameOf, safeUrl } from "./dom.js";
import { markdown, withMoments } from "./markdown.js";
import { state } from "./state.js";

const EPHEMERAL = 1 << 6;
const LOADING = 1 << 7;
const V2 = 1 << 15;
const DOTS = "M5 12h.01M12 12h.01M19 12h.01";
const REPLY = "M4 20v-4a5 5 0 0 1 5-5h12";

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

export const isEphemeral = (message) => Boolean(message.flags & EPHEMERAL);
export const isLoading = (message) => Boolean(message.flags & LOADING);

export function renderMessage({ data: message, has_died: hasDied }) {
  const isMine =
    (message.mentions ?? []).some((user) => user.id === state.place.me) || message.mention_everyone;
  const classes = ["message", isMine && "mentions-me", isEphemeral(message) && "ephemeral"];
  return h(
    "article",
    {
      class: classes.filter(Boolean).join(" "),
      tabindex: "-1",
      "aria-label": `${nameOf(message.author)}, ${clock.format(new Date(message.timestamp))}`,
      data: { id: message.id, act: "message" },
    },
    renderOrigin(message),
    h("div", { class: "side" }, avatar(message.author)),
    h(
      "div",
      { class: "main" },
      renderHeader(message),
      isLoading(message) ? renderThinking(message, hasDied) : renderBody(message),
      hasFailed(message) && h("p", { class: "failed" }, "This interaction failed"),
      hasMainButton(message.components) && !isEphemeral(message) && renderJoin(),
      isEphemeral(message) && renderPrivacy(),
    ),
    h(
      "button",
      {
        type: "button",
        class: "more",
        tabindex: "-1",
        "aria-label": "More",
        data: { act: "menu" },
      },
      icon(DOTS),
    ),
  );
}

function renderHeader(message) {
  const time = new Date(message.timestamp);
  return h(
    "header",
    {},
    h(
      "button",
      {
        type: "button",
        class: "author",
        tabindex: "-1",
        data: { act: "user", user: message.author.id },
      },
      nameOf(message.author),
    ),
    message.author.bot && h("span", { class: "badge" }, "APP"),
    h("time", { datetime: message.timestamp, title: time.toLocaleString() }, clock.format(time)),
  );
}

/** The line above a message: the command that was used, or the message that this one replies to. */
function renderOrigin(message) {
  const used = message.interaction;
  if (used) {
    const name = message.type === 20 ? `/${used.name}` : used.name;
    return h(
      "p",
      { class: "origin" },
      icon(REPLY),
      avatar(used.user, "tiny"),
      h("b", {}, nameOf(used.user)),
      " used ",
      h("span", { class: "mention" }, name),
    );
  }
  const answered =
    message.message_reference && state.messages.get(message.message_reference.message_id)?.data;
  if (!message.message_reference) return null;
  if (!answered)
    return h(
      "p",
      { class: "origin" },
      icon(REPLY),
      h("i", {}, "The message that this answers is gone."),
    );
  const start = summary(answered).slice(0, 90) || "an attachment";
  return h(
    "p",
    { class: "origin" },
    icon(REPLY),
    avatar(answered.author, "tiny"),
    h("b", {}, nameOf(answered.author)),
    ` ${start}`,
  );
}

function renderThinking(message, hasDied) {
  if (hasDied) return h("p", { class: "failed" }, "The application did not respond");
  return h(
    "p",
    { class: "thinking" },
    h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
    `${nameOf(message.author)} is thinking…`,
  );
}

function renderBody(message) {
  const parts = [];
  if (message.content) parts.push(withEdited(markdown(message.content), message));
  if (!(message.flags & V2)) {
    parts.push(renderAttachments(message));
    parts.push((message.embeds ?? []).map((embed) => renderEmbed(embed, message)));
  }
  parts.push(renderAll(message.components, message));
  if (!message.content && message.edited_timestamp) parts.push(edited());
  return h("div", { class: "body" }, parts);
}

const edited = () => h("span", { class: "edited" }, "(edited)");

function withEdited(box, message) {
  if (message.edited_timestamp) (box.lastElementChild ?? box).append(" ", edited());
  return box;
}

function renderAttachments(message) {
  const used = (message.embeds ?? []).flatMap((embed) => [
    embed.image?.attachment_id,
    embed.thumbnail?.attachment_id,
  ]);
  const shown = (message.attachments ?? []).filter((attachment) => !used.includes(attachment.id));
  if (!shown.length) return null;
  const isPicture = (attachment) =>
    attachment.content_type?.startsWith("image/") && attachment.width;
  const pictures = shown.filter(isPicture);
  return [
    pictures.length > 0 &&
      h(
        "div",
        { class: `gallery of-${Math.min(pictures.length, 4)}` },
        pictures.map((each) =>
          renderMedia(
            each,
            { description: each.description, spoiler: isSpoilerFile(each) },
            message,
          ),
        ),
      ),
    shown
      .filter((each) => !isPicture(each))
      .map((each) => fileLink(fileUrl(each.url), each.filename, each.size)),
  ];
}

function renderEmbed(embed, message) {
  const href = embed.url && safeUrl(embed.url);
  const box = h(
    "div",
    { class: "embed" },
    embed.thumbnail && renderMedia(embed.thumbnail, {}, message, "thumbnail"),
    embed.author?.name && h("p", { class: "embed-author" }, embed.author.name),
    embed.title &&
      h(
        "p",
        { class: "embed-title" },
        href
          ? h("a", { href, target: "_blank", rel: "noopener noreferrer" }, embed.title)
          : embed.title,
      ),
    embed.description && markdown(embed.description),
    embed.fields?.length > 0 && h("dl", { class: "fields" }, embed.fields.map(renderField)),
    embed.image && renderMedia(embed.image, {}, message),
    (embed.footer?.text || embed.timestamp) &&
      h(
        "p",
        { class: "embed-footer" },
        [embed.footer?.text, embed.timestamp && new Date(embed.timestamp).toLocaleString()]
          .filter(Boolean)
          .join(" · "),
      ),
  );
  if (embed.color) box.style.setProperty("--stripe", colour(embed.color));
  return box;
}

function renderField(field) {
  return h(
    "div",
    { class: field.inline ? "inline" : null },
    h("dt", {}, markdown(field.name)),
    h("dd", {}, markdown(field.value)),
  );
}

const PRIMARY = 1;

/** Whether a message has a button that stands out: what everybody is meant to do. */
function hasMainButton(components) {
  return (components ?? []).some(
    (each) => (each.style === PRIMARY && !each.disabled) || hasMainButton(each.components),
  );
}

function renderJoin() {
  return h(
    "p",
    { class: "privacy" },
    "Playground: ",
    h("button", { type: "button", class: "quiet", data: { act: "join" } }, "Let the others join in"),
  );
}

function renderPrivacy() {
  return h(
    "p",
    { class: "privacy" },
    "Only you can see this · ",
    h("button", { type: "button", class: "quiet", data: { act: "dismiss" } }, "Dismiss message"),
  );
}

/** An interaction that the bot has not answered. It is shown where the answer will be. */
export function renderUnanswered(interaction) {
  const me = state.place.guilds
    .flatMap((guild) => guild.members)
    .find((member) => member.user.id === state.place.me)?.user;
  const name = interaction.type === 2 ? interaction.title : "a form";
  const failed = interaction.state === "failed";
  return h(
    "article",
    { class: "message ephemeral", tabindex: "-1", data: { id: interaction.id } },
    h(
      "p",
      { class: "origin" },
      icon(REPLY),
      me && avatar(me, "tiny"),
      h("b", {}, me ? nameOf(me) : "You"),
      " used ",
      h("span", { class: "mention" }, name),
    ),
    h("div", { class: "side" }),
    h(
      "div",
      { class: "main" },
      failed
        ? h("p", { class: "failed" }, "The application did not respond")
        : h("p", { class: "thinking" }, "Sent. The app has 3 seconds to answer…"),
      failed && renderPrivacy(),
    ),
  );
}

/** All text of a message on one line, for the line above a reply and for screen readers. */
export function summary(message) {
  const parts = [message.content];
  const walk = (components) => {
    for (const component of components ?? []) {
      if (component.type === 10) parts.push(component.content);
      walk(component.components);
    }
  };
  walk(message.components);
  for (const embed of message.embeds ?? []) parts.push(embed.title, embed.description);
  return withMoments(parts.filter(Boolean).join("\n"))
    .replace(/<[@#][^>]*>/g, "")
    .replace(/[*_~`|\\]|^(-#|#{1,3}) /gm, "")
    .replace(/\s+/g, " ")
    .trim();
}
