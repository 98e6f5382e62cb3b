// A sample of each voice with each emotion. Each is asked for once, and kept until the page is closed.

import { writeForm } from "./form.js";

const TEXT = "您好，很高兴为您服务。今天的天气真不错，一起出去走走吧！";

/** `hear(settings, keep)` speaks and calls `keep` with the sound; `play(sound)` plays it again. */
export function startSamples({ hear, play }) {
  for (const button of document.querySelectorAll("#samples button")) {
    const { voice, emotion } = button.dataset;
    let kept = null;
    button.addEventListener("click", () => {
      writeForm({ voice, emotion });
      if (kept) play(kept);
      else hear({ text: TEXT, lexicon: "", voice, emotion, format: "wav", speed: 1 }, (sound) => (kept = sound));
    });
  }
}
