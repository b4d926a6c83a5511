/**
 * The header of a safetensors file: a length, JSON with a place for each tensor, then the tensors without
 * gaps.
 * @module
 */

import type { ByteSource } from "../gguf/byte_source.ts";
import { quote } from "../gguf/error.ts";
import { CheckpointError } from "./error.ts";

/** A tensor in a file. */
export interface StoredTensor {
  readonly name: string;
  /** As the file writes it: F32, BF16 … */
  readonly dtype: string;
  /** The contiguous dimension last. */
  readonly shape: readonly number[];
  /** Absolute position in the file, in bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** Bounds on what a file may declare. */
export const SAFETENSORS_LIMITS = { headerBytes: 100_000_000, tensors: 100_000, dimensions: 8 } as const;

const DTYPE_BYTES: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
};

const LENGTH_BYTES = 8;

/**
 * Reads and checks a header; nothing in the file is trusted. Throws CheckpointError. Source: the format's
 * description at github.com/huggingface/safetensors.
 */
export function readSafetensorsHeader(source: ByteSource): Map<string, StoredTensor> {
  const json = readJson(source);
  const dataOffset = LENGTH_BYTES + json.bytes;
  const names = Object.keys(json.value).filter((name) => name !== "__metadata__");
  if (names.length > SAFETENSORS_LIMITS.tensors) {
    throw new CheckpointError(
      `it has ${names.length} tensors, more than the ${SAFETENSORS_LIMITS.tensors} that are allowed`,
    );
  }
  const tensors = names.map((name) => readTensor(name, json.value[name], dataOffset));
  checkPlaces(tensors, dataOffset, source.bytes);
  return new Map(tensors.map((tensor) => [tensor.name, tensor]));
}

function readJson(source: ByteSource): { value: Record<string, unknown>; bytes: number } {
  if (source.bytes < LENGTH_BYTES) {
    throw new CheckpointError(`it has ${source.bytes} bytes, which is no safetensors file`);
  }
  const head = new Uint8Array(LENGTH_BYTES);
  source.readAt(0, head);
  const length = new DataView(head.buffer).getBigUint64(0, true);
  const max = Math.min(SAFETENSORS_LIMITS.headerBytes, source.bytes - LENGTH_BYTES);
  if (length > BigInt(max)) {
    throw new CheckpointError(
      `its header is said to have ${length} bytes, and at most ${max} are possible: it is no safetensors file, or cut off`,
    );
  }
  const bytes = new Uint8Array(Number(length));
  source.readAt(LENGTH_BYTES, bytes);
  try {
    const value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (isRecord(value)) return { value, bytes: bytes.length };
  } catch (cause) {
    throw new CheckpointError(`its header is no JSON: ${(cause as Error).message.slice(0, 200)}`, { cause });
  }
  throw new CheckpointError("its header is no JSON object");
}

function readTensor(name: string, description: unknown, dataOffset: number): StoredTensor {
  const shown = `tensor ${quote(name)}`;
  if (!isRecord(description)) throw new CheckpointError(`${shown} is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = description;
  if (typeof dtype !== "string" || !Object.hasOwn(DTYPE_BYTES, dtype)) {
    throw new CheckpointError(
      `${shown}: dtype must be one of ${Object.keys(DTYPE_BYTES).join(", ")}, current value is ${
        brief(dtype)
      }`,
    );
  }
  if (!isCounts(shape) || shape.length > SAFETENSORS_LIMITS.dimensions) {
    throw new CheckpointError(
      `${shown}: shape must be a list of whole numbers, current value is ${brief(shape)}`,
    );
  }
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    throw new CheckpointError(
      `${shown}: data_offsets must be two positions in order, current value is ${brief(offsets)}`,
    );
  }
  const bytes = shape.reduce((product, n) => product * n, DTYPE_BYTES[dtype]);
  if (bytes !== offsets[1] - offsets[0]) {
    throw new CheckpointError(
      `${shown}: ${dtype} of [${shape.join(", ")}] takes ${bytes} bytes, but data_offsets has room for ${
        offsets[1] - offsets[0]
      }`,
    );
  }
  return { name, dtype, shape, offset: dataOffset + offsets[0], bytes };
}

/** The tensors fill the file from its header to its end. */
function checkPlaces(tensors: readonly StoredTensor[], dataOffset: number, fileBytes: number): void {
  let at = dataOffset;
  for (
    const { name, offset, bytes } of tensors.toSorted((a, b) => a.offset - b.offset || a.bytes - b.bytes)
  ) {
    if (offset !== at) {
      const what = offset < at ? "overlaps another" : "leaves a gap before it";
      throw new CheckpointError(
        `tensor ${quote(name)} ${what}: it is at ${offset - dataOffset}, expected ${at - dataOffset}`,
      );
    }
    at += bytes;
  }
  if (at !== fileBytes) {
    throw new CheckpointError(
      `its tensors end at byte ${at}, and it has ${fileBytes}: it is cut off or damaged`,
    );
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function brief(value: unknown): string {
  return (JSON.stringify(value) ?? "missing").slice(0, 80);
}
