// The forms that a bot opens.

import { act } from "./api.js";
import { defaultsOf, SELECTS, selectOptions } from "./components.js";
import { bytes, h, icon } from "./dom.js";
import { markdown } from "./markdown.js";
import { openPicker } from "./picker.js";
import { channelById, state } from "./state.js";

const CHEVRON = "m6 9 6 6 6-6";

let current = null; // {interaction, submitted, dialog, problem, send}

export function openModal(interaction) {
  const { modal } = interaction;
  const fields = [];
  const parts = modal.components.map((component) => renderPart(component, fields, interaction));
  const problem = h("p", { class: "problem", role: "alert" });
  const send = h("button", { class: "button primary" }, "Submit");
  const cancel = h("button", { type: "button", class: "button secondary" }, "Cancel");
  const form = h(
    "form",
    { method: "dialog", novalidate: true },
    h("h2", { id: "modal-title" }, modal.title),
    parts,
    problem,
    h("footer", {}, cancel, send),
  );
  const dialog = h("dialog", { class: "modal", "aria-labelledby": "modal-title" }, form);
  cancel.addEventListener("click", () => dialog.close());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(fields);
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    current = null;
  });
  document.body.append(dialog);
  current = { interaction, submitted: null, dialog, problem, send };
  dialog.showModal();
  fields[0]?.focus?.();
}

/** Close the form if the bot accepted it, or say what went wrong. */
export function followModal(interaction) {
  if (!current || current.submitted !== interaction.id) return;
  if (interaction.state === "answered") current.dialog.close();
  if (interaction.state === "failed") {
    current.send.disabled = false;
    current.problem.textContent =
      "Something went wrong: the app did not answer within 3 seconds. What you wrote is still here; try again.";
  }
}

async function submit(fields) {
  const values = {};
  const files = [];
  for (const field of fields) {
    const wrong = field.check?.();
    if (wrong) {
      current.problem.textContent = wrong;
      field.focus();
      return;
    }
    values[field.customId] = field.read(files);
  }
  current.problem.textContent = "";
  current.send.disabled = true;
  const sent = current;
  const answer = await act("modal", { interaction: current.interaction.id, values }, files);
  if (current !== sent) return;
  if (!answer) {
    current.send.disabled = false;
    return;
  }
  current.submitted = answer.interaction;
  state.mine.set(answer.interaction, {});
  const known = state.interactions.get(answer.interaction); // it may have arrived before `answer`
  if (known) followModal(known);
}

function renderPart(component, fields, interaction) {
  if (component.type === 10) return markdown(component.content);
  if (component.type === 1) {
    return (component.components ?? []).map((input) =>
      renderLabel(input.label, input, null, fields, interaction),
    );
  }
  if (component.type === 18)
    return renderLabel(
      component.label,
      component.component,
      component.description,
      fields,
      interaction,
    );
  return h("p", { class: "unknown" }, `A part of type ${component.type} is not shown here.`);
}

let counter = 0;

function renderLabel(text, component, description, fields, interaction) {
  counter += 1;
  const id = `field-${counter}`;
  const isRequired = component.required !== false && component.type !== 23;
  const make = SELECTS.includes(component.type) ? selectField : FIELDS[component.type];
  if (!make)
    return h("p", { class: "unknown" }, `A field of type ${component.type} is not shown here.`);
  const field = make(component, { id, label: text, isRequired, interaction });
  fields.push({ customId: component.custom_id, ...field });
  return h(
    "div",
    { class: "field" },
    h(
      "label",
      { for: id, id: `${id}-label` },
      text,
      isRequired && h("span", { class: "required", title: "required" }, " *"),
    ),
    description && h("small", { id: `${id}-hint` }, description),
    field.node,
  );
}

function textField(component, { id, label, isRequired }) {
  const isLong = component.style === 2;
  const input = h(isLong ? "textarea" : "input", {
    id,
    type: isLong ? null : "text",
    rows: isLong ? 4 : null,
    placeholder: component.placeholder,
    maxlength: component.max_length ?? 4000,
    "aria-required": String(isRequired),
    "aria-describedby": `${id}-hint`,
  });
  input.value = component.value ?? "";
  const least = component.min_length ?? 0;
  return {
    node: input,
    focus: () => input.focus(),
    read: () => input.value,
    check() {
      if (!input.value) return isRequired ? `“${label}” is required.` : null;
      return input.value.length < least ? `“${label}” needs at least ${least} characters.` : null;
    },
  };
}

function selectField(component, { id, label, isRequired, interaction }) {
  const options = selectOptions(component, channelById(interaction.channel_id));
  let chosen = defaultsOf(component);
  const text = h("span");
  const button = h(
    "button",
    {
      type: "button",
      class: "select",
      id,
      disabled: Boolean(component.disabled),
      "aria-haspopup": "listbox",
      "aria-labelledby": `${id}-label ${id}`,
    },
    text,
    icon(CHEVRON),
  );
  const show = () => {
    const names = options
      .filter((option) => chosen.includes(option.value))
      .map((option) => option.label);
    text.textContent = names.join(", ") || component.placeholder || "Make a selection";
    button.classList.toggle("chosen", names.length > 0);
  };
  const least = isRequired ? (component.min_values ?? 1) : 0;
  button.addEventListener("click", () =>
    openPicker(button, {
      title: label,
      options,
      chosen,
      least,
      most: component.max_values ?? 1,
      done(values) {
        chosen = values;
        show();
      },
    }),
  );
  show();
  return {
    node: button,
    focus: () => button.focus(),
    read: () => chosen,
    check: () => (isRequired && !chosen.length ? `Choose something for “${label}”.` : null),
  };
}

function fileField(component, { id, label, isRequired }) {
  const most = component.max_values ?? 1;
  const input = h("input", { type: "file", id, multiple: most > 1 });
  const list = h("ul", { class: "chosen-files" });
  input.addEventListener("change", () => {
    list.replaceChildren(
      ...[...input.files].map((file) => h("li", {}, file.name, h("small", {}, bytes(file.size)))),
    );
  });
  const least = component.min_values ?? (isRequired ? 1 : 0);
  return {
    node: h("div", {}, input, list),
    focus: () => input.focus(),
    read(files) {
      return [...input.files].map((file) => files.push(file) - 1);
    },
    check() {
      const count = input.files.length;
      if (!count && !isRequired) return null;
      return count < least || count > most
        ? `“${label}” takes ${least === most ? least : `${least} to ${most}`} files.`
        : null;
    },
  };
}

/** Radio buttons (for one choice) or checkboxes (for several). */
function groupField(component, { id, label, isRequired }) {
  const isOne = component.type === 21;
  const inputs = component.options.map((option) =>
    h("input", {
      type: isOne ? "radio" : "checkbox",
      name: id,
      value: option.value,
      checked: Boolean(option.default),
    }),
  );
  const node = h(
    "div",
    { class: "choices", role: isOne ? "radiogroup" : "group", "aria-labelledby": `${id}-label` },
    component.options.map((option, index) =>
      h(
        "label",
        {},
        inputs[index],
        h("span", {}, option.label, option.description && h("small", {}, option.description)),
      ),
    ),
  );
  const picked = () => inputs.filter((input) => input.checked).map((input) => input.value);
  const most = isOne ? 1 : (component.max_values ?? component.options.length);
  const least = isRequired ? Math.max(component.min_values ?? 1, 1) : 0;
  return {
    node,
    focus: () => inputs[0]?.focus(),
    read: () => (isOne ? (picked()[0] ?? null) : picked()),
    check: () =>
      picked().length < least || picked().length > most
        ? `“${label}” takes ${least === most ? least : `${least} to ${most}`}.`
        : null,
  };
}

function boxField(component, { id }) {
  const input = h("input", { type: "checkbox", id, checked: Boolean(component.default) });
  return { node: input, focus: () => input.focus(), read: () => input.checked };
}

const FIELDS = { 4: textField, 19: fileField, 21: groupField, 22: groupField, 23: boxField };
