// The page: reads the form, asks the server, hands the sound to the player and to the history.

import { Failure, requestSpeech } from "./api.js";
import { startText, textProblem } from "./count.js";
import { readForm, requestOf, writeForm } from "./form.js";
import { History } from "./history.js";
import { askForKey, currentKey } from "./key.js";
import { startLanguage, words } from "./language.js";
import { lexiconProblem } from "./lexicon.js";
import { settingsInAddress } from "./link.js";
import { audioContext } from "./livepcm.js";
import { Player } from "./player.js";
import { hideProblem, showFailure, showProblem } from "./problem.js";
import { startSamples } from "./samples.js";
import { startShare } from "./share.js";
import { isTimed, receive, streamFields } from "./speech.js";
import { startSsml } from "./ssml.js";

const find = (id) => document.getElementById(id);
const { model, rate: rateText } = document.body.dataset;
const rate = Number(rateText);
let request = null; // the AbortController of the one that runs
let status = () => "";

const player = new Player(showState);
const history = new History({
  onPlay: play,
  onEdit: edit,
  onClear: () => {
    request?.abort();
    player.clear();
  },
});

function play(sound) {
  request?.abort();
  player.play(sound);
}

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

function speak() {
  if (request) return;
  const settings = readForm();
  const wrong = [["text", textProblem()], ["lexicon", lexiconProblem(settings.lexicon)]].find(([, problem]) => problem);
  if (wrong) {
    showWrong(...wrong);
    return;
  }
  hear(settings, (sound) => history.add(sound), speak);
}

function showWrong(id, problem) {
  showProblem(problem);
  const closed = find(id).closest("details");
  if (closed) closed.open = true;
  find(id).focus();
}

/** Speak; `keep` gets the sound when it is complete. `again` is offered when it may succeed later. */
async function hear(settings, keep, again = () => hear(settings, keep)) {
  if (request) return;
  audioContext(rate); // now, while the browser knows that the user has asked for it
  player.stop();
  hideProblem();
  request = new AbortController();
  setStatus(() => "");
  const { signal } = request;
  player.expect(settings.text);
  try {
    const sound = await fetchSound(settings, signal);
    player.complete(sound, sound.heard);
    keep(sound);
    request = null;
    setStatus(() => words("done", sound.duration));
    if (!sound.peaks) showProblem(() => words("unplayable"));
  } catch (error) {
    request = null;
    player.abandon();
    setStatus(() => (signal.aborted ? words("stopped") : ""));
    if (signal.aborted) return;
    if (!(error instanceof Failure)) throw error;
    if (error.status === 401 && (await askForKey())) again();
    else showFailure(error, again);
  }
}

async function fetchSound(settings, signal) {
  const { format } = settings;
  const asked = { ...requestOf(settings, model), ...streamFields(format) };
  const since = performance.now();
  const response = await requestSpeech(asked, { key: currentKey(), signal });
  const received = await receive(response, { format, timed: isTimed(format), rate, player, signal, since });
  const address = URL.createObjectURL(received.file);
  const playAddress = received.playable === received.file ? address : URL.createObjectURL(received.playable);
  return {
    ...received,
    ...settings,
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
  writeForm(sound);
  find("text").focus();
}

/** Fill in what a link to the page says. Nothing is spoken before the reader asks for it. */
function fillIn() {
  const settings = settingsInAddress();
  const unknown = settings ? writeForm(settings) : [];
  if (unknown.length) showProblem(() => words("link_unknown", unknown.join(", ")));
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
window.addEventListener("hashchange", fillIn);
startText();
startSamples({ hear, play });
startSsml();
startShare(model);
startLanguage();
fillIn();
