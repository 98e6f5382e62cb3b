// The text of an EPUB book: its documents in the order in which they are read (EPUB 3.3, sections 4 and 5).

import { textOf, tokens } from "./xhtml.js";
import { Archive, ZipError } from "./zip.js";

const CONTAINER = "META-INF/container.xml";
const ENCRYPTION = "META-INF/encryption.xml";
const DOCUMENT = "application/xhtml+xml";
const LIMIT = 64 << 20; // bytes of all documents together

/** Why a book cannot be read. `isProtected`: its text is encrypted. */
export class EpubError extends Error {
  constructor(message, isProtected = false) {
    super(message);
    this.isProtected = isProtected;
  }
}

/** The archive of a book, or null if these bytes are none. */
export function bookIn(buffer) {
  try {
    const archive = new Archive(buffer);
    return archive.has(CONTAINER) ? archive : null;
  } catch (error) {
    if (error instanceof ZipError) return null;
    throw error;
  }
}

/** Resolves to {title, text}. Throws EpubError. */
export async function readBook(archive) {
  try {
    return await new Book(archive).read();
  } catch (error) {
    // A URIError is an address that is wrong; a TypeError is one too, or bytes that are no text.
    const isDamage = [ZipError, URIError, TypeError].some((kind) => error instanceof kind);
    throw isDamage ? new EpubError(error.message) : error;
  }
}

class Book {
  #archive;
  #left = LIMIT;

  constructor(archive) {
    this.#archive = archive;
  }

  async read() {
    const roots = elements(await this.#source(CONTAINER), "rootfile");
    const root = roots.find((each) => each["full-path"])?.["full-path"];
    if (!root) throw new EpubError("The container names no book.");
    const book = await this.#source(root);
    const names = documents(book).map((href) => resolved(href, root));
    await this.#refuseProtected(new Set(names));
    const texts = [];
    for (const name of names) texts.push(textOf(await this.#source(name)));
    return { title: titleOf(book), text: texts.filter(Boolean).join("\n\n") };
  }

  async #refuseProtected(names) {
    if (!this.#archive.has(ENCRYPTION)) return;
    const encrypted = elements(await this.#source(ENCRYPTION), "cipherreference");
    // Fonts may be encrypted, which matters to nobody here.
    if (encrypted.some(({ URI }) => URI && names.has(decodeURIComponent(URI)))) throw new EpubError("encrypted", true);
  }

  async #source(name) {
    const bytes = await this.#archive.read(name, this.#left);
    this.#left -= bytes.length;
    const mark = bytes[0] * 256 + bytes[1];
    const encoding = { 0xfffe: "utf-16le", 0xfeff: "utf-16be" }[mark] ?? "utf-8";
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  }
}

/** The attributes of all elements with this name. */
function elements(source, name) {
  return [...tokens(source)].filter(({ open }) => open === name).map(({ attributes }) => attributes);
}

/** Where the documents are, in their order: without the table of contents, and what is beside the text. */
function documents(book) {
  const items = new Map(elements(book, "item").map((each) => [each.id, each]));
  return elements(book, "itemref")
    .filter(({ linear }) => linear !== "no")
    .map(({ idref }) => items.get(idref))
    .filter((item) => item?.href && item["media-type"] === DOCUMENT && !item.properties?.split(/\s+/).includes("nav"))
    .map(({ href }) => href);
}

function resolved(href, base) {
  const { pathname } = new URL(href, `file:///${encodeURI(base)}`);
  return decodeURIComponent(pathname.slice(1));
}

function titleOf(book) {
  let [title, inside] = ["", false];
  for (const { open, close, text } of tokens(book)) {
    if (open === "title") inside = true;
    else if (inside && close === "title") break;
    else if (inside && text !== undefined) title += text;
  }
  return title.replace(/\s+/g, " ").trim();
}
