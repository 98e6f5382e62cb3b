// WAV: reading the head of a stream, and writing a head that states the true size.

const HEAD_BYTES = 44;
const SAMPLE_BYTES = 2;

/** A head for 16-bit mono samples. */
export function wavHead(sampleBytes, rate) {
  const view = new DataView(new ArrayBuffer(HEAD_BYTES));
  const word = (at, text) => [...text].forEach((char, index) => view.setUint8(at + index, char.charCodeAt(0)));
  word(0, "RIFF");
  view.setUint32(4, HEAD_BYTES - 8 + sampleBytes, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * SAMPLE_BYTES, true);
  view.setUint16(32, SAMPLE_BYTES, true);
  view.setUint16(34, 8 * SAMPLE_BYTES, true);
  word(36, "data");
  view.setUint32(40, sampleBytes, true);
  return new Uint8Array(view.buffer);
}

/** Where the samples begin and their rate; null while the bytes do not reach that far. */
export function readWavHead(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let rate = 0;
  for (let at = 12; at + 8 <= bytes.length; at += 8 + view.getUint32(at + 4, true)) {
    const name = String.fromCharCode(...bytes.subarray(at, at + 4));
    if (name === "data") return { start: at + 8, rate };
    if (name === "fmt " && at + 16 <= bytes.length) rate = view.getUint32(at + 12, true);
  }
  return null;
}

/** Samples out of a stream of bytes, whose pieces end anywhere, even within a sample. */
export class SampleReader {
  #rest = new Uint8Array(0);
  #head;

  constructor(format, rate) {
    this.rate = rate;
    this.#head = format === "wav";
  }

  /** Take the next bytes, return the samples that are now complete, from -1 to 1. */
  read(piece) {
    let bytes = piece;
    if (this.#rest.length) {
      bytes = new Uint8Array(this.#rest.length + piece.length);
      bytes.set(this.#rest);
      bytes.set(piece, this.#rest.length);
    }
    if (this.#head) {
      const head = readWavHead(bytes);
      if (!head) {
        this.#rest = bytes;
        return new Float32Array(0);
      }
      this.#head = false;
      this.rate = head.rate;
      bytes = bytes.subarray(head.start);
    }
    const count = Math.floor(bytes.length / SAMPLE_BYTES);
    this.#rest = bytes.slice(count * SAMPLE_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset, count * SAMPLE_BYTES);
    return Float32Array.from({ length: count }, (_, index) => view.getInt16(index * SAMPLE_BYTES, true) / 32768);
  }
}

/** The bytes of a file for a sound that came as a stream: a streamed WAV cannot know its size, a file has to. */
export function completeWav(bytes) {
  const head = readWavHead(bytes);
  if (!head) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(4, bytes.length - 8, true);
  view.setUint32(head.start - 4, bytes.length - head.start, true);
  return bytes;
}
