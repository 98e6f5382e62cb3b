// The lexicon's field: a word in each line, and how to say it, as in the lexicon of a service.

import { words } from "./language.js";

const LINE = /^("?)(.+?)\1\s*[:：]\s*(.+)$/;

/** Read what is written: {entries, wrong}, with the number of the first line that is wrong, or 0. */
function read(text) {
  const entries = new Map();
  let wrong = 0;
  for (const [index, written] of text.split("\n").entries()) {
    const line = written.trim();
    if (!line || line.startsWith("#")) continue;
    const found = line.match(LINE);
    if (found) entries.set(found[2], found[3]);
    else wrong ||= index + 1;
  }
  return { entries, wrong };
}

/** A request's `lexicon`; undefined without entries. */
export function lexiconOf(text) {
  const { entries } = read(text);
  return entries.size ? Object.fromEntries(entries) : undefined;
}

/** What is wrong with what is written, as a function that says it; null when nothing is. */
export function lexiconProblem(text) {
  const { wrong } = read(text);
  return wrong ? () => words("lexicon_wrong", wrong) : null;
}
