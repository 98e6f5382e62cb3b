// The text that is heard, its words lit while they sound. Of SSML, it is what is spoken.

import { isSsml } from "./ssml.js";
import { place } from "./placing.js";

const element = document.getElementById("said");

export class Transcript {
  #text = "";
  #spoken = false;
  #at = 0;
  #parts = [];
  #lit = null;

  /** `onSeek` is called with the seconds of a word that is clicked on. The slider does the same for the keyboard. */
  constructor(onSeek) {
    element.addEventListener("click", ({ target }) => {
      const found = this.#parts.find(({ mark }) => mark === target);
      if (found) onSeek(found.start);
    });
  }

  /** Show another text, whose words' times are not known yet. */
  begin(text) {
    this.#spoken = isSsml(text);
    this.#text = this.#spoken ? "" : text;
    [this.#at, this.#parts, this.#lit] = [0, [], null];
    element.replaceChildren(text);
  }

  /** Add when a sentence's words sound, in the order of the sentences. */
  add({ segments, words }) {
    if (this.#spoken) this.#text += segments.map(({ text }) => `${text} `).join("");
    const nodes = [];
    for (const { from, to, said, ...times } of place(this.#text, this.#at, words)) {
      const mark = document.createElement("span");
      mark.textContent = this.#text.slice(from, to);
      if (said.toLowerCase() !== mark.textContent.toLowerCase()) mark.title = said;
      nodes.push(this.#text.slice(this.#at, from), mark);
      this.#parts.push({ ...times, mark });
      this.#at = to;
    }
    element.lastChild?.remove(); // the text without times
    element.append(...nodes, this.#text.slice(this.#at));
  }

  /** Light the words that sound at this time. */
  show(seconds) {
    const found = this.#parts.find(({ start, end }) => start <= seconds && seconds < end)?.mark ?? null;
    if (found === this.#lit) return;
    this.#lit?.classList.remove("lit");
    found?.classList.add("lit");
    this.#lit = found;
    if (found) reveal(found);
  }
}

/** Scroll the text, but not the page, to the word. */
function reveal(mark) {
  const above = mark.offsetTop - element.offsetTop - element.scrollTop;
  const below = above + mark.offsetHeight - element.clientHeight;
  if (above < 0 || below > 0) element.scrollTop += above - element.clientHeight / 3;
}
