// The page: reads the form, asks the server, hands the sound to the player and to the history.

import { Failure, requestSpeech } from "./api.js";
import { startText, textProblem } from "./count.js";
import { History } from "./history.js";
import { askForKey, currentKey } from "./key.js";
import { startLanguage, words } from "./language.js";
import { audioContext } from "./livepcm.js";
import { Player } from "./player.js";
import { hideProblem, showFailure, showProblem } from "./problem.js";
import { receive, streamFormat } from "./speech.js";
import { speed } from "./speed.js";

const find = (id) => document.getElementById(id);
const { model, rate: rateText } = document.body.dataset;
const rate = Number(rateText);
let request = null; // the AbortController of the one that runs
let status = () => "";

const player = new Player(showState);
const history = new History({
  onPlay: (sound) => {
    request?.abort();
    player.play(sound);
  },
  onEdit: edit,
  onClear: () => {
    request?.abort();
    player.clear();
  },
});

function showState() {
  const stop = find("stop");
  const idle = !request && !player.playing;
  // Focus must not get lost with the button that had it.
  if (idle && document.activeElement === stop) find("speak").focus();
  stop.hidden = idle;
  find("speak").setAttribute("aria-disabled", String(Boolean(request)));
  find("progress").textContent = request ? words("working") : status();
}

function setStatus(tell) {
  status = tell;
  showState();
}

function asked() {
  const emotions = find("emotion");
  const format = find("format").value;
  return {
    model,
    input: find("text").value,
    voice: find("voice").value || undefined,
    emotion: emotions.length > 1 ? emotions.value : undefined,
    response_format: format,
    speed: speed.value,
    stream_format: streamFormat(format),
  };
}

async function speak() {
  if (request) return;
  const problem = textProblem();
  if (problem) {
    showProblem(problem);
    find("text").focus();
    return;
  }
  audioContext(rate); // now, while the browser knows that the user has asked for it
  player.stop();
  hideProblem();
  request = new AbortController();
  setStatus(() => "");
  const { signal } = request;
  const what = asked();
  player.text = what.input;
  try {
    const sound = await fetchSound(what, signal);
    player.complete(sound, sound.heard);
    history.add(sound);
    request = null;
    setStatus(() => words("done", sound.duration));
    if (!sound.peaks) showProblem(() => words("unplayable"));
  } catch (error) {
    request = null;
    player.abandon();
    setStatus(() => (signal.aborted ? words("stopped") : ""));
    if (signal.aborted) return;
    if (!(error instanceof Failure)) throw error;
    if (error.status === 401 && (await askForKey())) speak();
    else showFailure(error, speak);
  }
}

async function fetchSound(what, signal) {
  const since = performance.now();
  const response = await requestSpeech(what, { key: currentKey(), signal });
  const format = what.response_format;
  const received = await receive(response, { format, rate, player, signal, since });
  const address = URL.createObjectURL(received.file);
  const playAddress = received.playable === received.file ? address : URL.createObjectURL(received.playable);
  return {
    ...received,
    text: what.input,
    voice: what.voice,
    emotion: what.emotion,
    speed: what.speed,
    format,
    cache: response.headers.get("X-Cache"),
    name: `speech-${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}.${format}`,
    address,
    playAddress,
    forget() {
      URL.revokeObjectURL(address);
      URL.revokeObjectURL(playAddress);
    },
  };
}

function edit(sound) {
  find("text").value = sound.text;
  find("text").dispatchEvent(new Event("input"));
  if (sound.voice) find("voice").value = sound.voice;
  if (sound.emotion) find("emotion").value = sound.emotion;
  find("format").value = sound.format;
  speed.value = sound.speed;
  find("text").focus();
}

function stop() {
  if (request) request.abort();
  player.stop();
}

find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  speak();
});
find("stop").addEventListener("click", stop);
document.addEventListener("keydown", (event) => {
  if (find("key").open || event.isComposing) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    speak();
  } else if (event.key === "Escape") stop();
});
document.addEventListener("language", showState);
startText();
startLanguage();
