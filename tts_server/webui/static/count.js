// The text's length against the server's limit, shown while typing.

import { words } from "./language.js";
import { spokenLength } from "./ssml.js";

const find = (id) => document.getElementById(id);
const text = find("text");
const limit = Number(text.dataset.limit);

function show() {
  const used = spokenLength(text.value);
  const over = used > limit;
  const before = text.getAttribute("aria-invalid") === "true";
  find("used").textContent = used;
  find("count").classList.toggle("over", over);
  text.setAttribute("aria-invalid", String(over));
  // Said once at each crossing, not at each key.
  if (over !== before) find("over").textContent = words(over ? "over" : "fits", used - limit);
}

/** Why the text cannot be spoken, as a function that says it in the current language; null when it can. */
export function textProblem() {
  const used = spokenLength(text.value);
  if (!text.value.trim()) return () => words("empty");
  return used > limit ? () => words("long", used, limit) : null;
}

export function startText() {
  text.addEventListener("input", show);
  show();
}
