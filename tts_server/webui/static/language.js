// The page's language: the browser's, until the reader chooses. Whoever shows words listens to "language" on document.

import { LANGUAGES } from "./words.js";

const KEPT = "tts-language";
let current = "en";

/** What the page says for `name`; undefined where the language has no such words. */
export function words(name, ...values) {
  const found = LANGUAGES[current][name];
  return typeof found === "function" ? found(...values) : found;
}

function use(language) {
  current = language;
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = words(document.body.dataset.title ?? "title");
  for (const each of document.querySelectorAll("[data-words]")) {
    each.textContent = words(each.dataset.words) ?? each.textContent;
  }
  const button = document.getElementById("language");
  button.textContent = words("other");
  button.lang = words("otherCode");
  button.setAttribute("aria-label", words("otherName"));
  document.dispatchEvent(new Event("language"));
}

// A browser may refuse storage; the page then asks the browser's language again next time.
function kept() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function keep(language) {
  try {
    localStorage.setItem(KEPT, language);
  } catch {
    // See above.
  }
}

export function startLanguage() {
  document.getElementById("language").addEventListener("click", () => {
    use(current === "en" ? "zh" : "en");
    keep(current);
  });
  const chosen = kept() ?? (navigator.language.startsWith("zh") ? "zh" : "en");
  use(chosen in LANGUAGES ? chosen : "en");
}
