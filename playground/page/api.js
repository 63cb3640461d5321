// Calls the playground's own API for the page.

import { announce } from "./notice.js";
import { state } from "./state.js";

/** Does something as the chosen person. Returns the answer, or shows why not and returns null. */
export async function act(what, data, files = [], { quiet = false } = {}) {
  const form = new FormData();
  form.append("data", JSON.stringify({ as: state.as, ...data }));
  files.forEach((file, index) => form.append(String(index), file, file.name));
  let answer;
  try {
    const response = await fetch(`/play/${what}`, {
      method: "POST",
      headers: { "X-Playground-Page": "1" },
      body: form,
    });
    answer = await response.json();
  } catch {
    announce("The playground does not answer. Is it still running in its terminal?", "bad");
    return null;
  }
  if (answer.error && !quiet) announce(answer.error, "bad");
  return answer.error && !answer.choices ? null : answer;
}
