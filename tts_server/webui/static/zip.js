// Reads files out of a ZIP archive (APPNOTE.TXT, section 4.3), as far as books need it: no ZIP64.

const [END, ENTRY, LOCAL] = [0x06054b50, 0x02014b50, 0x04034b50];
const [END_BYTES, ENTRY_BYTES, LOCAL_BYTES] = [22, 46, 30];
const COMMENT_BYTES = 0xffff;
const [STORED, DEFLATED] = [0, 8];
const ENCRYPTED = 1;

/** Why an archive cannot be read. */
export class ZipError extends Error {}

export class Archive {
  #bytes;
  #view;
  #entries = new Map();

  /** Throws ZipError. */
  constructor(buffer) {
    this.#bytes = buffer;
    this.#view = new DataView(buffer);
    within(() => this.#readDirectory());
  }

  has(name) {
    return this.#entries.has(name);
  }

  /** Resolves to the bytes of a file, which may be `limit` at most. Throws ZipError. */
  async read(name, limit) {
    const entry = this.#entries.get(name);
    if (!entry) throw new ZipError(`There is no ${name}.`);
    if (entry.flags & ENCRYPTED) throw new ZipError(`${name} is encrypted.`);
    const packed = within(() => this.#packed(entry));
    if (entry.method === STORED && packed.length <= limit) return packed;
    if (entry.method !== DEFLATED) throw new ZipError(`${name} is packed in another way, or too large.`);
    return inflated(packed, limit);
  }

  #readDirectory() {
    const view = this.#view;
    let end = view.byteLength - END_BYTES;
    const least = Math.max(0, end - COMMENT_BYTES);
    while (end > least && view.getUint32(end, true) !== END) end -= 1;
    expect(END, view.getUint32(end, true));
    let at = view.getUint32(end + 16, true);
    for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
      expect(ENTRY, view.getUint32(at, true));
      const name = new Uint8Array(this.#bytes, at + ENTRY_BYTES, view.getUint16(at + 28, true));
      this.#entries.set(new TextDecoder().decode(name), {
        flags: view.getUint16(at + 8, true),
        method: view.getUint16(at + 10, true),
        size: view.getUint32(at + 20, true),
        local: view.getUint32(at + 42, true),
      });
      at += ENTRY_BYTES + [28, 30, 32].reduce((sum, field) => sum + view.getUint16(at + field, true), 0);
    }
  }

  #packed({ local, size }) {
    const view = this.#view;
    expect(LOCAL, view.getUint32(local, true));
    const start = local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    return new Uint8Array(this.#bytes, start, size);
  }
}

function expect(wanted, found) {
  if (wanted !== found) throw new ZipError("This is no ZIP archive, or it is damaged.");
}

/** What leads beyond the end of the archive is a RangeError. */
function within(read) {
  try {
    return read();
  } catch (error) {
    throw error instanceof RangeError ? new ZipError(error.message) : error;
  }
}

async function inflated(packed, limit) {
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const pieces = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read().catch((error) => {
      throw new ZipError(error.message);
    });
    if (done) return new Uint8Array(await new Blob(pieces).arrayBuffer());
    size += value.length;
    if (size > limit) {
      reader.cancel().catch(() => {});
      throw new ZipError("A file is too large.");
    }
    pieces.push(value);
  }
}
