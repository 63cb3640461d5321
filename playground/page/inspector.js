// The side panel: requests and gateway events, and buttons that cause faults.

import { act } from "./api.js";
import { h } from "./dom.js";
import { announce } from "./notice.js";
import { state } from "./state.js";

const MAX_ROWS = 300;
const panel = document.getElementById("inspector");
const list = document.getElementById("traffic");
const detail = document.getElementById("detail");
const filter = document.getElementById("traffic-filter");
const records = new Map(); // number → record
const rows = new Map(); // number → row
const waiting = new Set();
let frame = 0;
let chosen = null;

export function note(record) {
  records.set(record.number, record);
  if (records.size > MAX_ROWS) records.delete(records.keys().next().value);
  waiting.add(record.number);
  if (!panel.hidden) frame ||= requestAnimationFrame(flush);
}

export function forget() {
  records.clear();
  rows.clear();
  waiting.clear();
  list.replaceChildren();
  showDetail(null);
}

export function showStatus() {
  const { contract, faults, clock_advanced_seconds: advanced } = state.status;
  document.getElementById("contract").textContent = contract
    ? ""
    : "Every request body is checked against Discord’s API description.";
  const notes = [];
  if (faults.length) notes.push(`Waiting for the next requests: ${faults.join(", ")}.`);
  if (advanced) notes.push(`The clock is ${Math.round(advanced / 60)} min ahead.`);
  document.getElementById("trouble-note").textContent = notes.join(" ");
}

/** Open or close the panel. The list is only drawn while the panel is open. */
export function toggle(isOpen) {
  panel.hidden = !isOpen;
  document.body.classList.toggle("inspecting", isOpen);
  const button = document.getElementById("inspect");
  button.setAttribute("aria-expanded", String(isOpen));
  if (!isOpen) return;
  flush();
  list.scrollTop = list.scrollHeight;
}

function flush() {
  frame = 0;
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  for (const number of waiting) {
    const record = records.get(number);
    if (!record) continue;
    const row = renderRow(record);
    const old = rows.get(number);
    if (old) old.replaceWith(row);
    else list.append(row);
    rows.set(number, row);
  }
  waiting.clear();
  while (list.children.length > MAX_ROWS) {
    rows.delete(Number(list.firstElementChild.dataset.number));
    list.firstElementChild.remove();
  }
  if (isAtEnd) list.scrollTop = list.scrollHeight;
  if (chosen && records.has(chosen)) showDetail(chosen);
}

const isHeartbeat = (record) => record.name.startsWith("HEARTBEAT");

function isShown(record) {
  if (filter.value === "problems")
    return record.violations?.length > 0 || record.status >= 400 || Boolean(record.fault);
  if (filter.value === "requests") return record.kind === "request";
  if (filter.value === "gateway") return record.kind === "frame";
  return !isHeartbeat(record);
}

function stateOf(record) {
  if (record.kind === "frame")
    return {
      text: { sent: "↓", received: "↑", closed: "×" }[record.direction],
      kind: record.direction === "closed" ? "bad" : "frame",
    };
  if (!record.is_finished) return { text: "…", kind: "open" };
  if (record.fault?.includes("reset")) return { text: "cut", kind: "bad" };
  return { text: String(record.status ?? "–"), kind: record.status >= 400 ? "bad" : "good" };
}

function checkOf(record) {
  if (record.kind === "frame" || !record.is_finished || !record.body) return null;
  if (record.violations.length)
    return h("span", { class: "check bad", title: record.violations.join("\n") }, "✗ API");
  return state.status.contract
    ? null
    : h("span", { class: "check good", title: "The body fits Discord’s API description" }, "✓");
}

function renderRow(record) {
  const { text, kind } = stateOf(record);
  return h(
    "li",
    { hidden: !isShown(record), data: { number: record.number } },
    h(
      "button",
      { type: "button", class: "record", "aria-pressed": String(chosen === record.number) },
      h("span", { class: `status ${kind}` }, text),
      h("span", { class: "record-name" }, record.name.replace(/(\/\{\w+\})+/g, "/…")),
      record.fault && h("span", { class: "check bad" }, "fault"),
      checkOf(record),
      h("span", { class: "record-time" }, `${record.at.toFixed(2)} s`),
    ),
  );
}

function showDetail(number) {
  chosen = number;
  const record = records.get(number);
  detail.hidden = !record;
  if (!record) return;
  const lines = [
    ["Path", record.path?.replace(/[\w-]{40,}/g, (token) => `${token.slice(0, 12)}…`)],
    ["Error code", record.code],
    ["Fault", record.fault],
    ["Files", record.files?.join(", ")],
  ].filter(([, value]) => value);
  detail.replaceChildren(
    h("h3", {}, record.name.replace(/\{(\w+)\}/g, ":$1")),
    lines.length === 0
      ? ""
      : h(
          "dl",
          {},
          lines.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value)))),
        ),
    ...(record.violations ?? []).map((problem) =>
      h("p", { class: "problem" }, `Not as Discord describes it: ${problem}`),
    ),
    ...blocks(record),
  );
}

function blocks(record) {
  const titles = [
    [record.kind === "frame" ? "Data" : "Request", record.body],
    ["Answer", record.answer],
  ];
  return titles
    .filter(([, text]) => text)
    .flatMap(([title, text]) => [h("h4", {}, title), h("pre", { tabindex: "0" }, text)]);
}

list.addEventListener("click", (event) => {
  const row = event.target.closest("li");
  if (!row) return;
  const number = Number(row.dataset.number);
  const before = rows.get(chosen)?.firstElementChild;
  before?.setAttribute("aria-pressed", "false");
  showDetail(chosen === number ? null : number);
  row.firstElementChild.setAttribute("aria-pressed", String(chosen === number));
  row.scrollIntoView({ block: "nearest" }); // the list becomes shorter when an entry is open
});

filter.addEventListener("change", () => {
  for (const [number, row] of rows)
    row.hidden = !records.has(number) || !isShown(records.get(number));
  list.scrollTop = list.scrollHeight;
});

const SAID = {
  drop: "The bot’s gateway connection was closed; it should come back by itself.",
  expire: "15 minutes have passed for the last interaction: its token is dead.",
  advance: "15 minutes have passed: every token so far is dead.",
  limit: "The next request meets a 429 and may try again after 1 s.",
  delay: "The next request is held up for 4 s, longer than a first answer may take.",
  error: "The next request meets a 500.",
  clear: "No fault waits any more.",
};

document.getElementById("trouble").addEventListener("click", async (event) => {
  const what = event.target.closest("button")?.value;
  if (what && (await act("trouble", { what }))) announce(SAID[what]);
});
