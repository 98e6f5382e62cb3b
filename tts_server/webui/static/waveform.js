// Draws peaks on a canvas, what has been heard in another colour. Colours come from the style sheet.

const BAR = 3;
const GAP = 2;

export class Waveform {
  #canvas;
  #peaks = null;
  #share = 0;

  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.#draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
    document.addEventListener("theme", () => this.#draw());
  }

  /** Show these peaks (null: a flat line), heard up to `share` (0 to 1). */
  show(peaks, share) {
    this.#peaks = peaks;
    this.#share = share;
    this.#draw();
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (!width) return;
    const ratio = devicePixelRatio || 1;
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    const pen = this.#canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(this.#canvas);
    const count = Math.floor((width + GAP) / (BAR + GAP));
    const bars = this.#peaks?.bars(count) ?? new Array(count).fill(0);
    bars.forEach((share, index) => {
      const tall = Math.max(BAR, share * height);
      pen.fillStyle = (index + 0.5) / count <= this.#share ? style.fill : style.stroke;
      pen.beginPath();
      pen.roundRect(index * (BAR + GAP), (height - tall) / 2, BAR, tall, BAR / 2);
      pen.fill();
    });
  }
}
