// Classifies drawn digits as its training images were made: 4 x 4 blocks of a 32 x 32 bitmap.

const SIDE = 32;
const CELLS = 8;

export async function digitsDemo(section, model, folder) {
  const drawing = section.querySelector(".drawing");
  const scores = section.querySelector(".scores");
  const context = drawing.getContext("2d", { willReadFrequently: true });
  const rows = Array.from({ length: 10 }, (_, digit) => {
    const row = document.createElement("li");
    const bar = document.createElement("i");
    row.append(String(digit), bar);
    scores.append(row);
    return bar;
  });

  async function classify(image) {
    showSeen(section.querySelector(".seen"), image);
    const { logits } = await model.run({ image });
    const most = Math.max(...logits);
    const weights = Array.from(logits, (x) => Math.exp(x - most));
    const sum = weights.reduce((total, x) => total + x, 0);
    rows.forEach((bar, digit) => {
      bar.style.width = `${(100 * weights[digit]) / sum}%`;
    });
    section.dataset.digit = logits.indexOf(most);
  }

  const clear = () => {
    context.clearRect(0, 0, drawing.width, drawing.height);
    Object.assign(context, { lineWidth: 22, lineCap: "round", lineJoin: "round", strokeStyle: "#000" });
  };
  const at = (event) => {
    const box = drawing.getBoundingClientRect();
    const x = ((event.clientX - box.left) * drawing.width) / box.width;
    const y = ((event.clientY - box.top) * drawing.height) / box.height;
    return [x, y];
  };
  drawing.addEventListener("pointerdown", (event) => {
    drawing.setPointerCapture(event.pointerId);
    context.beginPath();
    context.moveTo(...at(event));
  });
  drawing.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    context.lineTo(...at(event));
    context.stroke();
  });
  drawing.addEventListener("pointerup", () => classify(imageOf(drawing, context)));
  section.querySelector("[name=clear]").addEventListener("click", clear);
  clear();

  const examples = await (await fetch(new URL("examples.json", folder))).json();
  examples.forEach(({ label, image }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.addEventListener("click", () => {
      clear();
      classify(Float32Array.from(image));
    });
    section.querySelector(".examples").append(button);
  });
  await classify(Float32Array.from(examples[0].image));
}

/** Ink, cropped and scaled to a 32 x 32 bitmap; a cell is the share of its 4 x 4 pixels with ink. */
function imageOf(canvas, context) {
  const { width, height } = canvas;
  const pixels = context.getImageData(0, 0, width, height).data;
  const ink = (x, y) => pixels[4 * (y * width + x) + 3] > 127;
  let [left, right, top, bottom] = [width, 0, height, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!ink(x, y)) continue;
      [left, right] = [Math.min(left, x), Math.max(right, x)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    }
  }
  const image = new Float32Array(CELLS * CELLS);
  if (right < left) return image;
  const scale = Math.max(right - left + 1, bottom - top + 1) / SIDE;
  const startX = (left + right + 1) / 2 - (scale * SIDE) / 2;
  const startY = (top + bottom + 1) / 2 - (scale * SIDE) / 2;
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const fromX = Math.floor(startX + (x + 0.5) * scale);
      const fromY = Math.floor(startY + (y + 0.5) * scale);
      const inside = fromX >= 0 && fromX < width && fromY >= 0 && fromY < height;
      if (inside && ink(fromX, fromY)) image[CELLS * (y >> 2) + (x >> 2)] += 1 / 16;
    }
  }
  return image;
}

function showSeen(canvas, image) {
  const context = canvas.getContext("2d");
  const cell = canvas.width / CELLS;
  image.forEach((value, place) => {
    const grey = Math.round(255 * (1 - value));
    context.fillStyle = `rgb(${grey}, ${grey}, ${grey})`;
    context.fillRect(cell * (place % CELLS), cell * Math.floor(place / CELLS), cell, cell);
  });
}
