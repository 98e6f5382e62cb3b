"use strict";

const find = (id) => document.getElementById(id);
const text = find("text");
const limit = Number(text.dataset.limit);
const words = {
  en: {
    empty: "Type a text first.",
    long: (count) => `The text has ${count} characters; the limit is ${limit}.`,
    busy: "Speaking…",
    speak: "Speak",
    offline: "The server cannot be reached.",
    overloaded: (seconds) => `The server is busy. Try again in ${seconds} s.`,
    facts: (audio, took, cache) => `${audio} s of sound, made in ${took} s (cache: ${cache})`,
    other: ["中文", "切换到中文", "zh"],
  },
  zh: {
    empty: "请先输入文字。",
    long: (count) => `文字共 ${count} 个字符，上限为 ${limit} 个。`,
    busy: "正在合成…",
    speak: "朗读",
    offline: "无法连接服务器。",
    overloaded: (seconds) => `服务器繁忙，请 ${seconds} 秒后再试。`,
    facts: (audio, took, cache) => `时长 ${audio} 秒，用时 ${took} 秒（缓存：${cache}）`,
    other: ["English", "Switch to English", "en"],
  },
};
// The server's own sentences are English; these are its error codes in Chinese.
const errors = {
  empty_input: "请先输入文字。",
  input_too_long: `文字超过 ${limit} 个字符的上限，请分段。`,
  nothing_to_say: "文字中没有可以朗读的字符。",
  model_loading: "模型正在加载，请稍候。",
  deadline_exceeded: "合成超时，请缩短文字或稍后再试。",
  internal_error: "服务器内部错误。",
};
let language = "en";
let busy = false;
let address = null;

// Counted as the server does: by code point, so an emoji is one.
const length = () => [...text.value].length;

function translate(to) {
  language = to;
  document.documentElement.lang = to;
  for (const each of document.querySelectorAll("[data-en]")) each.textContent = each.dataset[to];
  const [label, description, code] = words[to].other;
  const button = find("language");
  button.textContent = label;
  button.lang = code;
  button.setAttribute("aria-label", description);
  showMessage("");
}

function count() {
  const used = length();
  find("used").textContent = used;
  find("count").classList.toggle("over", used > limit);
  text.setAttribute("aria-invalid", String(used > limit));
}

function showMessage(message) {
  find("message").textContent = message;
  find("message").hidden = !message;
}

function setBusy(now) {
  busy = now;
  // Not `disabled`: that would take the keyboard's focus away.
  find("speak").setAttribute("aria-disabled", String(now));
  find("speak").textContent = now ? words[language].busy : words[language].speak;
}

async function explain(response) {
  const retry = response.headers.get("Retry-After");
  const error = await response.json().then((body) => body.error, () => null);
  if (error?.code === "overloaded") return words[language].overloaded(retry ?? 1);
  if (language === "zh" && errors[error?.code]) return errors[error.code];
  return error?.message ?? `HTTP ${response.status}`;
}

async function show(response, start) {
  const sound = await response.blob();
  const took = ((performance.now() - start) / 1000).toFixed(2);
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(sound);
  const audio = find("audio");
  audio.src = address;
  find("download").href = address;
  find("result").hidden = false;
  audio.onloadedmetadata = () => {
    find("facts").textContent = words[language].facts(audio.duration.toFixed(2), took, response.headers.get("X-Cache"));
  };
  // A browser may refuse to play by itself; the controls are there.
  await audio.play().catch(() => {});
}

async function speak(event) {
  event?.preventDefault();
  if (busy) return;
  const used = length();
  if (!text.value.trim() || used > limit) {
    showMessage(used > limit ? words[language].long(used) : words[language].empty);
    text.focus();
    return;
  }
  showMessage("");
  setBusy(true);
  const start = performance.now();
  try {
    const response = await fetch("v1/audio/speech", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        input: text.value,
        voice: find("voice").value,
        speed: Number(find("speed").value),
        response_format: "wav",
      }),
    });
    if (response.ok) await show(response, start);
    else showMessage(await explain(response));
  } catch {
    showMessage(words[language].offline);
  } finally {
    setBusy(false);
  }
}

find("form").addEventListener("submit", speak);
text.addEventListener("input", count);
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) speak(event);
});
find("speed").addEventListener("input", (event) => {
  find("speed-value").textContent = `${Number(event.target.value)}×`;
});
find("language").addEventListener("click", () => translate(language === "en" ? "zh" : "en"));
translate(navigator.language.startsWith("zh") ? "zh" : "en");
count();
