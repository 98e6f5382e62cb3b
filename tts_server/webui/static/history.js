// The sounds of this session, newest first. They are in memory only, and the oldest go.

import { words } from "./language.js";

const KEPT = 30;
const find = (id) => document.getElementById(id);
const ICONS = {
  play: "M8 5.5v13l10.5-6.5z",
  save: "M11 4h2v8.2l3.3-3.3 1.4 1.4L12 16l-5.7-5.7 1.4-1.4 3.3 3.3zM5 18h14v2H5z",
  edit: "M4 17.2V20h2.8L17.7 9.1l-2.8-2.8zM19.9 6.9a1 1 0 0 0 0-1.4l-1.4-1.4a1 1 0 0 0-1.4 0L15.9 5.3l2.8 2.8z",
};

function icon(name) {
  const [svg, path] = ["svg", "path"].map((each) => document.createElementNS("http://www.w3.org/2000/svg", each));
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

function control(tag, name, label) {
  const made = document.createElement(tag);
  made.className = "small";
  made.setAttribute("aria-label", label);
  made.title = label;
  made.append(icon(name));
  if (tag === "button") made.type = "button";
  return made;
}

export class History {
  #sounds = [];

  /** `onPlay` and `onEdit` are called with a sound, `onClear` when all are gone. */
  constructor({ onPlay, onEdit, onClear }) {
    Object.assign(this, { onPlay, onEdit, onClear });
    find("clear").addEventListener("click", () => this.#clear());
    document.addEventListener("language", () => this.#show());
  }

  add(sound) {
    this.#sounds.unshift(sound);
    while (this.#sounds.length > KEPT) this.#sounds.pop().forget();
    this.#show();
  }

  #clear() {
    this.onClear();
    for (const sound of this.#sounds.splice(0)) sound.forget();
    this.#show();
    find("text").focus();
  }

  #show() {
    find("history").replaceChildren(...this.#sounds.map((sound) => this.#item(sound)));
    find("history-empty").hidden = this.#sounds.length > 0;
    find("clear").hidden = !this.#sounds.length;
  }

  #item(sound) {
    const item = document.createElement("li");
    const said = document.createElement("p");
    said.className = "said";
    said.lang = "zh-CN";
    said.textContent = sound.text;
    const about = document.createElement("p");
    about.className = "quiet";
    about.textContent = this.#about(sound);
    const begin = [...sound.text].slice(0, 20).join("");
    const play = control("button", "play", words("playOf", begin));
    play.addEventListener("click", () => this.onPlay(sound));
    const save = control("a", "save", words("saveOf", begin));
    save.href = sound.address;
    save.download = sound.name;
    const edit = control("button", "edit", words("editOf", begin));
    edit.addEventListener("click", () => this.onEdit(sound));
    const texts = document.createElement("div");
    texts.append(said, about);
    const more = document.createElement("div");
    more.className = "more";
    more.append(edit, save);
    item.append(play, texts, more);
    return item;
  }

  #about(sound) {
    const emotion = sound.emotion && (words(`emotion_${sound.emotion}`) ?? sound.emotion);
    const parts = [sound.voice, emotion, `${sound.speed}×`, sound.format.toUpperCase()];
    if (sound.duration) parts.push(`${sound.duration.toFixed(1)} s`);
    return parts.filter(Boolean).join(" · ");
  }
}
