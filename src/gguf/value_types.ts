/** Metadata value types by their id in the file. */
export const ValueType = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
} as const;

export type ValueTypeName = keyof typeof ValueType;

/** Numeric arrays stay typed arrays (a 128k vocabulary's scores are 0.5 MB, not 128k boxed numbers). */
export type MetadataArray =
  | string[]
  | boolean[]
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array;

/** A u64 or i64 is a number where it is a safe integer, else a bigint. */
export type MetadataValue = number | bigint | boolean | string | MetadataArray;

/** One key with the type it has in the file, so that a copy can be written without changing it. */
export interface MetadataEntry {
  readonly key: string;
  readonly type: ValueTypeName;
  /** For arrays only; arrays of arrays do not exist here. */
  readonly elementType?: ValueTypeName;
  readonly value: MetadataValue;
}

const NAMES: readonly ValueTypeName[] = Object.entries(ValueType)
  .sort((a, b) => a[1] - b[1])
  .map(([name]) => name as ValueTypeName);

/** The type's name, or undefined for an unknown id. */
export function valueTypeName(id: number): ValueTypeName | undefined {
  return NAMES[id];
}

/** Least number of bytes that one value of the type takes in a file (a string: its length field). */
export const VALUE_BYTES_MIN: Readonly<Record<ValueTypeName, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  bool: 1,
  string: 8,
  array: 12,
  u64: 8,
  i64: 8,
  f64: 8,
};

/** The typed array that holds a numeric type's values, undefined for bool, string and array. */
export const NUMERIC_ARRAY = {
  u8: Uint8Array,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
  u64: BigUint64Array,
  i64: BigInt64Array,
} as const;

export type NumericTypeName = keyof typeof NUMERIC_ARRAY;

export function isNumericType(name: ValueTypeName): name is NumericTypeName {
  return name in NUMERIC_ARRAY;
}
