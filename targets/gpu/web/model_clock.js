// Nanoseconds of every step.

const MOST_STEPS = 2048; // of one set of time stamps

/** Run recorded steps: with time stamps where the device has them, else one submission each. */
export async function timeSteps(device, steps) {
  if (!device.features.has("timestamp-query")) return waited(device, steps);
  const times = [];
  const real = steps.filter((step) => step !== null);
  for (let first = 0; first < real.length; first += MOST_STEPS) {
    times.push(...(await stamped(device, real.slice(first, first + MOST_STEPS))));
  }
  return steps.map((step) => (step === null ? 0 : times.shift()));
}

/** Add a recorded step to a compute pass. */
export function encodePass(pass, { pipeline, group, x, z }) {
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(x, 1, z);
}

function encodeStep(encoder, step, descriptor) {
  const pass = encoder.beginComputePass(descriptor);
  encodePass(pass, step);
  pass.end();
}

async function stamped(device, steps) {
  const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 * steps.length });
  const size = 16 * steps.length;
  const resolved = device.createBuffer({ size, usage: QUERY_RESOLVE | COPY_SRC });
  const stage = device.createBuffer({ size, usage: MAP_READ | COPY_DST });
  const encoder = device.createCommandEncoder();
  steps.forEach((step, number) => {
    const timestampWrites = {
      querySet,
      beginningOfPassWriteIndex: 2 * number,
      endOfPassWriteIndex: 2 * number + 1,
    };
    encodeStep(encoder, step, { timestampWrites });
  });
  encoder.resolveQuerySet(querySet, 0, 2 * steps.length, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, stage, 0, size);
  device.queue.submit([encoder.finish()]);
  await stage.mapAsync(GPUMapMode.READ);
  const stamps = new BigUint64Array(stage.getMappedRange());
  // A driver may stamp the end of a pass before its begin; that is no time.
  const times = steps.map((_, n) => Math.max(0, Number(stamps[2 * n + 1] - stamps[2 * n])));
  for (const buffer of [stage, resolved, querySet]) buffer.destroy();
  return times;
}

async function waited(device, steps) {
  const times = [];
  for (const step of steps) {
    if (step === null) {
      times.push(0);
      continue;
    }
    await device.queue.onSubmittedWorkDone();
    const start = performance.now();
    const encoder = device.createCommandEncoder();
    encodeStep(encoder, step);
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone(); // the submission is part of the time
    times.push(Math.round(1e6 * (performance.now() - start)));
  }
  return times;
}
