// The device: what it must offer, its memory, and pipelines that are made once per page.

import { EdgemoeError, deviceBytes, deviceDtype, elements } from "./model_arrays.js";

const MOST_GROUPS = 65535; // per dimension; shaders fold the z index in

const LIMITS = [
  // limit of WebGPU, entry of the manifest, words
  ["maxComputeInvocationsPerWorkgroup", "threads", "threads of a work-group"],
  ["maxComputeWorkgroupSizeX", "threads", "threads of a work-group"],
  ["maxComputeWorkgroupStorageSize", "local_bytes", "bytes of workgroup memory"],
  ["maxStorageBuffersPerShaderStage", "storage_buffers", "buffers of one kernel"],
  ["maxStorageBufferBindingSize", "binding_bytes", "bytes of one buffer range"],
];
const FEATURES = [
  ["fp16", "shader-f16", "16-bit floats"],
  ["subgroups", "subgroups", "subgroups"],
];

const PACKED = "packed_4x8_integer_dot_product";

/** Find an adapter that the artifact runs on; throws a "device" error with the first lack. */
export async function findAdapter(gpu, needs, name, powerPreference) {
  const adapter = gpu ? await gpu.requestAdapter({ powerPreference }) : null;
  if (!adapter) {
    const why = gpu
      ? "this browser has WebGPU, but no adapter: the graphics driver is too old or blocked"
      : "this browser has no WebGPU";
    throw new EdgemoeError(
      "device",
      `${why}; take a current Chrome, Edge, Safari or Firefox over https or on localhost, and look ` +
        "at chrome://gpu",
    );
  }
  const where = adapter.info?.description || adapter.info?.vendor || "this device";
  const requiredLimits = {};
  for (const [limit, entry, words] of LIMITS) {
    if (needs[entry] > adapter.limits[limit]) {
      throw new EdgemoeError(
        "device",
        `'${name}' needs ${needs[entry]} ${words}, ${where} has at most ${adapter.limits[limit]}; ` +
          "compile it for a target with this limit",
      );
    }
    requiredLimits[limit] = adapter.limits[limit];
  }
  requiredLimits.maxBufferSize = adapter.limits.maxBufferSize;
  const requiredFeatures = [];
  for (const [entry, feature, words] of FEATURES) {
    if (!needs[entry]) continue;
    if (!adapter.features.has(feature)) {
      throw new EdgemoeError(
        "device",
        `the kernels of '${name}' use ${words}, which ${where} does not offer; compile it for a ` +
          "target without them",
      );
    }
    requiredFeatures.push(feature);
  }
  if (needs.integer_dot && !gpu.wgslLanguageFeatures?.has(PACKED)) {
    throw new EdgemoeError(
      "device",
      `the kernels of '${name}' use the language feature ${PACKED}, which this browser does not ` +
        "have; compile it for a target without integer_dot, or take a current browser",
    );
  }
  if (adapter.features.has("timestamp-query")) requiredFeatures.push("timestamp-query");
  return { adapter, where, requiredFeatures, requiredLimits };
}

/** Ask for a device that the artifact runs on; what it lacks is a "device" error. */
export async function requestDevice(...wanted) {
  const { adapter, where, requiredFeatures, requiredLimits } = await findAdapter(...wanted);
  const device = await adapter.requestDevice({ requiredFeatures, requiredLimits });
  device.adapterName = where;
  return device;
}

const pipelines = new WeakMap(); // device -> Map of source -> promise of {pipeline, layout}

/** Compile kernels at the same time; one that this device has already is not compiled again. */
export function buildPipelines(device, kernels, progress) {
  if (!pipelines.has(device)) pipelines.set(device, new Map());
  const made = pipelines.get(device);
  let done = 0;
  return Promise.all(
    kernels.map(async (kernel) => {
      const key = `${kernel.read_only}\n${kernel.source}`;
      if (!made.has(key)) made.set(key, buildPipeline(device, kernel));
      const built = await made.get(key);
      progress?.("kernels", ++done, kernels.length);
      return [kernel.name, built];
    }),
  ).then((pairs) => new Map(pairs));
}

async function buildPipeline(device, kernel) {
  const entries = kernel.parameters.map((_, binding) => ({
    binding,
    visibility: GPUShaderStage.COMPUTE,
    buffer: { type: kernel.read_only.includes(binding) ? "read-only-storage" : "storage" },
  }));
  const layout = device.createBindGroupLayout({ entries });
  const module = device.createShaderModule({ code: kernel.source, label: kernel.name });
  try {
    const pipeline = await device.createComputePipelineAsync({
      label: kernel.name,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: kernel.name },
    });
    return { pipeline, layout, copies: kernel.template === "copy" };
  } catch (error) {
    const { messages } = await module.getCompilationInfo();
    const first = messages.find(({ type }) => type === "error");
    const why = first ? `line ${first.lineNum}: ${first.message}` : error.message;
    const text = `the browser refuses kernel '${kernel.name}': ${why}; please report it`;
    throw new EdgemoeError("device", text);
  }
}

/** Cut weights into pages [begin, end) of at most `most` bytes, never inside of a range. */
export function pagesOf(ranges, most) {
  const pages = [];
  for (const [offset, nbytes] of ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    const end = offset + nbytes;
    const last = pages[pages.length - 1];
    if (last && (offset < last[1] || end - last[0] <= most)) last[1] = Math.max(last[1], end);
    else pages.push([offset, end]);
  }
  return pages;
}

/** Everything of one model on the device; a state has one buffer, or two that take turns. */
export class Memory {
  constructor(device, manifest, plan, weights) {
    this.device = device;
    this.manifest = manifest;
    this.plan = plan;
    this.owned = [];
    this.inPlace = new Set(plan.facts.in_place_states ?? []);
    this.stateOf = new Map();
    for (const input of manifest.inputs) {
      if (input.state_output) this.stateOf.set(input.state_output, input.name);
    }
    this.upload(weights);
    this.arena = this.allocate(Math.max(4, ...plan.variants.map((v) => v.arena_bytes)));
    this.io = new Map();
    this.states = new Map();
    for (const where of ["input", "output"]) {
      manifest[`${where}s`].forEach((info, index) => {
        if (where === "input" && info.state_output) this.addState(info, index);
        else if (where === "input" || !this.stateOf.has(info.name)) {
          this.io.set(`${where}${index}`, this.allocate(this.largest(where, index)));
        }
      });
    }
  }

  addState(info, index) {
    const output = this.manifest.outputs.findIndex((x) => x.name === info.state_output);
    const nbytes = Math.max(this.largest("input", index), this.largest("output", output));
    const first = this.allocate(nbytes);
    const second = this.inPlace.has(info.name) ? first : this.allocate(nbytes);
    this.states.set(info.name, { nbytes, halves: [first, second], spare: null });
  }

  get hasPairs() {
    return [...this.states.keys()].some((name) => !this.inPlace.has(name));
  }

  touched(where, index) {
    return this.plan.variants.flatMap((variant) =>
      variant.buffers.filter((b) => b.where === where && b.index === index),
    );
  }

  largest(where, index) {
    const sizes = this.touched(where, index).map((b) => deviceBytes(b.dtype, elements(b.shape)));
    return Math.max(4, ...sizes);
  }

  dtypeOf(where, index, info) {
    return this.touched(where, index)[0]?.dtype ?? deviceDtype(info.dtype);
  }

  allocate(nbytes) {
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    if (nbytes > this.device.limits.maxBufferSize) {
      throw new EdgemoeError(
        "device",
        `'${this.manifest.name}' needs a buffer of ${nbytes} bytes, ${this.device.adapterName} has ` +
          `at most ${this.device.limits.maxBufferSize}; compile with smaller --tokens or a ` +
          "narrower --precision",
      );
    }
    const size = Math.ceil(nbytes / 4) * 4;
    const buffer = this.device.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST });
    this.owned.push(buffer);
    return buffer;
  }

  upload(weights) {
    const ranges = this.plan.variants.flatMap((variant) =>
      variant.buffers
        .filter((b) => b.where === "weights")
        .map((b) => [b.offset, Math.ceil(nbytesOf(b) / 4) * 4]),
    );
    this.pages = pagesOf(ranges, this.device.limits.maxBufferSize).map(([begin, end]) => {
      if (end > weights.byteLength) {
        throw new EdgemoeError("artifact", "weights.bin is cut off; copy the artifact again");
      }
      const buffer = this.allocate(end - begin);
      this.device.queue.writeBuffer(buffer, 0, weights, begin, end - begin);
      return { begin, end, buffer };
    });
  }

  /** Where a buffer of a plan lies in a run of this parity. */
  rangeOf(buffer, parity) {
    const size = Math.ceil(nbytesOf(buffer) / 4) * 4;
    if (buffer.where === "arena") return { buffer: this.arena, offset: buffer.offset, size };
    if (buffer.where === "weights") {
      const end = buffer.offset + size;
      const page = this.pages.find((p) => p.begin <= buffer.offset && end <= p.end);
      return { buffer: page.buffer, offset: buffer.offset - page.begin, size };
    }
    const info = this.manifest[`${buffer.where}s`][buffer.index];
    const state =
      buffer.where === "input" ? this.states.get(info.name) : this.states.get(this.stateOf.get(info.name));
    if (state) {
      const half = buffer.where === "input" ? parity : 1 - parity;
      return { buffer: state.halves[half], offset: 0, size };
    }
    return { buffer: this.io.get(`${buffer.where}${buffer.index}`), offset: 0, size };
  }

  destroy() {
    for (const buffer of this.owned) buffer.destroy();
  }
}

const WIDTHS = { int8: 1, uint8: 1, bool: 1, int16: 2, uint16: 2, float16: 2, bfloat16: 2 };

export function nbytesOf(buffer) {
  return elements(buffer.shape) * (WIDTHS[buffer.dtype] ?? 4);
}

/** The steps of a variant with a bind group each; null is a copy of a state to itself, in place. */
export function record(device, memory, variant, built, parity) {
  const ranges = variant.buffers.map((buffer) => memory.rangeOf(buffer, parity));
  return variant.steps.map((step) => {
    const { pipeline, layout, copies } = built.get(step.kernel);
    const [from, to] = step.arguments.map((argument) => ranges[argument.buffer]);
    if (copies && from.buffer === to.buffer && from.offset === to.offset) return null;
    const entries = step.arguments.map((argument, binding) => ({
      binding,
      resource: ranges[argument.buffer],
    }));
    const group = device.createBindGroup({ layout, entries });
    return { pipeline, group, x: Math.min(step.tasks, MOST_GROUPS), z: Math.ceil(step.tasks / MOST_GROUPS) };
  });
}
