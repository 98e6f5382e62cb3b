// The text of XHTML, and what is in other XML. The page's policy lets no script parse HTML, so this reads it as text.

const MARKUP = new RegExp(
  [
    /<!--[^]*?-->/,
    /<!\[CDATA\[([^]*?)\]\]>/,
    /<\?[^]*?\?>/,
    /<![A-Za-z](?:\[[^\]]*\]|[^[>])*>/, // a DOCTYPE
    /<(\/?)([^\s/<>"'=]+)(?=[\s/>])((?:"[^"<]*"|'[^'<]*'|[^"'<>])*)>/,
  ].map(({ source }) => source).join("|"),
  "g",
);
const ATTRIBUTE = /([^\s"'=/]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;
const REFERENCE = /&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|([a-z][a-z0-9]*));/gi;
const NAMED = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
  ensp: " ",
  emsp: " ",
  shy: "",
  middot: "·",
  hellip: "…",
  mdash: "—",
  ndash: "–",
  lsquo: "‘",
  rsquo: "’",
  ldquo: "“",
  rdquo: "”",
};
const LAST_CODE_POINT = 0x10ffff;
const BLOCKS = new Set([
  ...["address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "div", "dl", "dt", "figcaption"],
  ...["figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre"],
  ...["section", "table", "td", "th", "tr", "ul"],
]);
// The readings beside characters, notes' numbers, and what is not text.
const UNREAD = new Set(["head", "math", "rp", "rt", "script", "style", "svg"]);
const HEADING = /^h([1-6])$/;
const HEADING_CHARACTERS = 50;

/** Yields {open, attributes}, {close} and {text} in their order. Names are in lower case, without a prefix. */
export function* tokens(source) {
  let at = 0;
  for (const found of source.matchAll(MARKUP)) {
    const [whole, verbatim, slash, name, rest] = found;
    if (found.index > at) yield { text: decoded(source.slice(at, found.index)) };
    at = found.index + whole.length;
    if (verbatim !== undefined) yield { text: verbatim };
    if (name === undefined) continue;
    const plain = name.slice(name.indexOf(":") + 1).toLowerCase();
    if (!slash) yield { open: plain, attributes: attributesOf(rest) };
    if (slash || rest.endsWith("/")) yield { close: plain };
  }
  if (at < source.length) yield { text: decoded(source.slice(at)) };
}

/** The text as lines, with headings as those of Markdown. */
export function textOf(source) {
  const lines = [];
  let [line, level, unread, depth] = ["", 0, "", 0];
  const end = () => {
    const said = line.replace(/\s+/g, " ").trim();
    const mark = level && said.length <= HEADING_CHARACTERS ? `${"#".repeat(level)} ` : "";
    if (said) lines.push(mark + said);
    line = "";
  };
  for (const { open, close, text, attributes } of tokens(source)) {
    if (unread) {
      depth += Number(open === unread) - Number(close === unread);
      if (!depth) unread = "";
    } else if (open && (UNREAD.has(open) || attributes["epub:type"]?.includes("noteref"))) {
      [unread, depth] = [open, 1];
    } else if (text !== undefined) {
      line += text;
    } else if (level && open === "br") {
      line += " ";
    } else if (BLOCKS.has(open ?? close) && !(level && close === "br")) {
      end();
      const [, found] = HEADING.exec(open ?? close) ?? [];
      if (found) level = open ? Number(found) : 0;
    }
  }
  end();
  return lines.join("\n");
}

function attributesOf(source) {
  const found = [...source.matchAll(ATTRIBUTE)];
  return Object.fromEntries(found.map(([, name, one, other]) => [name, decoded(one ?? other)]));
}

function decoded(text) {
  return text.replace(REFERENCE, (whole, hexadecimal, decimal, name) => {
    if (name) return Object.hasOwn(NAMED, name) ? NAMED[name] : whole;
    const code = hexadecimal ? Number.parseInt(hexadecimal, 16) : Number(decimal);
    return code <= LAST_CODE_POINT ? String.fromCodePoint(code) : "";
  });
}
