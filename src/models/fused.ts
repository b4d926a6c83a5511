/** Tensors that files may have in one: taken apart as a file is read, so that nobody behind it knows the difference. @module */

import type { TensorSpec } from "../layers/tensors.ts";
import type { ModelHeader } from "./hyperparameters.ts";
import { type Dequantize, transposedReader, transposedTensor } from "./transposed.ts";

/** Tensors whose rows, or of vectors elements, lie one part's after the other's in one tensor. */
export interface Fusion {
  /** The one tensor. It may be called as one of its parts is, which then has fewer rows. */
  readonly whole: TensorSpec;
  readonly parts: readonly TensorSpec[];
  /** Those of the parts that are transposed in it, each of its matrices by itself. Default: none. */
  readonly transposed?: readonly TensorSpec[];
  /** Whether the family's files usually have it, so that random models do. */
  readonly isUsual: boolean;
}

/** Whether the file has the one tensor and none of the parts. */
export function isFused(tensors: ReadonlyMap<string, unknown>, { whole, parts }: Fusion): boolean {
  return tensors.has(whole.name) && !parts.some(({ name }) => name !== whole.name && tensors.has(name));
}

/** Rows of a matrix, of one expert's where there are some; elements of a vector. */
export function lengthOf({ kind, rows, k }: TensorSpec): number {
  return kind === "matrix" ? rows : k;
}

/** How often a fused tensor has its parts: once, or once for each expert or head. */
function timesOf({ experts = 1 }: TensorSpec): number {
  return experts;
}

/** Rows of the fused tensor that are one of a part's matrices; elements of a vector. */
function partLength({ transposed = [] }: Fusion, part: TensorSpec): number {
  return transposed.includes(part) ? part.k : lengthOf(part);
}

type Tensors = ModelHeader["tensors"];

/** The tensors with the parts in place of each fused one, whose shapes are checked. */
export function separateTensors<T extends Tensors>(tensors: T, fusions: readonly Fusion[]): T {
  const found = new Map(
    fusions.filter((fusion) => isFused(tensors, fusion)).map((fusion) => [fusion.whole.name, fusion]),
  );
  if (found.size === 0) return tensors;
  return new Map(
    [...tensors].flatMap(([name, tensor]) => {
      const fusion = found.get(name);
      if (fusion === undefined) return [[name, tensor] as const];
      return fusion.parts.map((part) => {
        if (fusion.transposed?.includes(part)) return [part.name, transposedTensor(tensor, part)] as const;
        const { kind, k, rows, experts } = part;
        const matrix = experts === undefined ? [k, rows] : [k, rows, experts];
        const dims = kind === "matrix" ? matrix : [k];
        const length = lengthOf(part) * timesOf(part);
        const size = "bytes" in tensor ? { bytes: rowBytes(tensor as Sized, fusion) * length } : {};
        return [part.name, { ...tensor, ...size, dims }] as const;
      });
    }),
  ) as unknown as T;
}

interface Sized {
  readonly bytes: number;
}

/** Bytes of a row of a matrix, an element of a vector. */
function rowBytes({ bytes }: Sized, { whole }: Fusion): number {
  return bytes / lengthOf(whole) / timesOf(whole);
}

interface ReadableFile extends ModelHeader {
  readonly tensors: ReadonlyMap<string, Sized & { readonly type: number; readonly dims: readonly number[] }>;
  readInto(tensor: string, byteOffset: number, target: Uint8Array): void;
}

/** A checked file as it would be with the parts in place of each fused tensor; those that are transposed in it come in F32. */
export function separateFile<T extends ReadableFile>(
  file: T,
  fusions: readonly Fusion[],
  dequantize: Dequantize,
): Pick<T, "path" | "get" | "tensors" | "readInto"> {
  const { path, get } = file;
  const places = new Map<string, Place>();
  const turned = new Map<string, (byteOffset: number, target: Uint8Array) => void>();
  for (const fusion of fusions) {
    if (!isFused(file.tensors, fusion)) continue;
    const { name } = fusion.whole;
    const tensor = file.tensors.get(name)!;
    const bytes = rowBytes(tensor, fusion), period = tensor.bytes / timesOf(fusion.parts[0]);
    let offset = 0;
    for (const part of fusion.parts) {
      const length = bytes * partLength(fusion, part);
      const place = { whole: name, offset, length, period };
      places.set(part.name, place);
      offset += length;
      if (!fusion.transposed?.includes(part)) continue;
      turned.set(
        part.name,
        transposedReader(
          part,
          tensor.type,
          length,
          (at, target) => readPart(file, place, at, target),
          dequantize,
        ),
      );
    }
  }
  return {
    path,
    get,
    tensors: separateTensors(file.tensors, fusions),
    readInto: (name, byteOffset, target) => {
      const place = places.get(name), read = turned.get(name);
      if (read !== undefined) read(byteOffset, target);
      else if (place === undefined) file.readInto(name, byteOffset, target);
      else readPart(file, place, byteOffset, target);
    },
  };
}

/** Where a part lies in a tensor: `length` bytes from `offset` on, and again every `period` bytes, one for each expert or head. */
interface Place {
  readonly whole: string;
  readonly offset: number;
  readonly length: number;
  readonly period: number;
}

function readPart(
  file: Pick<ReadableFile, "readInto">,
  { whole, offset, length, period }: Place,
  byteOffset: number,
  target: Uint8Array,
): void {
  for (let done = 0; done < target.length;) {
    const at = byteOffset + done, within = at % length;
    const count = Math.min(target.length - done, length - within);
    const start = Math.floor(at / length) * period + offset + within;
    file.readInto(whole, start, target.subarray(done, done + count));
    done += count;
  }
}
