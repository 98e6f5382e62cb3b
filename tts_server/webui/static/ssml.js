// SSML by buttons: each puts an element around what is selected in the text.

const field = document.getElementById("text");

// The attribute's value, or else the content, is selected afterwards, to be overwritten.
const ELEMENTS = {
  break: { attributes: "", name: "time", value: "500ms", content: null },
  phoneme: { attributes: 'alphabet="pinyin" ', name: "ph", value: "chong2 xin1", content: "重新" },
  sub: { attributes: "", name: "alias", value: "招商银行", content: "招行" },
  "say-as": { attributes: "", name: "interpret-as", value: "digits", content: "1234" },
  emphasis: { attributes: "", name: "level", value: "strong", content: "重要" },
  prosody: { attributes: "", name: "rate", value: "80%", content: "慢一点" },
};

export const isSsml = (text) => /^\s*<speak[\s/>]/.test(text);

const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** The text before, within and after the selection, as SSML. */
function pieces() {
  const { value, selectionStart: from, selectionEnd: to } = field;
  if (!isSsml(value)) {
    const [before, chosen, after] = [value.slice(0, from), value.slice(from, to), value.slice(to)].map(escape);
    return [`<speak>${before}`, chosen, `${after}</speak>`];
  }
  const first = value.indexOf(">") + 1;
  const last = value.lastIndexOf("</speak>");
  const within = (at) => Math.min(Math.max(at, first), last < 0 ? value.length : last);
  return [value.slice(0, within(from)), value.slice(within(from), within(to)), value.slice(within(to))];
}

/** Put the element around the selection; without one, around an example. */
function insert(name) {
  const element = ELEMENTS[name];
  const [before, chosen, after] = pieces();
  const begin = `<${name} ${element.attributes}${element.name}="`;
  const end = element.content === null ? '"/>' : `">${chosen || element.content}</${name}>`;
  const kept = element.content === null ? chosen : "";
  const at = before.length + begin.length;
  field.focus();
  field.select();
  // Typed rather than set, so that the browser can undo it.
  document.execCommand("insertText", false, `${before}${begin}${element.value}${end}${kept}${after}`);
  field.setSelectionRange(at, at + element.value.length);
}

export function startSsml() {
  for (const button of document.querySelectorAll("[data-ssml]")) {
    button.addEventListener("click", () => insert(button.dataset.ssml));
  }
}

/** How many characters the server counts: code points, so an emoji is one. SSML's markup does not count. */
export function spokenLength(text) {
  if (!isSsml(text)) return [...text].length;
  return [...text.replaceAll(/<!--.*?-->|<[^>]*>/gs, "").replaceAll(/&#?\w+;/g, "x")].length;
}
