// Lists to choose from: the popover of a select, and the suggestions above a text field.

import { emoji } from "./components.js";
import { h } from "./dom.js";

const MARGIN = 8;

let open = null;

/** Put a box below its anchor, or above it if there is more room, but always on the screen. */
export function place(box, anchor, point = null) {
  const around = point
    ? {
        left: point.clientX,
        right: point.clientX,
        top: point.clientY,
        bottom: point.clientY,
        width: 0,
      }
    : anchor.getBoundingClientRect();
  const below = innerHeight - around.bottom - MARGIN * 2;
  const above = around.top - MARGIN * 2;
  const goesUp = below < Math.min(box.offsetHeight, 280) && above > below;
  box.style.maxHeight = `${Math.max(goesUp ? above : below, 120)}px`;
  const left = Math.min(around.left, innerWidth - box.offsetWidth - MARGIN);
  box.style.left = `${Math.max(left, MARGIN)}px`;
  box.style.top = goesUp
    ? `${Math.max(around.top - box.offsetHeight - 4, MARGIN)}px`
    : `${around.bottom + 4}px`;
}

/**
 * Opens a popover. It closes on Escape, and when the focus or a press goes elsewhere; in that case
 * `left` is called. Returns a function that closes it.
 */
export function popUp(box, anchor, point = null, left = () => {}) {
  open?.leave();
  const host = anchor.closest("dialog") ?? document.body;
  host.append(box);
  place(box, anchor, point);
  const close = (back = false) => {
    if (open?.box !== box) return;
    open = null;
    box.remove();
    document.removeEventListener("pointerdown", outside, true);
    anchor.setAttribute("aria-expanded", "false");
    if (back) anchor.focus();
  };
  const leave = () => {
    if (open?.box !== box) return;
    close();
    left();
  };
  const outside = (event) => {
    if (!box.contains(event.target)) leave();
  };
  box.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !box.contains(event.relatedTarget)) leave();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    close(true);
  });
  document.addEventListener("pointerdown", outside, true);
  anchor.setAttribute("aria-expanded", "true");
  open = { box, leave };
  return close;
}

let counter = 0;

function optionNode(option, isChosen, hasBox) {
  counter += 1;
  return h(
    "li",
    {
      id: `option-${counter}`,
      role: "option",
      "aria-selected": String(isChosen),
      data: { value: String(option.value) },
    },
    hasBox && h("span", { class: "tick", "aria-hidden": "true" }),
    emoji(option.emoji),
    h(
      "span",
      { class: "option-text" },
      h("span", {}, option.label),
      option.description && h("small", {}, option.description),
    ),
    option.note && h("span", { class: "option-note" }, option.note),
  );
}

function fits(option, words) {
  const text = `${option.label} ${option.description ?? ""}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/**
 * Lets the person pick `least` to `most` of the options. `done` gets their values: at once if only
 * one can be picked, otherwise when the person leaves the list. Escape changes nothing.
 */
export function openPicker(anchor, { title, options, chosen, least, most, done }) {
  const known = new Set(options.map((option) => option.value));
  const picked = new Set(chosen.filter((value) => known.has(value)));
  const isMany = most > 1;
  const list = h("ul", {
    role: "listbox",
    id: "picker-list",
    "aria-label": title,
    "aria-multiselectable": String(isMany),
  });
  const filter = h("input", {
    type: "search",
    role: "combobox",
    "aria-expanded": "true",
    "aria-controls": "picker-list",
    "aria-label": title,
    placeholder: "Type to filter",
    autocomplete: "off",
  });
  const range = least === most ? `${least}` : `${least} to ${Math.min(most, options.length)}`;
  const hint = h("small", {}, `Choose ${range}; Escape changes nothing.`);
  const box = h(
    "div",
    { class: "popover picker" },
    filter,
    list,
    isMany && h("div", { class: "picker-foot" }, hint),
  );
  const values = () => options.map((option) => option.value).filter((value) => picked.has(value));
  const before = values().join(" ");
  const left = () => {
    const isAllowed = picked.size >= least && picked.size <= most;
    if (isAllowed && values().join(" ") !== before) done(values());
  };
  const close = popUp(box, anchor, null, left);
  const active = activeIn(list, filter);

  const show = () => {
    list.replaceChildren(
      ...options
        .filter((option) => fits(option, filter.value.trim()))
        .map((option) => optionNode(option, picked.has(option.value), isMany)),
    );
    if (!list.children.length) list.append(h("li", { class: "nothing" }, "Nothing fits."));
    active.move(0);
  };
  const choose = (node) => {
    const value = node?.dataset.value;
    if (value === undefined) return;
    if (!isMany) {
      const isTakenBack = least === 0 && picked.has(value);
      picked.clear();
      if (!isTakenBack) picked.add(value);
      close(true);
      done(values());
      return;
    }
    if (picked.has(value)) picked.delete(value);
    else if (picked.size < most) picked.add(value);
    node.setAttribute("aria-selected", String(picked.has(value)));
  };
  filter.addEventListener("input", show);
  filter.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      choose(active.node());
    } else active.key(event);
  });
  // keep the focus in the filter, because it handles Escape
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => choose(event.target.closest("[role=option]")));
  show();
  place(box, anchor);
  filter.focus();
}

/** Moves through the options of a list with the arrow keys. */
function activeIn(list, input) {
  let index = 0;
  const nodes = () => [...list.querySelectorAll("[role=option]")];
  list.onpointermove = (event) => {
    const at = nodes().indexOf(event.target.closest("[role=option]"));
    if (at !== -1 && at !== index) move(at);
  };
  const move = (to) => {
    const all = nodes();
    index = all.length ? (to + all.length) % all.length : 0;
    all.forEach((node, at) => node.classList.toggle("active", at === index));
    if (all.length) input.setAttribute("aria-activedescendant", all[index].id);
    else input.removeAttribute("aria-activedescendant");
    all[index]?.scrollIntoView({ block: "nearest" });
  };
  return {
    move,
    node: () => nodes()[index],
    key(event) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return false;
      event.preventDefault();
      move(index + step);
      return true;
    },
  };
}

/** Suggestions above the composer's fields. All fields share one box. */
export class Suggestions {
  constructor(box) {
    this.box = box;
    this.list = h("ul", { role: "listbox", id: "suggestion-list", "aria-label": "Suggestions" });
    this.title = h("p", { class: "suggest-title" });
    box.append(this.title, this.list);
    // so that the press does not take the focus out of the field
    box.addEventListener("pointerdown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) =>
      this.choose(event.target.closest("[role=option]")),
    );
    this.hide();
  }

  get isOpen() {
    return !this.box.hidden;
  }

  show(input, title, options, pick) {
    if (!options.length) {
      this.hide();
      return;
    }
    this.options = options;
    this.pick = pick;
    this.input = input;
    this.title.textContent = title;
    this.list.replaceChildren(
      ...options.map((option, index) => optionNode({ ...option, value: index }, false, false)),
    );
    this.box.hidden = false;
    input.setAttribute("aria-expanded", "true");
    this.active = activeIn(this.list, input);
    this.active.move(0);
  }

  hide() {
    this.box.hidden = true;
    this.input?.setAttribute("aria-expanded", "false");
    this.input?.removeAttribute("aria-activedescendant");
  }

  choose(node) {
    if (node) this.pick(this.options[Number(node.dataset.value)]);
  }

  /** Handle a key. Returns whether the list used it. */
  key(event) {
    if (!this.isOpen) return false;
    if (this.active.key(event)) return true;
    if (event.key === "Escape") this.hide();
    else if (event.key === "Tab" && !event.shiftKey) this.choose(this.active.node());
    else if (event.key === "Enter" && !event.shiftKey) this.choose(this.active.node());
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }
}
