// Which experts the tokens used, read from the routing buffers of each run.

import { elements } from "./model_arrays.js";

/** Adds up, per MoE layer, for how many tokens each expert was active. */
export class ExpertUse {
  constructor(plan) {
    this.layers = new Map();
    for (const variant of plan.variants) {
      for (const region of variant.regions) {
        if (this.layers.has(region.name)) continue;
        const counts = new Array(region.experts).fill(0);
        const { name, origin, experts } = region;
        this.layers.set(name, { name, origin, experts, tokens: 0, counts });
      }
    }
  }

  /** Count the first `take` tokens of what a region's buffer held: 32-bit words. */
  add(variant, region, words, take) {
    const layer = this.layers.get(region.name);
    const buffer = variant.buffers[region.buffer];
    let values = region.constant_ids;
    if (!values.length) {
      const Kind = buffer.dtype === "float32" ? Float32Array : Int32Array;
      values = new Kind(words.buffer, words.byteOffset, elements(buffer.shape));
    }
    const width = values.length / region.tokens;
    const tokens = variant.tokens ? Math.floor((region.tokens * take) / variant.tokens) : region.tokens;
    for (let token = 0; token < tokens; token++) {
      const row = values.slice(token * width, (token + 1) * width);
      const active = new Set();
      row.forEach((value, place) => {
        if (region.routing === "scored") value !== 0 && active.add(place);
        else if (value >= 0 && value < region.experts) active.add(value);
      });
      for (const expert of active) layer.counts[expert]++;
    }
    layer.tokens += tokens;
  }

  /** Copies of all layers, in the order of the model. */
  list() {
    return [...this.layers.values()].map((layer) => ({ ...layer, counts: [...layer.counts] }));
  }

  reset() {
    for (const layer of this.layers.values()) {
      layer.tokens = 0;
      layer.counts.fill(0);
    }
  }
}
