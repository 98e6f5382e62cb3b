// Plays a job's audio, with buttons that lead to its chapters.

const find = (id) => document.getElementById(id);
const audio = find("audio");

function chapter({ title, start }) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  button.lang = "zh-CN";
  button.textContent = title;
  button.addEventListener("click", () => {
    audio.currentTime = start;
    audio.play().catch(() => {});
  });
  item.append(button);
  return item;
}

/** Play the file at `address`. */
export function playJob(job, address) {
  find("player").hidden = false;
  find("player-title").textContent = job.title || job.id;
  find("player-chapters").replaceChildren(...job.chapters.map(chapter));
  audio.src = address;
  // A browser may refuse to play by itself; the controls are there.
  audio.play().catch(() => {});
  audio.focus();
}
