// The speed's slider: steps that can be told apart, with 1 in the middle of what the API takes.

const STEPS = [0.25, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.5, 1.75, 2, 3, 4];
const slider = document.getElementById("speed");

function show() {
  const shown = `${speed.value}×`;
  document.getElementById("speed-shown").textContent = shown;
  slider.setAttribute("aria-valuetext", shown);
}

export const speed = {
  get value() {
    return STEPS[Number(slider.value)];
  },
  /** A speed that the slider does not have changes nothing. */
  set value(wanted) {
    if (STEPS.includes(wanted)) slider.value = STEPS.indexOf(wanted);
    show();
  },
};

slider.addEventListener("input", show);
show();
