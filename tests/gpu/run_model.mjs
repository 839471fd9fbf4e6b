// Runs an artifact's model.js outside of a browser, on Dawn for Node (the npm package webgpu).
//
//   node run_model.mjs ARTIFACT JOBS.json
//
// A job is [method, ...arguments]; the results are printed as a JSON array. Arrays become lists.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, jobs] = process.argv.slice(2);
const require = createRequire(join(process.env.EDGEMOE_NODE_MODULES, "package.json"));
const { create, globals } = require("webgpu");
Object.assign(globalThis, globals);
const gpu = create([]);
const { load, whyNot } = await import(pathToFileURL(join(folder, "model.js")));
const read = async (name) => {
  const data = await readFile(join(folder, name));
  return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
};

const plain = (value) => {
  if (ArrayBuffer.isView(value)) return Array.from(value, Number);
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)]));
  }
  return value;
};

let model = null;
const results = [];
for (const [method, ...args] of JSON.parse(await readFile(jobs, "utf-8"))) {
  try {
    if (method === "whyNot") results.push(await whyNot(args[0] === "none" ? null : gpu));
    else {
      const start = performance.now();
      model ??= await load(pathToFileURL(folder + "/"), { gpu, read });
      if (method === "load") {
        results.push({ milliseconds: performance.now() - start, device: model.deviceName });
      } else if (method === "reload") {
        model = await load(pathToFileURL(folder + "/"), { gpu, read });
        results.push({ milliseconds: performance.now() - start });
      } else if (method === "together") {
        results.push((await Promise.all(args[0].map((inputs) => model.run(inputs)))).map(plain));
      } else if (method === "generate") {
        let text = "";
        for await (const piece of model.generate(...args)) text += piece;
        results.push(text);
      } else {
        const result = await model[method](...args);
        results.push(Array.isArray(result) ? result : plain(result));
      }
    }
  } catch (error) {
    results.push({ error: error.message, kind: error.kind ?? error.stack });
  }
}
process.stdout.write(`${JSON.stringify(results)}\n`, () => process.exit(0));
