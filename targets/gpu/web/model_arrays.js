// Arrays on their way to the device and back: it holds float32, float16, int32 and uint32 only.

/** Every error that a page can cause; `kind` is "artifact", "device" or "input". */
export class EdgemoeError extends Error {
  constructor(kind, message) {
    super(message);
    this.name = "EdgemoeError";
    this.kind = kind;
  }
}

const DEVICE_ARRAYS = {
  float32: Float32Array, int32: Int32Array, uint32: Uint32Array, int8: Int8Array,
};
const BYTES = { float16: 2, bfloat16: 2, int8: 1 }; // narrow caches have the model's own dtype
const RANGES = {
  int8: "-128 to 127", int32: "-2147483648 to 2147483647", uint32: "0 to 4294967295",
};
const FLOATS = new Set(["float32", "float64", "float16", "bfloat16"]);

export function elements(shape) {
  return shape.reduce((product, extent) => product * extent, 1);
}

export function deviceBytes(dtype, count) {
  return Math.ceil((count * (BYTES[dtype] ?? 4)) / 4) * 4;
}

/** The dtype on a device of a tensor that no step touches. */
export function deviceDtype(dtype) {
  if (FLOATS.has(dtype)) return "float32";
  return dtype === "uint32" || dtype === "uint64" ? "uint32" : "int32";
}

const bits = new DataView(new ArrayBuffer(4));

/** The nearest half, ties to even. */
export function halfOfFloat(value) {
  bits.setFloat32(0, value);
  const word = bits.getUint32(0);
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    bits.setUint32(0, magnitude);
    bits.setFloat32(0, bits.getFloat32(0) + 0.5); // the sum rounds to multiples of 2^-24
    return sign | (bits.getUint32(0) - 0x3f000000);
  }
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
}

export function floatOfHalf(half) {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The nearest bfloat16, ties to even. */
function bfloatOfFloat(value) {
  bits.setFloat32(0, value);
  const word = bits.getUint32(0);
  if ((word & 0x7fffffff) > 0x7f800000) return (word >>> 16) | 0x40;
  return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
}

function floatOfBfloat(half) {
  bits.setUint32(0, half << 16);
  return bits.getFloat32(0);
}

const HALVES = {
  float16: [halfOfFloat, floatOfHalf],
  bfloat16: [bfloatOfFloat, floatOfBfloat],
};

/** Values of the caller for an input as an array of `dtype`, that of the device. */
export function toDevice(values, info, dtype) {
  if (typeof values?.length !== "number") {
    throw new EdgemoeError("input", `input '${info.name}' is no array; give a typed array`);
  }
  if (dtype in HALVES) {
    const [narrow] = HALVES[dtype];
    const halves = new Uint16Array(2 * Math.ceil(values.length / 2));
    for (let i = 0; i < values.length; i++) halves[i] = narrow(Number(values[i]));
    return halves;
  }
  const Kind = DEVICE_ARRAYS[dtype];
  if (values instanceof Kind) return values;
  const array = new Kind(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    array[i] = value;
    if (dtype !== "float32" && array[i] !== value) {
      throw new EdgemoeError(
        "input",
        `input '${info.name}' holds ${value}, which is no integer of ${RANGES[dtype]}: GPUs compute with ` +
          "32-bit integers; give others, or run the model on a CPU",
      );
    }
  }
  return array;
}

/** What the device computed: Float32Array, Int32Array or Uint32Array; Uint8Array for bool. */
export function fromDevice(buffer, offset, count, info, dtype) {
  if (dtype in HALVES) {
    return Float32Array.from(new Uint16Array(buffer, offset, count), HALVES[dtype][1]);
  }
  const array = new DEVICE_ARRAYS[dtype](buffer, offset, count);
  return info.dtype === "bool" ? Uint8Array.from(array, (x) => (x ? 1 : 0)) : array.slice();
}

/** Rows of the token axis: [blocks before it, elements of one token in a block]. */
export function rowsOf(info) {
  const axis = info.token_axis;
  return [elements(info.shape.slice(0, axis)), elements(info.shape.slice(axis + 1))];
}

/** Tokens `begin` to `begin + take` of `array`, then zeros up to `bucket`. */
export function tokenSlice(array, info, tokens, begin, take, bucket) {
  const [outer, row] = rowsOf(info);
  if (take === bucket && take === tokens) return array;
  const step = 4 / array.BYTES_PER_ELEMENT; // copies are multiples of 4 bytes
  const part = new array.constructor(step * Math.ceil((outer * bucket * row) / step));
  for (let k = 0; k < outer; k++) {
    const start = (k * tokens + begin) * row;
    part.set(array.subarray(start, start + take * row), k * bucket * row);
  }
  return part;
}

/** Put `take` tokens of a chunk into the whole output. */
export function placeTokens(target, part, info, tokens, begin, take, bucket) {
  const [outer, row] = rowsOf(info);
  for (let k = 0; k < outer; k++) {
    const from = part.subarray(k * bucket * row, (k * bucket + take) * row);
    target.set(from, (k * tokens + begin) * row);
  }
}
