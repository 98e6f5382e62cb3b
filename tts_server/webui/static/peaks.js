// The loudness of a sound over its time: one peak for each hundredth of a second.

const A_SECOND = 100;

export class Peaks {
  #rate;
  #samples = 0;
  #highest = [];

  constructor(rate) {
    this.#rate = rate;
  }

  /** Seconds of sound so far. */
  get duration() {
    return this.#samples / this.#rate;
  }

  add(samples) {
    const each = this.#rate / A_SECOND;
    for (const sample of samples) {
      const at = Math.floor(this.#samples / each);
      this.#highest[at] = Math.max(this.#highest[at] ?? 0, Math.abs(sample));
      this.#samples += 1;
    }
  }

  /** The highest peak of each of `count` equal parts, as a share of the highest of all. */
  bars(count) {
    const all = this.#highest;
    if (!all.length) return new Array(count).fill(0);
    const top = all.reduce((high, peak) => Math.max(high, peak), 1e-4);
    return Array.from({ length: count }, (_, index) => {
      const from = Math.floor((index * all.length) / count);
      const to = Math.max(from + 1, Math.floor(((index + 1) * all.length) / count));
      return Math.max(...all.slice(from, to)) / top;
    });
  }
}

/** The peaks of a file in any format that the browser decodes; rejects when it does not. */
export async function peaksOf(file, rate) {
  // Not the context that plays: decoding needs no permission to make a sound.
  const decoded = await new OfflineAudioContext(1, 1, rate).decodeAudioData(await file.arrayBuffer());
  const peaks = new Peaks(decoded.sampleRate);
  peaks.add(decoded.getChannelData(0));
  return peaks;
}
