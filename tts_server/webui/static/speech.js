// One request, from the first byte to a finished sound; it is heard on the way where the browser can.

import { piecesOf } from "./api.js";
import { timedPiecesOf } from "./events.js";
import { LiveMedia, playsPieces } from "./livemedia.js";
import { Peaks, peaksOf } from "./peaks.js";
import { SampleReader, completeWav, wavHead } from "./wav.js";

/** What the browser's media element is told of a file. */
const FILE_TYPES = {
  mp3: "audio/mpeg", opus: "audio/ogg", aac: "audio/aac", flac: "audio/flac", wav: "audio/wav", pcm: "audio/pcm",
};

/**
 * Receive a response's sound and play it through the player while it comes. `timed` says that it tells when words sound.
 * Resolves to {file, playable, heard, times, peaks, duration, first}: Blobs, whether it has been played
 * on its way, {segments, words} of each sentence, Peaks or null, seconds, seconds until the first sound.
 */
export async function receive(response, { format, timed, rate, player, signal, since }) {
  const way = wayOf(format, rate, player);
  const [pieces, times] = [[], []];
  let first = null;
  const onTimes = (sentence) => {
    times.push(sentence);
    player.addTimes(sentence);
  };
  for await (const piece of timed ? timedPiecesOf(response, signal, onTimes) : piecesOf(response, signal)) {
    first ??= (performance.now() - since) / 1000;
    pieces.push(piece);
    way.push(piece);
  }
  way.complete();
  const type = FILE_TYPES[format];
  const bytes = joined(pieces);
  const file = new Blob([format === "wav" ? completeWav(bytes) : bytes], { type });
  const playable = format === "pcm" ? new Blob([wavHead(bytes.length, way.rate), bytes], { type: "audio/wav" }) : file;
  // A format that the browser does not decode can still be saved.
  const peaks = way.peaks ?? (await peaksOf(playable, rate).catch(() => null));
  const { heard } = way;
  return { file, playable, heard, times, peaks, duration: peaks?.duration ?? 0, first: first ?? 0 };
}

const isSamples = (format) => format === "wav" || format === "pcm";

/** Whether the page asks when words sound. Not for FLAC: only a file that is complete has its length in its header. */
export const isTimed = (format) => "timed" in document.body.dataset && format !== "flac";

/** The fields of a request that say how it is answered: as a stream where it is heard on the way, else as a file. */
export function streamFields(format) {
  if (isTimed(format)) return { stream_format: "sse", timestamp_granularities: ["segment", "word"] };
  return { stream_format: isSamples(format) || playsPieces(format) ? "audio" : undefined };
}

function wayOf(format, rate, player) {
  if (isSamples(format)) return new SamplesWay(format, rate, player);
  if (playsPieces(format)) return new MediaWay(format, player);
  return { heard: false, push() {}, complete() {} };
}

class SamplesWay {
  #reader;
  #player;
  #live = null;
  peaks = null;

  constructor(format, rate, player) {
    this.#reader = new SampleReader(format, rate);
    this.#player = player;
  }

  get heard() {
    return this.#live !== null;
  }

  get rate() {
    return this.#reader.rate;
  }

  push(piece) {
    const samples = this.#reader.read(piece);
    if (!samples.length) return;
    this.peaks ??= new Peaks(this.rate);
    this.peaks.add(samples);
    this.#live ??= this.#player.playSamples(this.rate, this.peaks);
    this.#live.push(samples);
  }

  complete() {
    this.#live?.complete();
  }
}

class MediaWay {
  #media;
  #player;
  heard = false;

  constructor(format, player) {
    this.#media = new LiveMedia(format);
    this.#player = player;
  }

  push(piece) {
    if (!this.heard) this.#player.playAddress(this.#media.url);
    this.heard = true;
    this.#media.push(piece);
  }

  complete() {
    this.#media.complete();
  }
}

function joined(pieces) {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
