import { scalarEntry } from "../gguf/entries.ts";
import type { MetadataEntry } from "../gguf/value_types.ts";

/** Keys of a family's namespace: whole numbers, or as they are given. */
export function shapeKeys(
  family: string,
  values: Readonly<Record<string, number | boolean>>,
  floats = {},
): MetadataEntry[] {
  const name = (key: string) => `${family}.${key}`;
  return [
    ...Object.entries(values).map(([key, value]) =>
      typeof value === "boolean"
        ? scalarEntry("bool", name(key), value)
        : scalarEntry("u32", name(key), value)
    ),
    ...Object.entries<number>(floats).map(([key, value]) => scalarEntry("f32", name(key), value)),
  ];
}
