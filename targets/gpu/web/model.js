// Runs an artifact of edgemoe (-t webgpu) in a browser: ES modules without dependencies.
//
//   import { load } from "./char_moe/model.js";
//   const model = await load();                    // the artifact that this file lies in
//   const { y } = await model.run({ x: new Float32Array(104) });
//
// What it takes and gives is in model.d.ts.

import { EdgemoeError } from "./model_arrays.js";
import { buildPipelines, findAdapter, requestDevice } from "./model_device.js";
import { Model } from "./model_session.js";

export { EdgemoeError, Model };

const FORMAT = 1;
const HEADER_BYTES = 64; // of weights.bin
const devices = new Map(); // what is asked of a device -> promise of it: pages share pipelines

/** Why models cannot run here; null when they can. */
export async function whyNot(gpu = globalThis.navigator?.gpu) {
  try {
    const nothing = {
      threads: 1, local_bytes: 0, storage_buffers: 1, binding_bytes: 4, fp16: false, subgroups: false,
    };
    await findAdapter(gpu, nothing, "a model", undefined);
    return null;
  } catch (error) {
    return error.message;
  }
}

/** Open the artifact at `base`, a URL that ends with a slash. */
export async function load(base = new URL("./", import.meta.url), options = {}) {
  const reader = options.read ?? ((name) => fetchFile(new URL(name, base)));
  const text = async (name) => new TextDecoder().decode(await reader(name));
  const manifest = await parsed(text, "manifest.json");
  if (manifest.family !== "webgpu") {
    const family = manifest.family ?? "cpu";
    throw new EdgemoeError("artifact", `this artifact is for ${family}; compile it with -t webgpu`);
  }
  if (manifest.format > FORMAT) {
    const wanted = `format ${manifest.format}, this module reads up to ${FORMAT}`;
    throw new EdgemoeError("artifact", `the artifact has ${wanted}; compile the model again`);
  }
  const progress = options.progress;
  const files = checkedFiles(reader, manifest, options.verify !== false);
  const plan = JSON.parse(new TextDecoder().decode(await files("plan.json")));
  const device = options.device ?? (await sharedDevice(manifest, options));
  const weights = files("weights.bin");
  weights.catch(() => {}); // reported below, after what comes first
  const texts = new Map(); // kernel -> promise of its text: fetched once
  const source = (name) => {
    if (!texts.has(name)) {
      const text = files(`kernels/${name}.wgsl`).then((data) => new TextDecoder().decode(data));
      text.catch(() => texts.delete(name)); // another run may try again
      texts.set(name, text);
    }
    return texts.get(name);
  };
  const build = async (names) => {
    const kernels = plan.kernels.filter((kernel) => names.has(kernel.name));
    const whole = kernels.map(async (kernel) => ({ ...kernel, source: await source(kernel.name) }));
    return buildPipelines(device, await Promise.all(whole), progress);
  };
  const first = build(new Set(plan.variants[0].steps.map((step) => step.kernel)));
  first.catch(() => {});
  const payload = (await weights).slice(HEADER_BYTES);
  const model = new Model(device, manifest, plan, build, payload);
  progress?.("weights", 1, 1);
  await first; // the smallest bucket; the others are compiled when a run needs them
  return model;
}

async function parsed(text, name) {
  try {
    return JSON.parse(await text(name));
  } catch (error) {
    if (error instanceof EdgemoeError) throw error;
    throw new EdgemoeError("artifact", `${name} cannot be read (${error.message}); copy it again`);
  }
}

async function fetchFile(url) {
  const response = await fetch(url);
  if (!response.ok) {
    const what = `${url} cannot be fetched (${response.status})`;
    throw new EdgemoeError("artifact", `${what}; serve the whole folder of the artifact`);
  }
  return response.arrayBuffer();
}

/** Reads files of the manifest and compares size and (on secure pages) SHA-256. */
function checkedFiles(reader, manifest, verify) {
  return async (name) => {
    const wanted = manifest.files[name];
    if (!wanted) throw new EdgemoeError("artifact", `the manifest does not list '${name}'`);
    const data = await reader(name);
    if (data.byteLength !== wanted.bytes) {
      throw new EdgemoeError(
        "artifact",
        `'${name}' has ${data.byteLength} bytes, the manifest says ${wanted.bytes} (cut off or ` +
          "edited); copy the artifact again",
      );
    }
    if (verify && globalThis.crypto?.subtle) {
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
      const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
      if (hex !== wanted.sha256) {
        throw new EdgemoeError("artifact", `'${name}' was edited or damaged; copy the artifact again`);
      }
    }
    return data;
  };
}

function sharedDevice(manifest, options) {
  const gpu = options.gpu ?? globalThis.navigator?.gpu;
  const { fp16, subgroups } = manifest.gpu;
  const key = JSON.stringify([fp16, subgroups, options.powerPreference]);
  if (!devices.has(key)) {
    const made = requestDevice(gpu, manifest.gpu, manifest.name, options.powerPreference);
    const forget = () => devices.delete(key);
    made.then((device) => device.lost.then(forget), forget);
    devices.set(key, made);
  }
  return devices.get(key).then((device) => {
    if (manifest.gpu.threads > device.limits.maxComputeInvocationsPerWorkgroup) {
      throw new EdgemoeError("device", `'${manifest.name}' needs larger work-groups than there are`);
    }
    return device;
  });
}
