// The page: three models beside it, one folder each, loaded at the same time.

import { load, whyNot } from "./char_moe/model.js";
import { digitsDemo } from "./digits.js";
import { forecastDemo } from "./forecast.js";
import { textDemo } from "./text.js";

// The one with the most kernels first: it is the last to be ready.
const DEMOS = [
  ["text", "char_moe", textDemo],
  ["forecast", "etth1", forecastDemo],
  ["digits", "digits", digitsDemo],
];

/** Load a model and run it once; the section says how long that took since the page was asked for. */
async function start(id, folder, demo) {
  const section = document.getElementById(id);
  const status = section.querySelector(".status");
  try {
    const model = await load(new URL(`./${folder}/`, import.meta.url), {
      progress: (what, done, total) => {
        status.textContent = `${what} ${done} of ${total}`;
      },
    });
    await demo(section, model, new URL(`./${folder}/`, import.meta.url));
    const milliseconds = Math.round(performance.now());
    section.dataset.ready = milliseconds;
    status.textContent = `first result ${milliseconds} ms after the page was opened`;
    return model;
  } catch (error) {
    status.textContent = error.message;
    status.classList.add("failed");
    section.dataset.failed = error.message;
    throw error;
  }
}

async function main() {
  const device = document.getElementById("device");
  const why = await whyNot();
  if (why !== null) {
    device.textContent = `These models need WebGPU: ${why}.`;
    device.classList.add("failed");
    document.querySelector("main").hidden = true;
    document.body.dataset.state = "fallback";
    return;
  }
  const results = await Promise.allSettled(DEMOS.map((demo) => start(...demo)));
  const models = results.filter((result) => result.status === "fulfilled");
  device.textContent = models.length
    ? `Running on ${models[0].value.deviceName}.`
    : "No model could be loaded; the sections say why.";
  document.body.dataset.state = models.length === DEMOS.length ? "ready" : "failed";
}

main();
