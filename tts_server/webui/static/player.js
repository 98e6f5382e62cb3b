// The card that plays: button, waveform, position. A sound that still comes is played by LivePcm, all else by <audio>.

import { words } from "./language.js";
import { LivePcm } from "./livepcm.js";
import { Transcript } from "./transcript.js";
import { Waveform } from "./waveform.js";

const find = (id) => document.getElementById(id);
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

function clock(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}

export class Player {
  #audio = find("audio");
  #seek = find("seek");
  #wave = new Waveform(find("wave"));
  #transcript = new Transcript((seconds) => this.#seekTo(seconds));
  #live = null;
  #peaks = null;
  #sound = null;
  #coming = { text: "", times: [] };
  #drawing = false;

  /** `onChange` is called whenever it begins or ceases to play. */
  constructor(onChange) {
    this.onChange = onChange;
    find("play").addEventListener("click", () => (this.playing ? this.pause() : this.#resume()));
    this.#seek.addEventListener("input", () => this.#seekTo(Number(this.#seek.value)));
    for (const name of ["play", "pause", "emptied"]) this.#audio.addEventListener(name, () => this.#changed());
    // With no peaks to tell, the element knows best.
    for (const name of ["timeupdate", "durationchange", "seeked"]) {
      this.#audio.addEventListener(name, () => this.#update());
    }
    this.#audio.addEventListener("ended", () => this.stop());
    document.addEventListener("language", () => this.#changed());
  }

  get playing() {
    return this.#live ? !this.#live.paused : !this.#audio.paused;
  }

  get position() {
    return this.#live ? this.#live.position : this.#audio.currentTime;
  }

  get duration() {
    const { duration } = this.#audio;
    return this.#peaks?.duration || (!this.#live && Number.isFinite(duration) ? duration : 0);
  }

  /** Begin to take a sound that says this text. What it tells of its words is shown when it is heard. */
  expect(text) {
    this.#coming = { text, times: [] };
  }

  /** The sound that still comes says when the words of its next sentence sound. */
  addTimes(sentence) {
    this.#coming.times.push(sentence);
    if (!this.#sound) this.#transcript.add(sentence);
  }

  /** Play samples that come one after another; returns what takes them. `peaks` grows with them. */
  playSamples(rate, peaks) {
    this.stop();
    this.#begin(null, peaks);
    const live = new LivePcm(rate, {
      onEnd: () => {
        if (this.#live === live) this.#live = null;
        this.#changed();
      },
      onChange: () => this.#changed(),
    });
    this.#live = live;
    this.#changed();
    return live;
  }

  /** Play what is at the address, as an address of a MediaSource that is being filled. */
  playAddress(url) {
    this.stop();
    this.#begin(null, null);
    this.#audio.src = url;
    this.#start();
  }

  /** All of a sound is there: it can be sought in, saved and played again. It is played, unless `heard` on its way. */
  complete(sound, heard) {
    if (!heard) {
      this.play(sound);
      return;
    }
    const media = !this.#live && this.playing;
    this.#begin(sound, sound.peaks);
    if (!media) this.#audio.src = sound.playAddress;
  }

  /** Play a complete sound from its beginning. */
  play(sound) {
    this.stop();
    this.#begin(sound, sound.peaks);
    this.#audio.src = sound.playAddress;
    this.#start();
  }

  pause() {
    if (this.#live) this.#live.pause();
    else this.#audio.pause();
  }

  /** Be silent, and back at the beginning. */
  stop() {
    this.#live?.stop();
    this.#live = null;
    this.#audio.pause();
    if (this.#audio.src) this.#audio.currentTime = 0;
    this.#changed();
  }

  /** Be silent, and show nothing of a sound that will not become complete. */
  abandon() {
    if (this.#sound) this.stop();
    else this.clear();
  }

  /** Show no sound. */
  clear() {
    this.stop();
    this.#sound = null;
    this.#unload();
    find("player").hidden = true;
  }

  #unload() {
    this.#audio.removeAttribute("src");
    this.#audio.load();
  }

  #begin(sound, peaks) {
    this.#sound = sound;
    this.#peaks = peaks;
    if (!sound) this.#unload();
    find("player").hidden = false;
    const { text, times } = sound ?? this.#coming;
    this.#transcript.begin(text);
    for (const sentence of times) this.#transcript.add(sentence);
    const save = find("download");
    save.hidden = !sound;
    if (sound) {
      save.href = sound.address;
      save.download = sound.name;
    }
    this.#changed();
  }

  #start() {
    // A browser may refuse to play by itself; the button is there.
    this.#audio.play().catch(() => this.#changed());
  }

  #resume() {
    if (this.#live) this.#live.play();
    else this.#start();
  }

  #seekTo(seconds) {
    if (!this.#sound) return;
    const goOn = this.playing;
    if (this.#live) {
      this.#live.stop();
      this.#live = null;
    }
    this.#audio.currentTime = seconds;
    if (goOn && this.#audio.paused) this.#start();
    this.#update();
  }

  #changed() {
    const { playing } = this;
    find("player").classList.toggle("playing", playing);
    find("play").setAttribute("aria-label", words(playing ? "pause" : "play"));
    this.#seek.setAttribute("aria-label", words("position"));
    find("download").textContent = words("downloadOf", this.#sound?.format.toUpperCase() ?? "");
    find("facts").textContent = this.#sound ? words("facts", this.#sound.first, this.#sound.cache) : "";
    this.#update();
    if (playing && !this.#drawing) this.#draw();
    this.onChange();
  }

  #draw() {
    this.#drawing = this.playing;
    if (!this.#drawing) return;
    this.#update();
    if (CALM.matches) setTimeout(() => this.#draw(), 500);
    else requestAnimationFrame(() => this.#draw());
  }

  #update() {
    const whole = this.duration;
    const now = Math.min(this.position, whole);
    this.#seek.max = whole;
    this.#seek.value = now;
    this.#seek.setAttribute("aria-valuetext", words("positionOf", now, whole));
    find("now").textContent = clock(now);
    find("whole").textContent = clock(whole);
    this.#transcript.show(now);
    this.#wave.show(this.#peaks, whole ? now / whole : 0);
  }
}
