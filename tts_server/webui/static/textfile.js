// A file as the text that a job can read. Chinese books are often in GBK, of which GB 18030 is a superset.

import { EpubError, bookIn, readBook } from "./epub.js";

const LIMIT = 2_000_000; // characters, the server's limit
const TITLE_CHARACTERS = 200; // likewise
const TEXT_BYTES = 4 * LIMIT + 3;
const BYTES = 256 << 20; // a book may have pictures

/** Why a file is no text for a job. `words` is the name of the words that say so. */
export class FileProblem extends Error {
  constructor(words, ...values) {
    super(words);
    this.words = words;
    this.values = values;
  }
}

/** Resolves to {text, title, converted}: `converted` if the text was not UTF-8. Throws FileProblem. */
export async function readText(file) {
  if (file.size > BYTES) throw new FileProblem("file_large", BYTES >> 20);
  let bytes;
  try {
    bytes = await file.arrayBuffer();
  } catch {
    throw new FileProblem("file_unreadable");
  }
  const book = bookIn(bytes);
  const found = book ? await fromBook(book) : fromText(bytes);
  if (!found.text.trim()) throw new FileProblem("file_empty");
  if (found.text.length > LIMIT && [...found.text].length > LIMIT) throw new FileProblem("file_long", LIMIT);
  const title = found.title || file.name.replace(/\.[^.]*$/, "");
  return { ...found, title: [...title].slice(0, TITLE_CHARACTERS).join("") };
}

async function fromBook(book) {
  try {
    return { ...(await readBook(book)), converted: false };
  } catch (error) {
    if (!(error instanceof EpubError)) throw error;
    throw new FileProblem(error.isProtected ? "file_protected" : "file_damaged");
  }
}

function fromText(bytes) {
  if (bytes.byteLength > TEXT_BYTES) throw new FileProblem("file_long", LIMIT);
  const utf8 = decoded(bytes, "utf-8");
  const text = utf8 ?? decoded(bytes, "gb18030");
  if (text === null || text.includes("\0")) throw new FileProblem("file_binary");
  return { text, converted: utf8 === null };
}

function decoded(bytes, encoding) {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
