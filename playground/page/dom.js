// Builds DOM nodes. Text from people is only put into text nodes and attributes, never into HTML.

/** h("p", {class: "x", onclick: f}, "text", child): an element. False and null children are left out. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(node.dataset, value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(
    ...children
      .flat(Infinity)
      .filter((child) => child !== null && child !== false && child !== undefined),
  );
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** A small line icon; `path` is the d of an SVG path on a 24 × 24 field. */
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

/**
 * Makes `old` look like `fresh` with as few changes as possible, so that an edit keeps the focus,
 * the scroll position, loaded pictures and revealed spoilers.
 */
export function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  morphAttributes(old, fresh);
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((child, index) => {
    if (index < before.length) morph(before[index], child);
    else old.append(child);
  });
  for (const child of before.slice(after.length)) child.remove();
}

function morphAttributes(old, fresh) {
  const kept = old.dataset.kept?.split(" ") ?? []; // keep what the person has changed here
  for (const { name } of [...old.attributes]) {
    if (
      !fresh.hasAttribute(name) &&
      !kept.includes(name) &&
      name !== "data-kept" &&
      name !== "style"
    ) {
      old.removeAttribute(name);
    }
  }
  for (const { name, value } of fresh.attributes) {
    if (name === "style" || kept.includes(name)) continue; // the page's policy forbids style attributes
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (old.style && old.style.cssText !== fresh.style.cssText)
    old.style.cssText = fresh.style.cssText;
}

const HUES = [8, 28, 48, 95, 150, 178, 205, 235, 268, 300, 330];

/** The same name always has the same colour. */
function hueOf(name) {
  let sum = 0;
  for (const char of String(name)) sum = (sum * 31 + char.charCodeAt(0)) % 9973;
  return HUES[sum % HUES.length];
}

export function avatar(user, size = "") {
  const name = user.global_name || user.username || "?";
  const node = h(
    "span",
    { class: `avatar ${size}`, "aria-hidden": "true" },
    [...name][0].toUpperCase(),
  );
  node.style.setProperty("--hue", hueOf(user.username));
  return node;
}

export function nameOf(user) {
  return user.global_name || user.username;
}

/** Returns the address if a link to it is allowed, otherwise null. */
export function safeUrl(text) {
  try {
    const url = new URL(text);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * The page's own address for a file of this playground; null for pictures from elsewhere, which
 * are not loaded. Unlike the signed address, it stays the same after an edit.
 */
export function fileUrl(address) {
  const own = /^\/(?:ephemeral-)?attachments\/\d+\/(\d+)\/([^/]+)$/;
  const url = safeUrl(address) && new URL(address);
  const match = url && url.port === location.port && own.exec(url.pathname);
  return match ? `/play/files/${match[1]}/${match[2]}` : null;
}

export function bytes(size) {
  if (size < 1024) return `${size} B`;
  if (size < 1024 * 1024) return `${(size / 1024).toFixed(1)} KB`;
  return `${(size / 1024 / 1024).toFixed(1)} MB`;
}
