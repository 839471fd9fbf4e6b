// Types of model.js, the module that runs an artifact of edgemoe in a browser.

/** One input or output; -1 stands on the token axis. */
export interface TensorInfo {
  name: string;
  dtype: string;
  shape: number[];
  token_axis: number | null;
  /** Of an input: the output that becomes it in the next run (a KV cache, a position). */
  state_output: string | null;
}

/** Values in row-major order. Integers may be of any kind that 32 bits hold. */
export type Values = ArrayLike<number> | BigInt64Array | BigUint64Array;

/** Floats of every width come as Float32Array, bool as Uint8Array, integers as 32 bits. */
export type Result = Float32Array | Int32Array | Uint32Array | Uint8Array;

export interface LoadOptions {
  /** Default: navigator.gpu. */
  gpu?: GPU;
  /** A device that fits the manifest's table "gpu"; default: one that all models share. */
  device?: GPUDevice;
  powerPreference?: "low-power" | "high-performance";
  /** How files are read; default: fetch, relative to `base`. */
  read?: (name: string) => Promise<ArrayBuffer | Uint8Array>;
  /** Compare SHA-256 sums with the manifest on secure pages; default: true. */
  verify?: boolean;
  /** What is being done: "kernels" or "weights". */
  progress?: (what: string, done: number, total: number) => void;
}

export interface RunOptions {
  /** Outputs of held states to return as well. */
  states?: string[];
  /** Count which experts the tokens use; see `Model.expertUse`. */
  experts?: boolean;
}

export interface GenerateOptions {
  maxTokens?: number;
  /** 0 takes the likeliest token, 1 samples from the model's distribution. */
  temperature?: number;
  /** Makes sampling repeatable. */
  seed?: number;
  experts?: boolean;
}

/** How one MoE layer was used: `counts[e]` tokens had expert e active. */
export interface LayerUse {
  name: string;
  origin: string;
  experts: number;
  tokens: number;
  counts: number[];
}

export interface StepTime {
  variant: number;
  step: number;
  kernel: string;
  label: string;
  nanoseconds: number;
}

/** `kind`: the artifact is damaged, the device lacks something or is lost, or an input is wrong. */
export class EdgemoeError extends Error {
  readonly kind: "artifact" | "device" | "input";
}

/** An opened artifact; runs take place in the order in which they were asked for. */
export class Model {
  private constructor();
  readonly name: string;
  readonly inputs: TensorInfo[];
  readonly outputs: TensorInfo[];
  readonly buckets: number[];
  readonly vocabulary: string[] | null;
  readonly deviceName: string;
  /** States that are left out of `inputs` are kept on the device from run to run. */
  run(inputs: Record<string, Values>, options?: RunOptions): Promise<Record<string, Result>>;
  /** Compile the kernels for so many tokens now; else the first run that needs them does. */
  prepare(tokens?: number | null): Promise<void>;
  stepTimes(inputs: Record<string, Values>): Promise<StepTime[]>;
  /** Text of one token after another, continuing `prompt` from fresh states. */
  generate(prompt: string, options?: GenerateOptions): AsyncGenerator<string, void, void>;
  expertUse(): LayerUse[];
  resetExpertUse(): void;
  /** Set the states that the model holds back to zeros. */
  reset(): void;
  destroy(): void;
}

/** Open the artifact at `base` (a URL that ends with a slash); default: beside model.js. */
export function load(base?: string | URL, options?: LoadOptions): Promise<Model>;

/** Why models cannot run here, as a sentence; null when they can. */
export function whyNot(gpu?: GPU): Promise<string | null>;
