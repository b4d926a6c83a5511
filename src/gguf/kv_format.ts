import type { KvShape } from "./describe.ts";
import { tensorTypeByName } from "./tensor_types.ts";

/** Formats in which keys and values are kept. In q8_0, 32 elements of a head share a scale. */
export type KvFormat = "f16" | "bf16" | "f32" | "q8_0";

/** All {@linkcode KvFormat}s, the default first. */
export const kvFormatNames: readonly KvFormat[] = ["f16", "bf16", "f32", "q8_0"];

/** Whether this is the name of a KV format. */
export function isKvFormat(name: string): name is KvFormat {
  return kvFormatNames.some((format) => format === name);
}

/** Throws RangeError where heads of this size cannot be kept in the format. */
export function checkKvFormat(format: KvFormat, { keyLength, valueLength }: Omit<KvShape, "heads">): void {
  const { blockLength } = tensorTypeByName(format)!;
  for (const length of [keyLength, valueLength]) {
    if (length % blockLength === 0) continue;
    throw new RangeError(
      `KV format ${format} takes heads of a multiple of ${blockLength} elements, this model's have ${length}`,
    );
  }
}

/** Bytes of keys and values for each token of each sequence. */
export function kvBytesPerToken({ heads, keyLength, valueLength }: KvShape, format: KvFormat): number {
  const { blockLength, blockBytes } = tensorTypeByName(format)!;
  return heads * (keyLength + valueLength) / blockLength * blockBytes;
}
