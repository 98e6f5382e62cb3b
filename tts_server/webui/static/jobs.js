// The page of long texts: submits a file, and shows the jobs until they have ended.

import { Failure } from "./api.js";
import { cancelJob, fileAddress, getJob, listJobs, newKey, removeJob, submitJob } from "./jobsapi.js";
import { JobList, isOver } from "./joblist.js";
import { playJob } from "./jobplayer.js";
import { askForKey, currentKey } from "./key.js";
import { startLanguage, words } from "./language.js";
import { hideProblem, showFailure, showProblem } from "./problem.js";
import { speed } from "./speed.js";
import { FileProblem, readText } from "./textfile.js";

const PAGE = 20;
const PERIOD = 3000; // milliseconds
const find = (id) => document.getElementById(id);
let chosen = null; // {text, title, converted}
let choosing = null; // the file that is being read
let about = () => ""; // what the page says of the file
let status = () => "";
let busy = false;
let timer = 0;
let oldest = "";

const list = new JobList({
  job_play: (job) => attempt(() => play(job)),
  download: (job) => attempt(() => save(job, "audio")),
  job_captions: (job) => attempt(() => save(job, "subtitles")),
  job_cancel: (job) => attempt(() => cancel(job)),
  job_remove: (job) => attempt(() => remove(job)),
});

function say() {
  find("file-about").textContent = about();
  find("progress").textContent = status();
  find("submit").setAttribute("aria-disabled", String(busy));
}

function setStatus(tell) {
  status = tell;
  say();
}

/** Do something, and show what goes wrong. After a 401 ask for a key first. */
async function attempt(act) {
  hideProblem();
  try {
    await act();
  } catch (error) {
    setStatus(() => "");
    if (!(error instanceof Failure)) throw error;
    if (error.status === 401 && (await askForKey())) await attempt(act);
    else showFailure(error, () => attempt(act));
  }
}

async function choose(file) {
  [chosen, choosing] = [null, file];
  about = () => "";
  hideProblem();
  try {
    const found = await readText(file);
    if (choosing !== file) return; // another one has been chosen meanwhile
    chosen = found;
    const { converted } = chosen;
    const count = [...chosen.text].length;
    about = () => words(converted ? "file_converted" : "file_ready", count);
    find("name").value = chosen.title;
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    if (choosing === file) showProblem(() => words(error.words, ...error.values));
  }
  say();
}

function submit() {
  if (busy) return;
  if (!chosen) {
    showProblem(() => words("file_missing"));
    find("file").focus();
    return;
  }
  const emotions = find("emotion");
  const options = {
    title: find("name").value.trim(),
    voice: find("voice").value,
    emotion: emotions.length > 1 ? emotions.value : undefined,
    response_format: find("format").value,
    chapters: find("chapters").value,
    subtitles: find("subtitles").value,
    speed: speed.value,
  };
  const { text } = chosen;
  const name = newKey(); // the same one when the user tries again
  attempt(async () => {
    busy = true;
    setStatus(() => words("submitting"));
    try {
      list.show([await submitJob(text, options, name, currentKey())]);
    } finally {
      busy = false;
      say();
    }
    setStatus(() => words("submitted"));
    again();
  });
}

async function play(job) {
  playJob(job, await fileAddress(job, "audio", currentKey()));
}

async function save(job, name) {
  const link = document.createElement("a");
  link.href = await fileAddress(job, name, currentKey());
  link.download = ""; // the server names it
  link.click();
}

async function cancel(job) {
  try {
    list.show([await cancelJob(job, currentKey())]);
  } catch (error) {
    if (error.code !== "job_ended") throw error;
    list.show([await getJob(job, currentKey())]);
    setStatus(() => words("job_ended"));
  }
}

async function remove(job) {
  // Only the audio of a job is worth a question.
  if (job.audio && !window.confirm(words("job_remove_sure", job.title || job.id))) return;
  try {
    await removeJob(job, currentKey());
  } catch (error) {
    if (error.code !== "job_not_found") throw error; // somebody else has removed it
  }
  list.remove(job.id);
}

/** Look at the newest jobs, and again while one of them goes on and the page is seen. */
async function look() {
  clearTimeout(timer);
  const page = await listJobs({ limit: PAGE, key: currentKey() });
  list.show(page.data);
  if (!oldest) showMore(page);
  if (list.jobs.some((job) => !isOver(job)) && !document.hidden) timer = setTimeout(again, PERIOD);
}

function again() {
  // The server may be away for a moment. What it says is shown when the user asks for something.
  look().catch((error) => {
    if (!(error instanceof Failure) || !error.passing) throw error;
    timer = setTimeout(again, PERIOD * 3);
  });
}

function showMore(page) {
  oldest = page.last_id ?? oldest;
  find("more").hidden = !page.has_more;
}

find("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) choose(file);
});
// All over the page, because a browser would leave it for a file that is dropped beside the field.
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    find("drop").classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) choose(event.dataTransfer.files[0]);
  });
}
find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
find("more").addEventListener("click", () =>
  attempt(async () => {
    const page = await listJobs({ limit: PAGE, after: oldest, key: currentKey() });
    list.show(page.data);
    showMore(page);
  }),
);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) again();
});
document.addEventListener("language", say);
startLanguage();
attempt(look);
