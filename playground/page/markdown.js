// Discord's markdown subset, as DOM nodes.

import { h, nameOf, safeUrl } from "./dom.js";
import { channelById, roleById, userById, state } from "./state.js";

const MAX_DEPTH = 8;

const PAIRS = [
  ["**", () => h("strong")],
  ["__", () => h("u")],
  ["~~", () => h("s")],
  ["||", () => spoiler()],
  ["*", () => h("em")],
  ["_", () => h("em")],
];

/** Returns covered text. A click, Enter or Space reveals it. */
export function spoiler() {
  return h("span", {
    class: "spoiler",
    role: "button",
    tabindex: "0",
    "aria-label": "Spoiler, press to show",
    data: { act: "reveal" },
  });
}

/** Returns the whole text of a message part, with blocks and lines. */
export function markdown(text) {
  const box = h("div", { class: "markdown" });
  renderBlocks(box, text);
  return box;
}

function renderBlocks(box, text) {
  const fence = /```(?:([\w+-]*)\n)?([^]*?)```/g;
  let at = 0;
  for (const match of text.matchAll(fence)) {
    if (!match[2].trim()) continue;
    renderLines(box, text.slice(at, match.index));
    box.append(h("pre", { tabindex: "0" }, h("code", {}, match[2].replace(/\n$/, ""))));
    at = match.index + match[0].length;
  }
  renderLines(box, text.slice(at));
}

const LINES = [
  [/^(#{1,3}) +(.+)$/, (match) => ({ tag: `h${match[1].length + 2}`, text: match[2] })],
  [/^-# +(.+)$/, (match) => ({ tag: "small", text: match[1] })],
  [/^(?:> )(.*)$/, (match) => ({ tag: "blockquote", text: match[1], joins: true })],
  [
    /^( *)[-*] +(.+)$/,
    (match) => ({ tag: "li", list: "ul", text: match[2], depth: match[1].length }),
  ],
  [
    /^( *)(\d{1,9})\. +(.+)$/,
    (match) => ({ tag: "li", list: "ol", text: match[3], start: match[2], depth: match[1].length }),
  ],
];

function readLine(line) {
  for (const [pattern, make] of LINES) {
    const match = pattern.exec(line);
    if (match) return make(match);
  }
  return { tag: "p", text: line, joins: true };
}

function renderLines(box, text) {
  if (!text) return;
  let last = null;
  for (const line of text.replace(/^\n|\n$/g, "").split("\n")) {
    const part = readLine(line);
    const tag = part.list ?? part.tag;
    let target = last?.tag === tag && (part.joins || part.list) ? last.node : null;
    if (target && part.joins) target.append(h("br"));
    if (!target) {
      target = h(tag, part.start ? { start: part.start } : {});
      box.append(target);
    }
    last = { tag, node: target };
    if (part.list) {
      const item = h("li", part.depth > 1 ? { class: "deeper" } : {});
      target.append(item);
      target = item;
    }
    renderInline(target, part.text, 0);
  }
}

// Each function reads what begins at `at` and returns [node, the position after it], or null.
const READERS = {
  "\\": readEscape,
  "`": readCode,
  "<": readAngle,
  "[": readLink,
  h: readAddress,
  "@": readEveryone,
  "*": readPair,
  _: readPair,
  "~": readPair,
  "|": readPair,
};

export function renderInline(box, text, depth) {
  let plain = "";
  let at = 0;
  const flush = () => {
    if (plain) box.append(plain);
    plain = "";
  };
  while (at < text.length) {
    const read = READERS[text[at]]?.(text, at, depth);
    if (!read) {
      plain += text[at];
      at += 1;
      continue;
    }
    flush();
    box.append(read[0]);
    at = read[1];
  }
  flush();
}

function readEscape(text, at) {
  return /[!-/:-@[-`{-~]/.test(text[at + 1] ?? "") ? [text[at + 1], at + 2] : null;
}

function readCode(text, at) {
  const mark = text.startsWith("``", at) ? "``" : "`";
  const end = text.indexOf(mark, at + mark.length);
  if (end <= at + mark.length - 1 || end === at + mark.length) return null;
  return [h("code", {}, text.slice(at + mark.length, end)), end + mark.length];
}

function readPair(text, at, depth) {
  if (depth >= MAX_DEPTH) return null;
  for (const [mark, make] of PAIRS) {
    if (!text.startsWith(mark, at)) continue;
    const start = at + mark.length;
    const end = findEnd(text, start, mark);
    if (end === -1 || end === start || (mark === "*" && /\s/.test(text[start]))) continue;
    if (mark === "_" && (/\w/.test(text[at - 1] ?? "") || /\w/.test(text[end + 1] ?? ""))) continue;
    const node = make();
    renderInline(node, text.slice(start, end), depth + 1);
    return [node, end + mark.length];
  }
  return null;
}

/** Finds the closing mark. An escaped mark or half of a double mark does not count. */
function findEnd(text, start, mark) {
  for (let at = text.indexOf(mark, start); at !== -1; at = text.indexOf(mark, at + 1)) {
    if (text[at - 1] === "\\") continue;
    if (mark.length === 1 && text[at + 1] === mark) {
      at += 1;
      continue;
    }
    return at;
  }
  return -1;
}

const ANGLES = [
  [
    /^<@!?(\d{1,20})>/,
    (match) =>
      mention(`@${nameOrUnknown(userById(match[1]), "unknown member")}`, { user: match[1] }),
  ],
  [
    /^<@&(\d{1,20})>/,
    (match) => mention(`@${roleById(match[1])?.name.replace(/^@/, "") ?? "unknown role"}`),
  ],
  [
    /^<#(\d{1,20})>/,
    (match) =>
      mention(`#${channelById(match[1])?.title ?? "unknown channel"}`, { channel: match[1] }),
  ],
  [/^<\/([^:>\n]{1,100}):(\d{1,20})>/, (match) => mention(`/${match[1]}`, { command: match[1] })],
  [/^<t:(-?\d{1,13})(?::([tTdDfFR]))?>/, (match) => moment(Number(match[1]), match[2] ?? "f")],
  [/^<a?:(\w{2,32}):\d{1,20}>/, (match) => h("span", { class: "emoji-name" }, `:${match[1]}:`)],
  [/^<(https?:\/\/[^\s<>]+)>/, (match) => link(match[1], match[1])],
];

function readAngle(text, at) {
  const rest = text.slice(at, at + 2100);
  for (const [pattern, make] of ANGLES) {
    const match = pattern.exec(rest);
    const node = match && make(match);
    if (node) return [node, at + match[0].length];
  }
  return null;
}

const nameOrUnknown = (user, unknown) => (user ? nameOf(user) : unknown);

function mention(text, data = {}) {
  return h("span", { class: `mention${data.user === state.place.me ? " me" : ""}`, data }, text);
}

function readEveryone(text, at) {
  const match = /^@(everyone|here)\b/.exec(text.slice(at, at + 10));
  return match ? [h("span", { class: "mention" }, match[0]), at + match[0].length] : null;
}

function readLink(text, at, depth) {
  const match = /^\[([^\]\n]{1,500})\]\(<?(https?:\/\/[^\s()<>]+)>?\)/.exec(
    text.slice(at, at + 2600),
  );
  if (!match || depth >= MAX_DEPTH) return null;
  const node = link(match[2], "");
  if (!node) return null;
  renderInline(node, match[1], MAX_DEPTH);
  return [node, at + match[0].length];
}

function readAddress(text, at) {
  const match = /^https?:\/\/[^\s<>|]+[^\s<>|.,:;"'\])*_~]/.exec(text.slice(at, at + 2000));
  const node = match && link(match[0], match[0]);
  return node ? [node, at + match[0].length] : null;
}

function link(address, text) {
  const href = safeUrl(address);
  return (
    href &&
    h("a", { href, target: "_blank", rel: "noopener noreferrer nofollow", title: href }, text)
  );
}

const STYLES = {
  t: { timeStyle: "short" },
  T: { timeStyle: "medium" },
  d: { dateStyle: "short" },
  D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" },
  F: { dateStyle: "full", timeStyle: "short" },
};

function moment(seconds, style) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return null;
  const full = new Intl.DateTimeFormat(state.place.locale, STYLES.F).format(date);
  const shown =
    style === "R"
      ? relative(seconds)
      : new Intl.DateTimeFormat(state.place.locale, STYLES[style]).format(date);
  return h("time", { datetime: date.toISOString(), title: full }, shown);
}

/** Returns a text with its timestamps written as dates. */
export function withMoments(text) {
  return text.replace(/<t:(-?\d{1,13})(?::([tTdDfFR]))?>/g, (whole, seconds, style) => {
    return moment(Number(seconds), style ?? "f")?.textContent ?? whole;
  });
}

const UNITS = [
  ["year", 31536000],
  ["month", 2592000],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

function relative(seconds) {
  const distance = seconds - Date.now() / 1000;
  const [unit, length] = UNITS.find(([, size]) => Math.abs(distance) >= size) ?? UNITS.at(-1);
  return new Intl.RelativeTimeFormat(state.place.locale, { numeric: "auto" }).format(
    Math.round(distance / length),
    unit,
  );
}
