/** Objects of the library that kernels own. @module */

import { asBuffer } from "./buffers.ts";
import { check } from "./errors.ts";
import type { KernelSymbols } from "./library.ts";
import { Arena, type Owner, Rope, States, u32, Vector, Weights } from "./objects.ts";
import { type ArenaParams, encodeArenaLayers, encodeRope, type RopeParams } from "./params.ts";

const idWord = new Uint32Array(1);
const idBuffer = asBuffer(idWord);

/** A packed matrix [rows, k] that is still empty. */
export function createWeights(
  native: KernelSymbols,
  owner: Owner,
  format: number,
  rows: number,
  k: number,
): Weights {
  const status = native.kumi_weights_create(
    owner.id,
    u32(format, "format"),
    u32(rows, "rows"),
    u32(k, "k"),
    idBuffer,
  );
  check(status, "create weights", { format, rows, k });
  return new Weights(owner, idWord[0], format, rows, k);
}

/** A copy of `data`. */
export function createVector(native: KernelSymbols, owner: Owner, data: Float32Array): Vector {
  const status = native.kumi_vector_create(
    owner.id,
    data.length,
    asBuffer(data),
    data.byteLength,
    idBuffer,
  );
  check(status, "create vector", { length: data.length });
  return new Vector(owner, idWord[0], data.length);
}

/** Tables of cosines and sines. */
export function createRope(native: KernelSymbols, owner: Owner, params: RopeParams): Rope {
  const desc = encodeRope(params);
  check(
    native.kumi_rope_create(owner.id, desc, desc.byteLength, idBuffer),
    "create rope",
    { ...params, freqFactors: params.freqFactors?.length },
  );
  return new Rope(owner, idWord[0], params.rotatedDims, params.maxPositions);
}

/** A KV cache. */
export function createArena(native: KernelSymbols, owner: Owner, params: ArenaParams): Arena {
  const { layers, slots, format } = params;
  const desc = encodeArenaLayers(layers);
  const status = native.kumi_arena_create(
    owner.id,
    desc,
    desc.byteLength,
    u32(slots, "slots"),
    u32(format, "format"),
    idBuffer,
  );
  if (status < 0) check(status, "create arena", { slots, format, layers: JSON.stringify(layers) });
  return new Arena(owner, idWord[0], slots);
}

/** States of sequences. */
export function createStates(native: KernelSymbols, owner: Owner, slots: number, slotBytes: number): States {
  const status = native.kumi_states_create(
    owner.id,
    u32(slots, "slots"),
    u32(slotBytes, "slotBytes"),
    idBuffer,
  );
  check(status, "create states", { slots, slotBytes });
  return new States(owner, idWord[0], slots, slotBytes);
}
