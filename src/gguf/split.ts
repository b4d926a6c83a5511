/** Models that are split over several files. @module */

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
/** So many names of parts are listed; of more the first and the last ones. */
const NAMES_MAX = 5;

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

/** Throws GgufError for a part of a split model, naming the other parts and what joins them. */
export function checkWhole({ get, path }: { readonly get: MetadataReader; readonly path?: string }): void {
  const part = splitPart(get);
  if (part !== null) throw splitError(path, part);
}

/** As {@linkcode checkWhole}, by a file's name alone: before somebody downloads it. */
export function checkWholeName(path: string): void {
  const [, number, total] = /-(\d{5})-of-(\d{5})\.gguf$/i.exec(path) ?? [];
  const count = Number(total), index = Number(number) - 1;
  if (count > 1 && index >= 0 && index < count) throw splitError(path, { index, count });
}

function splitError(path: string | undefined, part: SplitPart): GgufError {
  const { index, count } = part;
  const { prefix, suffix } = namesOf(path, part);
  const nameOf = (i: number) => `${prefix}${numbered(i, count)}${suffix}`;
  const others = Array.from({ length: count }, (_, i) => i).filter((i) => i !== index).map(nameOf);
  const listed = others.length > NAMES_MAX
    ? `${others[0]} to ${others.at(-1)}`
    : others.length === 1
    ? others[0]
    : `${others.slice(0, -1).join(", ")} and ${others.at(-1)}`;
  return new GgufError(
    `this is part ${index + 1} of ${count} of a split model, which cannot be loaded in parts; the other${
      others.length > 1 ? "s are" : " is"
    } ${listed}. Join them: llama-gguf-split --merge ${nameOf(0)} ${prefix.replace(/-$/, "")}${suffix}`,
  );
}

/** `-00001-of-00003` without its first dash: what llama.cpp's tools put between a name and `.gguf`. */
function numbered(index: number, count: number): string {
  return `${String(index + 1).padStart(5, "0")}-of-${String(count).padStart(5, "0")}`;
}

function namesOf(path: string | undefined, { index, count }: SplitPart): { prefix: string; suffix: string } {
  const name = path?.split(/[/\\]/).at(-1) ?? "";
  const own = numbered(index, count);
  const at = name.lastIndexOf(own);
  // A file that was renamed: its parts have this shape of name somewhere.
  return at < 0
    ? { prefix: "NAME-", suffix: ".gguf" }
    : { prefix: name.slice(0, at), suffix: name.slice(at + own.length) };
}
