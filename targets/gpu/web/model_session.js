// One opened artifact: what is enqueued for a run, in which order, and how it comes back.

import {
  EdgemoeError, deviceBytes, elements, fromDevice, placeTokens, rowsOf, toDevice, tokenSlice,
} from "./model_arrays.js";
import { chunksOf } from "./model_chunks.js";
import { encodePass, timeSteps } from "./model_clock.js";
import { Memory, record } from "./model_device.js";
import { ExpertUse } from "./model_experts.js";
import { contextOf, encode, generatorOf, rolesOf, sample } from "./model_text.js";

/** An opened artifact; runs take place in the order in which they were asked for. */
export class Model {
  #device;
  #manifest;
  #plan;
  #build; // set of kernels -> map of their pipelines
  #memory;
  #use;
  #pipelines = new Map(); // of the kernels that runs needed so far
  #recordings = new Map();
  #parity = 0;
  #zeros; // held states that are zeros, whatever the memory holds
  #stages = []; // buffers to map, used again
  #order = Promise.resolve(); // runs wait for those before them to be enqueued
  #lost = null;

  constructor(device, manifest, plan, build, weights) {
    this.#device = device;
    this.#manifest = manifest;
    this.#plan = plan;
    this.#build = build;
    this.#memory = new Memory(device, manifest, plan, weights);
    this.#use = new ExpertUse(plan);
    this.#zeros = new Set(this.#memory.states.keys());
    device.lost.then((info) => {
      this.#lost = info.message || info.reason;
    });
  }

  get name() { return this.#manifest.name; }
  get inputs() { return this.#manifest.inputs; }
  get outputs() { return this.#manifest.outputs; }
  get buckets() { return this.#manifest.buckets; }
  get vocabulary() { return this.#manifest.vocabulary?.tokens ?? null; }
  get deviceName() { return this.#device.adapterName ?? "WebGPU"; }

  /** Set the states that the model holds back to zeros. */
  reset() {
    this.#order = this.#order.then(() => {
      this.#zeros = new Set(this.#memory.states.keys());
    });
  }

  /** For how many tokens each expert was active, since the last reset of the counts. */
  expertUse() { return this.#use.list(); }
  resetExpertUse() { this.#use.reset(); }

  async run(inputs, options = {}) {
    const arrays = this.#checked(inputs);
    const chunks = chunksOf(this.#plan, this.buckets, arrays.tokens);
    return this.#finish(await this.#inTurn(chunks, () => this.#enqueue(arrays, chunks, options)));
  }

  /** Compile the kernels for so many tokens now, not at the first run. */
  async prepare(tokens = null) {
    await this.#built(chunksOf(this.#plan, this.buckets, tokens));
  }

  #built(chunks) {
    const steps = chunks.flatMap(({ variant }) => this.#plan.variants[variant].steps);
    return this.#build(new Set(steps.map((step) => step.kernel)));
  }

  /** Call `enqueue` when the kernels are there and the runs before have been enqueued. */
  #inTurn(chunks, enqueue) {
    const missing = chunks.filter(({ variant }) => !this.#recordings.has(this.#key(variant)));
    const ready = missing.length ? this.#built(missing) : null;
    ready?.catch(() => {}); // reported in its turn
    const turn = this.#order.then(async () => {
      for (const [name, built] of (await ready) ?? []) this.#pipelines.set(name, built);
      return enqueue();
    });
    this.#order = turn.catch(() => {});
    return turn;
  }

  /** Nanoseconds of every step: [{variant, step, kernel, label, nanoseconds}]. */
  async stepTimes(inputs) {
    const arrays = this.#checked(inputs);
    const chunks = chunksOf(this.#plan, this.buckets, arrays.tokens);
    return this.#inTurn(chunks, () => this.#times(arrays, chunks));
  }

  async #times(arrays, chunks) {
    const times = [];
    this.#beginStates(arrays);
    for (const chunk of chunks) {
      this.#write(arrays, chunk);
      const spent = await timeSteps(this.#device, this.#recording(chunk.variant));
      this.#plan.variants[chunk.variant].steps.forEach(({ kernel, label }, step) => {
        times.push({ variant: chunk.variant, step, kernel, label, nanoseconds: spent[step] });
      });
      this.#turn();
    }
    this.#endStates(arrays);
    return times;
  }

  /** Yields the text of one token after another, continuing `prompt` from fresh states. */
  async *generate(prompt, { maxTokens = 200, temperature = 0, seed = 1, experts = false } = {}) {
    const [input, output] = rolesOf(this.#manifest);
    const numbers = encode(this.vocabulary, prompt);
    const context = contextOf(this.#manifest) ?? Infinity;
    if (!numbers.length || numbers.length >= context) {
      const what = numbers.length ? `has ${numbers.length} tokens, the context ${context}` : "is empty";
      throw new EdgemoeError("input", `the prompt ${what}; give at least one token, and fewer`);
    }
    const random = generatorOf(seed);
    const count = Math.min(maxTokens, context - numbers.length);
    this.reset();
    let fresh = numbers;
    for (let i = 0; i < count; i++) {
      if (!this.#memory.states.size) fresh = numbers.slice(-Math.max(...this.buckets));
      const logits = (await this.run({ [input]: fresh }, { experts }))[output];
      const chosen = sample(logits.slice(-this.vocabulary.length), temperature, random);
      numbers.push(chosen);
      fresh = [chosen];
      yield this.vocabulary[chosen];
    }
  }

  /** Free the device's memory. */
  destroy() {
    this.#memory.destroy();
    for (const stage of this.#stages) stage.destroy();
    this.#stages = [];
    this.#lost = "the model was destroyed";
  }

  #checked(inputs) {
    if (this.#lost !== null) {
      throw new EdgemoeError("device", `the device is lost (${this.#lost}); load the model again`);
    }
    const known = this.inputs.map((info) => info.name);
    const stranger = Object.keys(inputs).find((name) => !known.includes(name));
    if (stranger !== undefined) {
      const text = `the model has no input '${stranger}'; its inputs are ${known.join(", ")}`;
      throw new EdgemoeError("input", text);
    }
    const values = new Map();
    let tokens = null;
    this.inputs.forEach((info, index) => {
      const given = inputs[info.name];
      if (given === undefined || given === null) {
        if (info.state_output) return;
        throw new EdgemoeError("input", `input '${info.name}' is missing`);
      }
      const dtype = this.#memory.dtypeOf("input", index, info);
      const per = elements(info.shape.filter((extent) => extent >= 0));
      const count = given.length / per;
      const fits = info.token_axis === null ? count === 1 : count >= 1 && Number.isInteger(count);
      if (!fits || (info.token_axis !== null && tokens !== null && tokens !== count)) {
        const shape = info.shape.map((extent) => (extent < 0 ? "n" : extent)).join(", ");
        const text = `input '${info.name}' has ${given.length} values, expected [${shape}]`;
        throw new EdgemoeError("input", `${text}${tokens === null ? "" : ` of ${tokens} tokens`}`);
      }
      if (info.token_axis !== null) tokens = count;
      values.set(info.name, toDevice(given, info, dtype));
    });
    return { values, tokens };
  }

  #enqueue(arrays, chunks, { states = [], experts = false }) {
    const names = this.#returned(arrays, states);
    let readings, failures;
    this.#device.pushErrorScope("out-of-memory");
    this.#device.pushErrorScope("validation");
    try {
      this.#beginStates(arrays);
      readings = chunks.map((chunk) => {
        this.#write(arrays, chunk);
        const reading = this.#submit(chunk, names, experts);
        this.#turn();
        return reading;
      });
      this.#endStates(arrays);
    } finally {
      failures = Promise.all([this.#device.popErrorScope(), this.#device.popErrorScope()]);
      failures.catch(() => {}); // reported by #finish
    }
    return { tokens: arrays.tokens, chunks, readings, names, failures };
  }

  /** Outputs that are read: not those of held states, unless `states` names them. */
  #returned(arrays, states) {
    const unknown = states.find((name) => !this.#memory.stateOf.has(name));
    if (unknown !== undefined) {
      throw new EdgemoeError("input", `'${unknown}' is no output of a state`);
    }
    return this.outputs
      .map((info) => info.name)
      .filter((name) => {
        const state = this.#memory.stateOf.get(name);
        return state === undefined || arrays.values.has(state) || states.includes(name);
      });
  }

  #beginStates(arrays) {
    const encoder = this.#device.createCommandEncoder();
    for (const [name, state] of this.#memory.states) {
      const now = state.halves[this.#parity];
      if (!arrays.values.has(name)) {
        if (this.#zeros.delete(name)) encoder.clearBuffer(now, 0, state.nbytes);
      } else if (!this.#zeros.has(name)) {
        state.spare ??= this.#memory.allocate(state.nbytes);
        encoder.copyBufferToBuffer(now, 0, state.spare, 0, state.nbytes);
      }
    }
    this.#device.queue.submit([encoder.finish()]);
  }

  #endStates(arrays) {
    const encoder = this.#device.createCommandEncoder();
    for (const [name, state] of this.#memory.states) {
      if (arrays.values.has(name) && !this.#zeros.has(name)) {
        encoder.copyBufferToBuffer(state.spare, 0, state.halves[this.#parity], 0, state.nbytes);
      }
    }
    this.#device.queue.submit([encoder.finish()]);
  }

  #turn() {
    if (this.#memory.hasPairs) this.#parity = 1 - this.#parity;
  }

  #write({ values, tokens }, chunk) {
    this.inputs.forEach((info, index) => {
      let array = values.get(info.name);
      if (array === undefined || (info.token_axis === null && chunk.begin > 0)) return;
      if (info.token_axis !== null) {
        const bucket = this.buckets[chunk.variant];
        array = tokenSlice(array, info, tokens, chunk.begin, chunk.take, bucket);
      }
      const state = this.#memory.states.get(info.name);
      const target = state ? state.halves[this.#parity] : this.#memory.io.get(`input${index}`);
      this.#device.queue.writeBuffer(target, 0, array);
    });
  }

  #key(variant) {
    return 2 * variant + (this.#memory.hasPairs ? this.#parity : 0);
  }

  #recording(variant) {
    const key = this.#key(variant);
    if (!this.#recordings.has(key)) {
      const steps = this.#plan.variants[variant];
      const made = record(this.#device, this.#memory, steps, this.#pipelines, this.#parity);
      this.#recordings.set(key, made);
    }
    return this.#recordings.get(key);
  }

  /** Enqueue the steps of a chunk and the copies of what is read. */
  #submit(chunk, names, experts) {
    const variant = this.#plan.variants[chunk.variant];
    const regions = experts ? variant.regions : [];
    const encoder = this.#device.createCommandEncoder();
    const outputs = names.map((name) => this.#place(name, chunk));
    const routed = regions.map((region) => {
      const buffer = variant.buffers[region.buffer];
      return { ...this.#memory.rangeOf(buffer, this.#parity), region };
    });
    let total = 0;
    for (const range of [...outputs, ...routed]) {
      range.at = total;
      total += range.size;
    }
    const stage = this.#stage(total);
    const copy = ({ buffer, offset, size, at }) =>
      encoder.copyBufferToBuffer(buffer, offset, stage, at, size);
    let pass = null;
    this.#recording(chunk.variant).forEach((recorded, step) => {
      if (recorded !== null) {
        pass ??= encoder.beginComputePass();
        encodePass(pass, recorded);
      }
      const final = routed.filter(({ region }) => region.routed_at === step);
      if (!final.length) return;
      pass?.end(); // copies are between passes
      pass = null;
      final.forEach(copy);
    });
    pass?.end();
    outputs.forEach(copy);
    this.#device.queue.submit([encoder.finish()]);
    const mapped = stage.mapAsync(GPUMapMode.READ);
    mapped.catch(() => {}); // reported by #finish
    return { stage, outputs, routed, variant, take: chunk.take, mapped };
  }

  #place(name, chunk) {
    const state = this.#memory.states.get(this.#memory.stateOf.get(name));
    const index = this.outputs.findIndex((info) => info.name === name);
    const info = this.outputs[index];
    const bucket = this.buckets.length ? this.buckets[chunk.variant] : 1;
    const count = elements(info.shape.map((extent) => (extent < 0 ? bucket : extent)));
    const dtype = this.#memory.dtypeOf("output", index, info);
    const size = deviceBytes(dtype, count);
    const half = this.#memory.inPlace.has(this.#memory.stateOf.get(name)) ? this.#parity : 1 - this.#parity;
    const buffer = state ? state.halves[half] : this.#memory.io.get(`output${index}`);
    return { buffer, offset: 0, size, info, count, dtype };
  }

  #stage(nbytes) {
    const found = this.#stages.findIndex((stage) => stage.size >= nbytes);
    if (found >= 0) return this.#stages.splice(found, 1)[0];
    const size = 2 ** Math.ceil(Math.log2(Math.max(256, nbytes)));
    return this.#device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  async #finish({ tokens, chunks, readings, names, failures }) {
    const results = {};
    const failure = (await failures.catch(() => [])).find((error) => error !== null);
    if (failure) {
      const text = `${this.deviceName} refuses a run of '${this.name}': ${failure.message}`;
      throw new EdgemoeError("device", `${text}; please report it`);
    }
    for (const [number, reading] of readings.entries()) {
      const chunk = chunks[number];
      try {
        await reading.mapped;
      } catch (error) {
        const why = this.#lost ?? error.message;
        throw new EdgemoeError("device", `the device is lost (${why}); load the model again`);
      }
      const data = reading.stage.getMappedRange();
      reading.outputs.forEach(({ at, info, count, dtype }, place) => {
        const part = fromDevice(data, at, count, info, dtype);
        const name = names[place];
        if (info.token_axis === null || chunks.length === 1 && chunk.take === this.buckets[chunk.variant]) {
          results[name] = part;
          return;
        }
        const [outer, row] = rowsOf(info);
        results[name] ??= new part.constructor(outer * tokens * row);
        const bucket = this.buckets[chunk.variant];
        placeTokens(results[name], part, info, tokens, chunk.begin, chunk.take, bucket);
      });
      for (const { at, size, region } of reading.routed) {
        this.#use.add(reading.variant, region, new Uint8Array(data, at, size), reading.take);
      }
      reading.stage.unmap();
      this.#stages.push(reading.stage);
    }
    return results;
  }
}
