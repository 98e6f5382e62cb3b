// What went wrong, in words, and the offer to try again when the server says that it may help.

import { words } from "./language.js";

const find = (id) => document.getElementById(id);
let showing = null;
let again = null;
let left = 0;
let timer = 0;

function draw() {
  find("problem").hidden = !showing;
  find("problem-text").textContent = showing ? showing() : "";
  drawRetry();
}

function drawRetry() {
  const button = find("retry");
  button.hidden = !again;
  button.textContent = left > 0 ? words("retryIn", left) : words("retry");
  // Not `disabled`: that would take the keyboard's focus away.
  button.setAttribute("aria-disabled", String(left > 0));
}

function explain(failure) {
  const text = words(failure.code) ?? words(`error_${failure.code}`, failure.message) ?? failure.message;
  return failure.retryAfter === null ? text : text + words("wait", failure.retryAfter);
}

function set(tell, retry, after) {
  clearInterval(timer);
  [showing, again, left] = [tell, retry, after];
  draw();
  if (!left) return;
  timer = setInterval(() => {
    left -= 1;
    if (left <= 0) clearInterval(timer);
    drawRetry();
  }, 1000);
}

/** Show what the page itself has to say; `tell` gives the words in the current language. */
export function showProblem(tell) {
  set(tell, null, 0);
}

/** Show a failure; `retry` is offered where it may help, after the time that the server asks for. */
export function showFailure(failure, retry) {
  set(() => explain(failure), failure.passing ? retry : null, failure.retryAfter ?? 0);
}

export function hideProblem() {
  set(null, null, 0);
}

find("retry").addEventListener("click", () => {
  if (again && left <= 0) again();
});
document.addEventListener("language", draw);
