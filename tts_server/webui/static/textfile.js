// A file as the text that a job can read. Chinese books are often in GBK, of which GB 18030 is a superset.

const LIMIT = 2_000_000; // characters, the server's limit
const BYTES = 4 * LIMIT + 3;

/** Why a file is no text for a job. `name` is that of the words that say so. */
export class FileProblem extends Error {
  constructor(name, ...values) {
    super(name);
    this.words = name;
    this.values = values;
  }
}

/** Resolves to {text, converted}: whether it was not UTF-8. Throws FileProblem. */
export async function readText(file) {
  if (file.size > BYTES) throw new FileProblem("file_long", LIMIT);
  let bytes;
  try {
    bytes = await file.arrayBuffer();
  } catch {
    throw new FileProblem("file_unreadable");
  }
  const utf8 = decoded(bytes, "utf-8");
  const text = utf8 ?? decoded(bytes, "gb18030");
  if (text === null || text.includes("\0")) throw new FileProblem("file_binary");
  if (!text.trim()) throw new FileProblem("file_empty");
  if ([...text].length > LIMIT) throw new FileProblem("file_long", LIMIT);
  return { text, converted: utf8 === null };
}

function decoded(bytes, encoding) {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
