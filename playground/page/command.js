// A slash command that is being filled in: one field for each option.

import { act } from "./api.js";
import { h, nameOf } from "./dom.js";
import { channelById, guildOf, localized, state, usersIn } from "./state.js";

const STRING = 3,
  INTEGER = 4,
  BOOLEAN = 5,
  USER = 6,
  CHANNEL = 7,
  ROLE = 8,
  MENTIONABLE = 9,
  NUMBER = 10,
  ATTACHMENT = 11;
const AUTOCOMPLETE_PAUSE_MS = 150;

let counter = 0;

export class CommandForm {
  constructor(offer, title, { suggestions, problem, extras, onCancel, onSubmit }) {
    Object.assign(this, { suggestions, problem, extras, onCancel, onSubmit, title });
    this.name = offer.words.join(" ");
    this.options = offer.definition.options ?? [];
    this.fields = new Map(); // option name → Field
    this.node = h(
      "div",
      { class: "command", role: "group", "aria-label": title },
      h("span", { class: "command-name" }, title),
    );
    for (const option of this.options) if (option.required) this.add(option);
    this.showExtras();
    this.node.addEventListener("keydown", (event) => this.key(event));
    if (!this.fields.size)
      this.node.append(h("span", { class: "command-ready", tabindex: "0" }, "press Enter to send"));
  }

  start(rest) {
    const first = [...this.fields.values()][0];
    if (first && rest) first.type(rest);
    (first ?? { focus: () => this.node.querySelector(".command-ready").focus() }).focus();
  }

  add(option) {
    const field = new Field(option, this);
    this.fields.set(option.name, field);
    this.node.append(field.node);
    return field;
  }

  /** The options that are not filled in yet, as buttons above the line. */
  showExtras() {
    const left = this.options.filter((option) => !this.fields.has(option.name));
    const cancel = h(
      "button",
      { type: "button", class: "chip", onclick: () => this.leave() },
      "Cancel",
    );
    const chips = left.map((option) =>
      h(
        "button",
        {
          type: "button",
          class: "chip",
          title: localized(option, "description"),
          onclick: () => this.addAndFocus(option),
        },
        `+ ${localized(option)}`,
      ),
    );
    this.extras.replaceChildren(...chips, cancel);
  }

  addAndFocus(option) {
    this.node.querySelector(".command-ready")?.remove();
    this.add(option).focus();
    this.showExtras();
  }

  remove(field) {
    this.fields.delete(field.option.name);
    field.node.remove();
    this.showExtras();
    [...this.fields.values()].at(-1)?.focus();
  }

  leave() {
    this.onCancel();
    document.getElementById("text").focus();
  }

  key(event) {
    if (event.isComposing) return;
    if (event.key === "Escape") this.leave();
    else if (event.key === "Enter" && !event.target.matches("button")) {
      event.preventDefault();
      this.onSubmit();
    }
  }

  takeFile(file) {
    const option = this.options.find(
      (each) => each.type === ATTACHMENT && !this.fields.get(each.name)?.file,
    );
    if (!option) return;
    (this.fields.get(option.name) ?? this.add(option)).setFile(file);
    this.showExtras();
  }

  /** Returns {options, files}. If a value is missing or wrong, shows that and returns null. */
  read() {
    const options = {};
    const files = [];
    for (const field of this.fields.values()) {
      const wrong = field.fault();
      field.input.setAttribute("aria-invalid", String(Boolean(wrong)));
      if (wrong) {
        this.problem.textContent = wrong;
        field.focus();
        return null;
      }
      if (field.isEmpty()) continue;
      options[field.option.name] = field.file ? files.push(field.file) - 1 : field.value();
    }
    this.problem.textContent = "";
    return { options, files };
  }

  /** The values of the other fields, which are sent too when one field asks for suggestions. */
  others(field) {
    const filled = [...this.fields.values()].filter(
      (each) => each !== field && !each.isEmpty() && !each.fault() && !each.file,
    );
    return Object.fromEntries(filled.map((each) => [each.option.name, each.value()]));
  }
}

class Field {
  constructor(option, form) {
    counter += 1;
    Object.assign(this, { option, form, chosen: null, file: null, turn: 0 });
    const id = `option-field-${counter}`;
    this.name = localized(option);
    this.isFile = option.type === ATTACHMENT;
    this.input = this.isFile ? h("input", { type: "file", id }) : this.makeInput(id);
    const isMain = option.type === STRING && !option.choices && !option.autocomplete;
    this.node = h(
      "div",
      { class: `option${isMain ? " main-option" : ""}` },
      h("label", { for: id, title: localized(option, "description") }, this.name),
      this.input,
    );
    if (!option.required) {
      this.node.append(
        h(
          "button",
          {
            type: "button",
            class: "remove",
            "aria-label": `Remove ${this.name}`,
            onclick: () => form.remove(this),
          },
          "×",
        ),
      );
    }
    this.listen();
  }

  makeInput(id) {
    const isNumber = this.option.type === INTEGER || this.option.type === NUMBER;
    return h("input", {
      id,
      type: "text",
      inputmode: isNumber ? "decimal" : null,
      role: "combobox",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-controls": "suggestion-list",
      "aria-required": String(Boolean(this.option.required)),
      "aria-label": `${this.name}: ${localized(this.option, "description")}`,
      placeholder: localized(this.option, "description"),
      maxlength: this.option.max_length ?? 6000,
      autocomplete: "off",
      spellcheck: "false",
    });
  }

  listen() {
    if (this.isFile) {
      this.input.addEventListener("change", () => this.setFile(this.input.files[0] ?? null));
      return;
    }
    this.input.addEventListener("input", () => {
      this.chosen = null;
      this.suggest();
    });
    this.input.addEventListener("focus", () => this.suggest());
    this.input.addEventListener("blur", () => {
      this.turn += 1;
      this.form.suggestions.hide();
    });
    this.input.addEventListener("keydown", (event) => {
      const isSending = event.key === "Enter" && this.chosen;
      if (!isSending && this.form.suggestions.key(event)) return;
      if (event.key === "Backspace" && !this.input.value && !this.option.required) {
        event.preventDefault();
        this.form.remove(this);
      }
    });
  }

  type(text) {
    this.input.value = text;
    this.input.dispatchEvent(new Event("input"));
  }

  focus() {
    this.input.focus();
  }

  setFile(file) {
    this.file = file;
    this.input.setAttribute("aria-invalid", "false");
    if (file && this.input.files[0] !== file) {
      const holder = new DataTransfer();
      holder.items.add(file);
      this.input.files = holder.files;
    }
  }

  /** Returns the choices that are known without asking the bot; null if anything can be typed. */
  known() {
    const channel = channelById(state.channel);
    const guild = guildOf(channel);
    const people = () =>
      usersIn(channel).map((user) => ({
        label: nameOf(user),
        value: user.id,
        description: `@${user.username}`,
      }));
    const roles = () =>
      (guild?.roles ?? []).map((role) => ({
        label: role.name,
        value: role.id,
        description: "role",
      }));
    if (this.option.choices)
      return this.option.choices.map((choice) => ({
        label: localized(choice),
        value: choice.value,
      }));
    switch (this.option.type) {
      case BOOLEAN:
        return [
          { label: "True", value: true },
          { label: "False", value: false },
        ];
      case USER:
        return people();
      case ROLE:
        return roles();
      case MENTIONABLE:
        return [...people(), ...roles()];
      case CHANNEL: {
        const kinds = this.option.channel_types;
        const fits = (each) => each.guild_id && (!kinds?.length || kinds.includes(each.type));
        return state.place.channels
          .filter(fits)
          .map((each) => ({ label: `# ${each.title}`, value: each.id }));
      }
      default:
        return null;
    }
  }

  async suggest() {
    const turn = ++this.turn;
    const title = `${this.name} · ${localized(this.option, "description")}`;
    const known = this.known();
    if (known) {
      const typed = this.chosen ? "" : this.input.value.toLowerCase();
      const options = known.filter((choice) => choice.label.toLowerCase().includes(typed));
      this.form.suggestions.show(this.input, title, options.slice(0, 25), (choice) =>
        this.choose(choice),
      );
      return;
    }
    if (!this.option.autocomplete) {
      this.form.suggestions.hide();
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, AUTOCOMPLETE_PAUSE_MS));
    if (turn !== this.turn) return;
    const data = {
      channel: state.channel,
      command: this.form.name,
      option: this.option.name,
      typed: this.input.value,
      options: this.form.others(this),
    };
    const answer = await act("autocomplete", data, [], { quiet: true });
    if (turn !== this.turn || document.activeElement !== this.input) return;
    if (answer?.error) this.form.problem.textContent = answer.error;
    const choices = (answer?.choices ?? []).map((choice) => ({
      label: localized(choice),
      value: choice.value,
    }));
    this.form.suggestions.show(this.input, title, choices, (choice) => this.choose(choice));
  }

  choose(choice) {
    this.chosen = choice;
    this.turn += 1;
    this.input.value = choice.label;
    this.form.suggestions.hide();
  }

  isEmpty() {
    return this.isFile ? !this.file : !this.input.value;
  }

  value() {
    if (this.chosen) return this.chosen.value;
    const typed = this.input.value;
    const named = this.known()?.find(
      (choice) => choice.label.toLowerCase() === typed.trim().toLowerCase(),
    );
    if (named) return named.value;
    const isNumber = this.option.type === INTEGER || this.option.type === NUMBER;
    return isNumber ? Number(typed.replace(",", ".")) : typed;
  }

  /** Returns a sentence about what is wrong with this field; null if nothing is. */
  fault() {
    const { type, required, min_value: least, max_value: most, min_length: shortest } = this.option;
    if (this.isEmpty()) return required ? `“${this.name}” is required.` : null;
    if (this.isFile) return null;
    const value = this.value();
    if (this.known() && !this.known().some((choice) => choice.value === value))
      return `Choose one of the suggestions for “${this.name}”.`;
    if (type === STRING)
      return value.length < (shortest ?? 0)
        ? `“${this.name}” needs at least ${shortest} characters.`
        : null;
    if (type !== INTEGER && type !== NUMBER) return null;
    if (!Number.isFinite(value)) return `“${this.name}” must be a number.`;
    if (type === INTEGER && !Number.isInteger(value))
      return `“${this.name}” must be a whole number.`;
    if ((least ?? -Infinity) > value || (most ?? Infinity) < value)
      return `“${this.name}” must be between ${least ?? "−∞"} and ${most ?? "∞"}.`;
    return null;
  }
}
