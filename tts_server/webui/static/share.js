// What the form says, to be copied: as a command line, as a program, or as a link to the page.

import { readForm, requestOf } from "./form.js";
import { currentKey } from "./key.js";
import { words } from "./language.js";
import { linkTo } from "./link.js";
import { curlOf, pythonOf } from "./snippets.js";

const find = (id) => document.getElementById(id);
const panel = find("share");
const kinds = [...panel.querySelectorAll("[data-kind]")];
const shown = find("share-text");
let kind = "curl";
let model;

const WRITERS = {
  curl: (settings) => curlOf(requestOf(settings, model), server()),
  python: (settings) => pythonOf(requestOf(settings, model), server()),
  link: linkTo,
};

function server() {
  return { address: new URL("v1", document.baseURI).href, needsKey: Boolean(currentKey()) };
}

function show() {
  find("copied").textContent = "";
  if (!panel.open) return;
  for (const each of kinds) each.setAttribute("aria-pressed", String(each.dataset.kind === kind));
  shown.textContent = WRITERS[kind](readForm());
  shown.setAttribute("aria-label", words("share"));
  find("share-about").textContent = words(kind === "link" ? "link_about" : "code_about");
}

/** Copy what is shown. Where the page is not served over HTTPS, only the old way is left. */
async function copy() {
  let copied;
  if (navigator.clipboard) {
    copied = await navigator.clipboard.writeText(shown.textContent).then(() => true, () => false);
  } else {
    getSelection().selectAllChildren(shown);
    copied = document.execCommand("copy");
    if (copied) getSelection().removeAllRanges();
  }
  find("copied").textContent = words(copied ? "copied" : "copy_failed");
}

export function startShare(modelName) {
  model = modelName;
  for (const each of kinds) {
    each.addEventListener("click", () => {
      kind = each.dataset.kind;
      show();
    });
  }
  find("copy").addEventListener("click", copy);
  panel.addEventListener("toggle", show);
  for (const name of ["input", "change"]) find("form").addEventListener(name, show);
  for (const name of ["language", "key"]) document.addEventListener(name, show);
  show();
}
