/** Tensors that files may have in one: taken apart as a file is read, so that nobody behind it knows the difference. @module */

import type { TensorSpec } from "../layers/tensors.ts";
import type { ModelHeader } from "./hyperparameters.ts";

/** Tensors whose rows, or of vectors elements, lie one part's after the other's in one tensor. */
export interface Fusion {
  /** The one tensor. It may be called as one of its parts is, which then has fewer rows. */
  readonly whole: TensorSpec;
  readonly parts: readonly TensorSpec[];
  /** Whether the family's files usually have it, so that random models do. */
  readonly isUsual: boolean;
}

/** Whether the file has the one tensor and none of the parts. */
export function isFused(tensors: ReadonlyMap<string, unknown>, { whole, parts }: Fusion): boolean {
  return tensors.has(whole.name) && !parts.some(({ name }) => name !== whole.name && tensors.has(name));
}

/** Rows of a matrix, elements of a vector. */
export function lengthOf({ kind, rows, k }: TensorSpec): number {
  return kind === "matrix" ? rows : k;
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
        const dims = part.kind === "matrix" ? [part.k, part.rows] : [part.k];
        const size = "bytes" in tensor ? { bytes: rowBytes(tensor as Sized, fusion) * lengthOf(part) } : {};
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
  return bytes / lengthOf(whole);
}

interface ReadableFile extends ModelHeader {
  readonly tensors: ReadonlyMap<string, Sized & { readonly type: number; readonly dims: readonly number[] }>;
  readInto(tensor: string, byteOffset: number, target: Uint8Array): void;
}

/** A checked file as it would be with the parts in place of each fused tensor. */
export function separateFile<T extends ReadableFile>(
  file: T,
  fusions: readonly Fusion[],
): Pick<T, "path" | "get" | "tensors" | "readInto"> {
  const { path, get } = file;
  const places = new Map<string, { whole: string; offset: number }>();
  for (const fusion of fusions) {
    if (!isFused(file.tensors, fusion)) continue;
    const { name } = fusion.whole;
    let offset = 0;
    for (const part of fusion.parts) {
      places.set(part.name, { whole: name, offset });
      offset += rowBytes(file.tensors.get(name)!, fusion) * lengthOf(part);
    }
  }
  return {
    path,
    get,
    tensors: separateTensors(file.tensors, fusions),
    readInto: (name, byteOffset, target) => {
      const { whole, offset } = places.get(name) ?? { whole: name, offset: 0 };
      file.readInto(whole, offset + byteOffset, target);
    },
  };
}
