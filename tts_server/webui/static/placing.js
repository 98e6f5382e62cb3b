// Where spoken words stand in the text as it is written: 八点三十分 where 8:30 is.

const LETTER = /[\p{L}\p{N}]/u;
const SENTENCE_END = /[。！？!?\n]/;
const CLAUSE_END = /[。！？；，：\n]|[!?;,:](?!\d)/;
// Punctuation that is not spoken, unlike that of C# and 37%.
const SILENT = "\\s\\p{Ps}\\p{Pe}\\p{Pi}\\p{Pf}，。！？；：、…—,.!?;:\"'";
const LEAD = new RegExp(`^[${SILENT}]*`, "u");
const EDGES = new RegExp(`^[${SILENT}]+|[${SILENT}]+$`, "gu");
const SENTENCE_COST = 4;
const SKIPPED_COST = 0.5; // of a letter, up to the third: less than a word of one character is worth
const NEAREST = 12; // so that a text of one word, many times, takes no longer

/** How much of the text a sentence is sought in. What nobody can speak, such as Cyrillic, may stand before it. */
const windowOf = (words) => 200 + 4 * words.reduce((sum, { word }) => sum + word.length, 0);

/** How many of a text's characters match, before each of its positions. */
function counts(text, pattern) {
  const before = [0];
  for (const character of text) {
    const next = before.at(-1) + Number(pattern.test(character));
    for (let unit = 0; unit < character.length; unit++) before.push(next);
  }
  return before;
}

/** The places where words are written as they are spoken, of each word those nearest to where it should be. */
function candidates(text, words) {
  const written = text.toLowerCase();
  let expected = 0;
  return words.flatMap(({ word }, index) => {
    const [sought, at] = [word.toLowerCase(), expected];
    expected += word.length;
    const found = [];
    for (let from = written.indexOf(sought); from >= 0; from = written.indexOf(sought, from + 1)) {
      found.push({ index, from, to: from + sought.length });
    }
    return found.sort((one, other) => Math.abs(one.from - at) - Math.abs(other.from - at)).slice(0, NEAREST);
  });
}

/** The matches that follow each other in both, and together say most of the text. */
function bestChain(text, words) {
  const [letters, ends] = [counts(text, LETTER), counts(text, SENTENCE_END)];
  const spokenBefore = words.reduce((sums, { word }) => [...sums, sums.at(-1) + word.length], [0]);
  // What it costs that nothing between two matches is matched. What is written otherwise than it is spoken costs least.
  const cost = (before, after) => {
    const written = letters[after.from] - letters[before.to];
    const spoken = spokenBefore[after.index] - spokenBefore[before.index + 1];
    const sentences = ends[after.from] - ends[before.to];
    const skipped = written && spoken ? 1 : Math.min(written + spoken, 3);
    return SKIPPED_COST * skipped + SENTENCE_COST * sentences;
  };
  const start = { index: -1, to: text.match(LEAD)[0].length, score: 0, before: null };
  const chains = [start];
  let best = start;
  for (const each of candidates(text, words)) {
    const chain = { ...each, score: -Infinity, before: null };
    for (const before of chains) {
      if (before.index >= each.index || before.to > each.from) continue;
      const score = before.score + 2 * (each.to - each.from) - cost(before, each);
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
  const window = text.slice(at, at + windowOf(words));
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
