import type { MetadataArray, MetadataEntry, MetadataValue, ValueTypeName } from "./value_types.ts";

/** A metadata entry of a scalar type. */
export function scalarEntry(
  type: Exclude<ValueTypeName, "array">,
  key: string,
  value: Exclude<MetadataValue, MetadataArray>,
): MetadataEntry {
  return { key, type, value };
}

/** A metadata entry that is an array of `elementType`. */
export function arrayEntry(
  elementType: Exclude<ValueTypeName, "array">,
  key: string,
  value: MetadataArray,
): MetadataEntry {
  return { key, type: "array", elementType, value };
}

/** `entries` with `changes` in the place of entries of the same key, or at the end. */
export function withEntries(
  entries: readonly MetadataEntry[],
  changes: readonly MetadataEntry[],
): MetadataEntry[] {
  const byKey = new Map(entries.map((entry) => [entry.key, entry]));
  for (const change of changes) byKey.set(change.key, change);
  return [...byKey.values()];
}
