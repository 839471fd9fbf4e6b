// Text with a language model whose manifest has a vocabulary.

import { EdgemoeError } from "./model_arrays.js";

/** Tokens of a text; the longest token that fits is taken at each place. */
export function encode(tokens, text) {
  const numbers = new Map(tokens.map((token, number) => [token, number]));
  const longest = Math.max(...tokens.map((token) => token.length));
  const found = [];
  for (let at = 0; at < text.length; ) {
    let length = Math.min(longest, text.length - at);
    while (length > 0 && !numbers.has(text.slice(at, at + length))) length--;
    if (length === 0) {
      throw new EdgemoeError(
        "input",
        `character ${JSON.stringify(text[at])} at place ${at} of the prompt is not in the model's ` +
          `vocabulary of ${tokens.length} tokens; leave it out`,
      );
    }
    found.push(numbers.get(text.slice(at, at + length)));
    at += length;
  }
  return found;
}

/** Repeatable random numbers in [0, 1): mulberry32. */
export function generatorOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** The first largest logit for temperature 0, else a sample. */
export function sample(logits, temperature, random) {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  if (!(temperature > 0)) return best;
  const weights = Array.from(logits, (x) => Math.exp((x - logits[best]) / temperature));
  let left = random() * weights.reduce((sum, x) => sum + x, 0);
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i];
    if (left < 0) return i;
  }
  return best;
}

/** The input of tokens and the output of logits. */
export function rolesOf(manifest) {
  const size = manifest.vocabulary?.tokens?.length ?? 0;
  const states = new Set(manifest.inputs.map((x) => x.state_output).filter(Boolean));
  const inputs = manifest.inputs.filter((x) => !x.state_output);
  const outputs = manifest.outputs.filter(
    (x) => !states.has(x.name) && x.dtype === "float32" && x.shape[x.shape.length - 1] === size,
  );
  if (!size || inputs.length !== 1 || outputs.length !== 1) {
    throw new EdgemoeError(
      "input",
      `'${manifest.name}' cannot generate text: that needs a vocabulary, one input besides states, ` +
        "and one float32 output of logits",
    );
  }
  return [inputs[0].name, outputs[0].name];
}

/** How many tokens the states hold; null when nothing says so. */
export function contextOf(manifest) {
  if (manifest.context_tokens !== null && manifest.context_tokens !== undefined) {
    return manifest.context_tokens;
  }
  const caches = manifest.inputs.filter((x) => x.state_output && x.shape.length > 1);
  return caches.length ? Math.min(...caches.map((x) => Math.max(...x.shape))) : null;
}
