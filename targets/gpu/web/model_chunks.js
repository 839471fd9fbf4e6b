// How an input whose token count is no bucket runs: refused, padded, or split over calls.

import { EdgemoeError } from "./model_arrays.js";

const WHY = {
  static: "",
  pad: " and pads up to the largest of them",
  split: " and splits into these, but the rest is below the smallest and padding would change results",
};

function next(plan, buckets, tokens, remaining) {
  const below = buckets.findLastIndex((bucket) => bucket <= remaining);
  const above = buckets.findIndex((bucket) => bucket > remaining);
  if (below >= 0 && buckets[below] === remaining) return [below, remaining];
  if (plan.dispatch === "pad" && above >= 0) return [above, remaining];
  if (plan.dispatch === "split" && below >= 0) return [below, buckets[below]];
  if (plan.dispatch === "split" && plan.facts.pad_ok && above >= 0) return [above, remaining];
  throw new EdgemoeError(
    "input",
    `no variant of model '${plan.name}' runs ${tokens} tokens: it was compiled for ` +
      `${buckets.join(", ")} tokens${WHY[plan.dispatch]}; give one of these, or compile with ` +
      `--tokens ...,${tokens}`,
  );
}

/** Cover `tokens` tokens by [{variant, begin, take}]; null is a model of static shape. */
export function chunksOf(plan, buckets, tokens) {
  if (tokens === null) return [{ variant: 0, begin: 0, take: 0 }];
  const chunks = [];
  for (let begin = 0; begin < tokens; ) {
    const [variant, take] = next(plan, buckets, tokens, tokens - begin);
    chunks.push({ variant, begin, take });
    begin += take;
  }
  return chunks;
}
