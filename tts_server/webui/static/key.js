// The API key, for servers that ask for one. It is kept for this tab only.

import { words } from "./language.js";

const KEPT = "tts-api-key";
const dialog = document.getElementById("key");
const field = document.getElementById("key-value");
let key = null;
let refused = false;

export function currentKey() {
  try {
    key ??= sessionStorage.getItem(KEPT);
  } catch {
    // Storage is refused: the key lasts as long as the page.
  }
  return key;
}

/** Ask for a key, after the server has answered 401. Returns whether one was given. */
export async function askForKey() {
  refused = Boolean(currentKey());
  title();
  field.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  if (dialog.returnValue !== "use") return false;
  key = field.value.trim();
  field.value = "";
  try {
    sessionStorage.setItem(KEPT, key);
  } catch {
    // See above.
  }
  document.dispatchEvent(new Event("key"));
  return true;
}

function title() {
  document.getElementById("key-title").textContent = words(refused ? "key_refused" : "key_title");
}

document.addEventListener("language", title);
