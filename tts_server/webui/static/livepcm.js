// Plays samples while they come, through Web Audio: each piece begins where the one before ends.

const LEAD_SECONDS = 0.05;
let context = null;

/** The page's one audio context. Call it first within a click or a key press: browsers ask for one before any sound. */
export function audioContext(rate) {
  // At the sound's own rate: else each piece would be resampled by itself, which is heard where they meet.
  context ??= new AudioContext({ sampleRate: rate });
  context.resume();
  return context;
}

export class LivePcm {
  #context;
  #rate;
  #pieces = [];
  #duration = 0;
  #next = 0;
  #complete = false;
  #stopped = false;
  #sources = new Set();

  /** `onEnd` is called when all has been heard, `onChange` when it is paused or goes on, by whomever. */
  constructor(rate, { onEnd, onChange }) {
    this.#rate = rate;
    this.#context = audioContext(rate);
    this.#context.onstatechange = onChange; // a context starts late, and a device may take the sound away
    this.onEnd = onEnd;
  }

  push(samples) {
    if (!samples.length || this.#stopped) return;
    const buffer = this.#context.createBuffer(1, samples.length, this.#rate);
    buffer.copyToChannel(samples, 0);
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#context.destination);
    // Later than planned when the network was slower than the voice.
    const start = Math.max(this.#next, this.#context.currentTime + LEAD_SECONDS);
    source.start(start);
    this.#next = start + buffer.duration;
    this.#pieces.push({ start, offset: this.#duration, duration: buffer.duration });
    this.#duration += buffer.duration;
    this.#sources.add(source);
    source.onended = () => {
      this.#sources.delete(source);
      this.#endIfHeard();
    };
  }

  /** No more samples will come. */
  complete() {
    this.#complete = true;
    this.#endIfHeard();
  }

  #endIfHeard() {
    if (this.#complete && !this.#sources.size) this.onEnd();
  }

  /** How far has been heard, in seconds. */
  get position() {
    const now = this.#context.currentTime;
    const piece = this.#pieces.findLast(({ start }) => start <= now);
    return piece ? piece.offset + Math.min(now - piece.start, piece.duration) : 0;
  }

  get paused() {
    return this.#context.state !== "running";
  }

  play() {
    this.#context.resume();
  }

  pause() {
    this.#context.suspend();
  }

  /** Be silent for good. */
  stop() {
    this.#stopped = true;
    for (const source of this.#sources) {
      source.onended = null;
      source.stop();
    }
    this.#sources.clear();
  }
}
