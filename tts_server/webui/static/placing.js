// Where spoken words stand in the text as it is written: 八点三十分 where 8:30 is.

const WINDOW = 400; // characters that a sentence may take
const CONTENT = /[\p{L}\p{N}]/gu;
const SENTENCE_END = /[。！？!?\n]/g;
const CLAUSE_END = /[。！？；，：\n]|[!?;,:](?!\d)/;
// Punctuation that is not spoken, unlike that of C# and 37%.
const SILENT = "\\s\\p{Ps}\\p{Pe}\\p{Pi}\\p{Pf}，。！？；：、…—,.!?;:\"'";
const LEAD = new RegExp(`^[${SILENT}]*`, "u");
const EDGES = new RegExp(`^[${SILENT}]+|[${SILENT}]+$`, "gu");
const SENTENCE_COST = 4;
const REPLACED_COST = 0.5;

const count = (text, pattern) => text.match(pattern)?.length ?? 0;

/** All places where a word is written as it is spoken, in order: {index, from, to}. */
function candidates(text, words) {
  const written = text.toLowerCase();
  const found = [];
  for (const [index, { word }] of words.entries()) {
    const sought = word.toLowerCase();
    for (let from = written.indexOf(sought); from >= 0; from = written.indexOf(sought, from + 1)) {
      found.push({ index, from, to: from + sought.length });
    }
  }
  return found;
}

/** What it costs that nothing between two matches is matched. What is written otherwise than it is spoken costs least. */
function cost(text, words, before, after) {
  const between = text.slice(before.to, after.from);
  const written = count(between, CONTENT);
  const spoken = words.slice(before.index + 1, after.index).reduce((sum, { word }) => sum + word.length, 0);
  return (written && spoken ? REPLACED_COST : written + spoken) + SENTENCE_COST * count(between, SENTENCE_END);
}

/** The matches that follow each other in both, and together say most of the text. */
function bestChain(text, words) {
  const start = { index: -1, to: text.match(LEAD)[0].length, score: 0, before: null };
  const chains = [start];
  let best = start;
  for (const each of candidates(text, words)) {
    const chain = { ...each, score: -Infinity, before: null };
    for (const before of chains) {
      if (before.index >= each.index || before.to > each.from) continue;
      const score = before.score + 2 * (each.to - each.from) - cost(text, words, before, each);
      if (score > chain.score) Object.assign(chain, { score, before });
    }
    if (chain.before) chains.push(chain);
    if (chain.score > best.score) best = chain;
  }
  const matches = [];
  for (let each = best; each !== start; each = each.before) matches.unshift(each);
  return matches;
}

/** What is written between `from` and `to` for words that are spoken otherwise; null when nothing is. */
function replaced(text, from, to, words) {
  const between = text.slice(from, to);
  const core = between.replace(EDGES, "");
  if (!words.length || !core) return null;
  const begin = from + between.indexOf(core);
  return part(begin, begin + core.length, words);
}

function part(from, to, words) {
  const said = words.map(({ word }) => word).join("");
  return { from, to, start: words[0].start, end: words.at(-1).end, said };
}

/**
 * The places of a sentence's words in a text, of which `at` characters belong to the sentences before.
 * Returns parts in order: {from, to, start, end, said}; several words that are written as one make one part.
 */
export function place(text, at, words) {
  const window = text.slice(at, at + WINDOW);
  const parts = [];
  let last = { index: -1, to: 0 };
  for (const match of bestChain(window, words)) {
    parts.push(replaced(window, last.to, match.from, words.slice(last.index + 1, match.index)));
    parts.push(part(match.from, match.to, [words[match.index]]));
    last = match;
  }
  const tail = window.slice(last.to).replace(LEAD, "");
  const begin = window.length - tail.length;
  const length = tail.search(CLAUSE_END);
  parts.push(replaced(window, begin, length < 0 ? window.length : begin + length, words.slice(last.index + 1)));
  return parts.filter(Boolean).map((each) => ({ ...each, from: at + each.from, to: at + each.to }));
}
