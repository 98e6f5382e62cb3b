// A response of server-sent events: the sound in pieces, and when its words sound.

import { Failure, piecesOf } from "./api.js";

async function* messagesOf(response, signal) {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of piecesOf(response, signal)) {
    const messages = (rest + decoder.decode(piece, { stream: true })).split("\n\n");
    rest = messages.pop();
    for (const message of messages) yield JSON.parse(message.slice("data:".length));
  }
}

const bytesOf = (base64) => Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));

/**
 * The sound's pieces as they come. `onTimes` is called with {segments, words} of a sentence before its first piece.
 * Throws Failure when the server gives up or the connection breaks.
 */
export async function* timedPiecesOf(response, signal, onTimes) {
  for await (const message of messagesOf(response, signal)) {
    if (message.type === "speech.audio.timestamps") onTimes(message);
    else if (message.type === "speech.audio.delta") yield bytesOf(message.audio);
    else if (message.type === "speech.audio.done") return;
    else if (message.type === "error") throw new Failure(message.error.code, { message: message.error.message });
  }
  throw new Failure("broken");
}
