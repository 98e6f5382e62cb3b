// The form's fields: what is to be said, and how.

import { lexiconOf } from "./lexicon.js";
import { speed } from "./speed.js";

const find = (id) => document.getElementById(id);
const CHOICES = ["voice", "emotion", "format"];

const offers = (id, value) => [...find(id).options].some((each) => each.value === value);

/** What the form says: {text, lexicon, voice, emotion, format, speed}. Where there is no choice of emotions, there is none. */
export function readForm() {
  return {
    text: find("text").value,
    lexicon: find("lexicon").value,
    voice: find("voice").value,
    emotion: find("emotion").length > 1 ? find("emotion").value : "",
    format: find("format").value,
    speed: speed.value,
  };
}

/** Fill in what is given, and leave the rest. Returns the values that the server does not offer; they are left out. */
export function writeForm(settings) {
  const unknown = [];
  for (const id of CHOICES) {
    if (!settings[id]) continue;
    if (offers(id, settings[id])) find(id).value = settings[id];
    else unknown.push(settings[id]);
  }
  if (settings.speed !== undefined) {
    speed.value = settings.speed;
    if (speed.value !== settings.speed) unknown.push(settings.speed);
  }
  for (const id of ["text", "lexicon"]) {
    if (settings[id] !== undefined) find(id).value = settings[id];
  }
  find("text").dispatchEvent(new Event("input", { bubbles: true }));
  return unknown;
}

/** The body of a request for what a form says. */
export function requestOf(settings, model) {
  return {
    model,
    input: settings.text,
    voice: settings.voice || undefined,
    emotion: settings.emotion || undefined,
    lexicon: lexiconOf(settings.lexicon),
    response_format: settings.format,
    speed: settings.speed,
  };
}
