// Plays a compressed format while it comes, through MediaSource, where the browser takes that format in pieces.

const TYPES = { mp3: "audio/mpeg", aac: "audio/aac", opus: 'audio/ogg; codecs="opus"', flac: "audio/flac" };

const FULL_MILLISECONDS = 1000;

/** Whether this browser plays pieces of the format. */
export function playsPieces(format) {
  return Boolean(TYPES[format]) && "MediaSource" in window && MediaSource.isTypeSupported(TYPES[format]);
}

export class LiveMedia {
  #source = new MediaSource();
  #waiting = [];
  #buffer = null;
  #complete = false;

  constructor(format) {
    this.url = URL.createObjectURL(this.#source);
    this.#source.addEventListener("sourceopen", () => {
      URL.revokeObjectURL(this.url);
      if (this.#source.readyState !== "open") return; // the element has been given another sound meanwhile
      this.#buffer = this.#source.addSourceBuffer(TYPES[format]);
      this.#buffer.addEventListener("updateend", () => this.#feed());
      this.#feed();
    }, { once: true });
  }

  push(bytes) {
    this.#waiting.push(bytes);
    this.#feed();
  }

  /** No more bytes will come. */
  complete() {
    this.#complete = true;
    this.#feed();
  }

  #feed() {
    // Not open any more: the element has been given another sound.
    if (!this.#buffer || this.#buffer.updating || this.#source.readyState !== "open") return;
    if (this.#waiting.length) this.#append();
    else if (this.#complete) this.#source.endOfStream();
  }

  #append() {
    try {
      this.#buffer.appendBuffer(this.#waiting[0]);
      this.#waiting.shift();
    } catch (error) {
      if (error.name !== "QuotaExceededError") throw error;
      // The browser's buffer is full: there is room again when some of it has been heard.
      setTimeout(() => this.#feed(), FULL_MILLISECONDS);
    }
  }
}
