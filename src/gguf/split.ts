/** Models that are split over several files: `NAME-00001-of-00003.gguf`. @module */

import { GgufError } from "./error.ts";
import type { MetadataReader } from "./metadata.ts";

/** Which part of a split model a file is. */
export interface SplitPart {
  /** From 0. */
  readonly index: number;
  /** At least 2. */
  readonly count: number;
}

const PARTS_MAX = 65_535;
const PART_NAME = /-(\d{5})-of-(\d{5})(\.gguf)$/i;

/** Keys that say how a model was split. */
export const SPLIT_KEYS: ReadonlySet<string> = new Set(["split.no", "split.count", "split.tensors.count"]);

/** The part that a file is, null for a whole model. Throws GgufError where the file contradicts itself. */
export function splitPart(get: MetadataReader): SplitPart | null {
  // A model that was joined again says 0.
  const count = get.u32("split.count", { max: PARTS_MAX, fallback: 0 });
  const index = get.u32("split.no", { max: PARTS_MAX, fallback: 0 });
  if (index >= Math.max(1, count)) {
    throw new GgufError(
      `split.no is ${index} of a split.count of ${count}: parts are counted from 0, the file is damaged`,
    );
  }
  return count > 1 ? { index, count } : null;
}

/** Paths of all parts of the model of which `path` names one, in order; `path` alone where the name is not that of a part. */
export function partPaths(path: string): string[] {
  const [name, number, total, extension] = PART_NAME.exec(path) ?? [];
  const count = Number(total);
  if (name === undefined || count < 2 || Number(number) < 1 || Number(number) > count) return [path];
  const prefix = path.slice(0, -name.length);
  return Array.from(
    { length: count },
    (_, i) => `${prefix}-${String(i + 1).padStart(5, "0")}-of-${total}${extension}`,
  );
}

/** The paths of all parts by the path of one. Throws GgufError where its name does not say which part it is. */
export function otherParts(path: string, { index, count }: SplitPart): string[] {
  const paths = partPaths(path);
  if (paths.length === count && paths[index] === path) return paths;
  const wanted = `-${String(index + 1).padStart(5, "0")}-of-${String(count).padStart(5, "0")}.gguf`;
  throw new GgufError(
    `this is part ${index + 1} of ${count} of a split model, and the other parts are found by its name: ` +
      `it must end in ${wanted}`,
  );
}
