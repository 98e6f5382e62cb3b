// The list of jobs. A row stays the same element while its job goes on, so that the keyboard's focus stays too.

import { words } from "./language.js";

const list = document.getElementById("jobs");

export const isOver = (job) => job.ended_at !== null;

function clock(seconds) {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((each) => String(each).padStart(2, "0"));
  return [Math.floor(whole / 3600), ...parts].join(":");
}

/** Why a job has failed, or null. The server's own sentences are English. */
function whyFailed({ error }) {
  return error && (words(`error_${error.code}`, error.message) ?? error.message);
}

/** How much of a job is done, or "". Less than all is never 100 %. */
function howFar({ status, progress }) {
  return status === "in_progress" ? `${Math.floor((100 * progress.completed) / progress.segments)} %` : "";
}

function element(tag, className = "") {
  const made = document.createElement(tag);
  made.className = className;
  return made;
}

class Row {
  item = element("li");
  #title = element("p", "said");
  #about = element("p", "quiet");
  #state = element("p");
  #bar = element("progress");
  #actions = element("div", "actions");
  #buttons = {};
  job;

  constructor(actions) {
    this.#title.lang = "zh-CN";
    for (const [name, act] of Object.entries(actions)) {
      const button = element("button");
      button.type = "button";
      button.addEventListener("click", () => act(this.job));
      this.#buttons[name] = button;
      this.#actions.append(button);
    }
    this.item.append(this.#title, this.#about, this.#state, this.#bar, this.#actions);
  }

  show(job) {
    this.job = job;
    const name = job.title || job.id;
    this.#title.textContent = name;
    this.#about.textContent = words("job_about", job.characters, job.audio ? clock(job.audio.seconds) : "");
    const status = words(`status_${job.status}`) ?? job.status;
    this.#state.textContent = words("job_state", status, whyFailed(job) ?? howFar(job));
    this.#bar.hidden = isOver(job);
    this.#bar.setAttribute("aria-label", words("job_of", status, name));
    this.#bar.max = job.progress?.segments || 1;
    this.#bar.value = job.progress?.completed ?? 0;
    const shown = {
      job_play: job.audio !== null,
      download: job.audio !== null,
      job_captions: job.subtitles !== null,
      job_cancel: !isOver(job),
      job_remove: isOver(job),
    };
    for (const [action, button] of Object.entries(this.#buttons)) {
      button.hidden = !shown[action];
      button.textContent = words(action);
      button.setAttribute("aria-label", words("job_of", words(action), name));
    }
  }
}

export class JobList {
  #rows = new Map();
  #removed = new Set(); // ids
  #actions;

  /** `actions` are functions of a job, by the name of their words. */
  constructor(actions) {
    this.#actions = actions;
    document.addEventListener("language", () => this.#rows.forEach((row) => row.show(row.job)));
  }

  get jobs() {
    return [...this.#rows.values()].map((row) => row.job);
  }

  /** Show these jobs, the newest first. Ids begin with the time. An answer may be older than what is shown. */
  show(jobs) {
    for (const job of jobs) {
      const known = this.#rows.get(job.id)?.job;
      if (this.#removed.has(job.id) || (known && isOver(known) && !isOver(job))) continue;
      if (!known) {
        const row = new Row(this.#actions);
        this.#rows.set(job.id, row);
        const next = [...this.#rows.values()]
          .filter((each) => each !== row && each.job.id < job.id)
          .sort((one, other) => (one.job.id < other.job.id ? 1 : -1))[0];
        list.insertBefore(row.item, next?.item ?? null);
      }
      this.#rows.get(job.id).show(job);
    }
    this.#count();
  }

  /** Remove a job, and leave the keyboard's focus near. */
  remove(id) {
    const row = this.#rows.get(id);
    if (!row) return;
    const near = row.item.nextElementSibling ?? row.item.previousElementSibling;
    const focused = row.item.contains(document.activeElement);
    row.item.remove();
    this.#rows.delete(id);
    this.#removed.add(id);
    this.#count();
    if (focused) (near?.querySelector("button:not([hidden])") ?? document.getElementById("file")).focus();
  }

  #count() {
    document.getElementById("jobs-empty").hidden = this.#rows.size > 0;
  }
}
