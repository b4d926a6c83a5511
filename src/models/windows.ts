/** Layers that see a window of tokens beside layers that see all: what files say of them. @module */

import { showValue } from "../gguf/metadata.ts";
import { ModelError } from "./error.ts";
import type { Hyperparameters, ModelHeader } from "./hyperparameters.ts";

/** What {@linkcode withWindows} reads, or compares with what the layers that see all have. */
export const WINDOW_KEYS: readonly string[] = [
  "attention.sliding_window",
  "attention.sliding_window_pattern",
  "attention.key_length_swa",
  "attention.value_length_swa",
  "rope.dimension_count_swa",
  "rope.freq_base_swa",
];

const WINDOW_MAX = 1 << 27;

/** What a family does where its files say nothing. */
export interface WindowDefaults {
  /** Tokens that a windowed layer sees, its own among them. Default: no layer has a window. */
  window?: number;
  /** The last of so many layers sees all. */
  period: number;
  /** It is the first of them. */
  isFirst?: boolean;
  /** Base of the rotary frequencies of windowed layers, which are not stretched then. Default: all layers turn alike. */
  ropeBase?: number;
  /** Windowed layers turn by the same base, but their frequencies are not stretched. */
  unscaled?: boolean;
}

/**
 * The layers with their windows: `attention.sliding_window` tokens, in all layers but those that
 * `attention.sliding_window_pattern` leaves out, the last or first of each so many or an array with a truth value for each. Throws
 * ModelError and GgufError for values that cannot be.
 */
export function withWindows(
  h: Hyperparameters,
  file: ModelHeader,
  defaults: WindowDefaults,
): Hyperparameters {
  const { get } = file;
  const key = (name: string) => `${h.architecture}.${name}`;
  const window = get.u32(key("attention.sliding_window"), {
    max: WINDOW_MAX,
    fallback: defaults.window ?? 0,
  });
  if (window === 0) return h;
  checkSizes(h, file);
  const isWindowed = readPattern(h, file, defaults);
  const baseKey = key("rope.freq_base_swa");
  const ownBase = get.has(baseKey) || defaults.ropeBase !== undefined
    ? get.f32(baseKey, { min: 1, max: 1e12, fallback: defaults.ropeBase })
    : undefined;
  const isUnscaled = defaults.unscaled ?? defaults.ropeBase !== undefined;
  const scaling = isUnscaled ? { scaling: { type: "none" } as const } : {};
  const base = ownBase === undefined ? {} : { base: ownBase };
  const layers = h.layers.map((layer, i) => {
    if (!isWindowed(i)) return layer;
    return { ...layer, window, rope: { ...layer.rope, ...base, ...scaling } };
  });
  return { ...h, layers };
}

function readPattern(
  { architecture, layers }: Hyperparameters,
  { get }: ModelHeader,
  { period: fallback, isFirst }: WindowDefaults,
): (layer: number) => boolean {
  const key = `${architecture}.attention.sliding_window_pattern`;
  if (!get.hasArray(key)) {
    // Of periods of one layer each sees all, of none no layer does.
    const period = get.u32(key, { max: WINDOW_MAX, fallback });
    return (layer) => period === 0 || (layer + (isFirst ? 0 : 1)) % period !== 0;
  }
  const flags: ArrayLike<unknown> = get.array(key);
  if (flags.length !== layers.length || typeof flags[0] === "string") {
    const shown = typeof flags[0] === "string" ? "array of strings" : showValue(flags);
    throw new ModelError(
      `${key} must have a truth value for each of ${layers.length} layers, it is an ${shown}`,
    );
  }
  return (layer) => Boolean(flags[layer]);
}

/** Windowed layers have the sizes of the others in all families that there are. */
function checkSizes({ architecture, layers }: Hyperparameters, { get }: ModelHeader): void {
  const [{ keyDim, valueDim, rope }] = layers;
  const sizes = {
    "attention.key_length_swa": keyDim,
    "attention.value_length_swa": valueDim,
    "rope.dimension_count_swa": rope.dimensions,
  };
  for (const [name, size] of Object.entries(sizes)) {
    const found = get.u32(`${architecture}.${name}`, { fallback: size });
    if (found === size) continue;
    throw new ModelError(
      `${architecture}.${name} is ${found}, and layers without a window have ${size}: not supported`,
    );
  }
}
