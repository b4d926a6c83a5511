/**
 * Scalar decoders of all weight formats, and encoders of the simple ones, written from the formats' definitions and
 * sharing nothing with the kernels: tests compare the two.
 */

import { type FormatName, formatNames, formatTypeId, type QuantizeKernels } from "../../src/gguf/mod.ts";

const HALVES = Float32Array.from(new Float16Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer));

function halfAt(bytes: Uint8Array, at: number): number {
  return HALVES[bytes[at] | (bytes[at + 1] << 8)];
}

type Decoder = (bytes: Uint8Array, out: Float32Array) => void;

const copy = (from: ArrayBufferView, to: ArrayBufferView) =>
  new Uint8Array(to.buffer, to.byteOffset, to.byteLength).set(
    new Uint8Array(from.buffer, from.byteOffset, from.byteLength),
  );

/** Decodes blocks of `length` elements in `size` bytes with a function of (block, its elements). */
function blocks(length: number, size: number, decode: Decoder): Decoder {
  return (bytes, out) => {
    for (let b = 0; b * size < bytes.length; b++) {
      decode(bytes.subarray(b * size, (b + 1) * size), out.subarray(b * length, (b + 1) * length));
    }
  };
}

/** 6-bit scale and min number `j` of a K format's 12 bytes. */
function scaleAndMin(packed: Uint8Array, j: number): [number, number] {
  if (j < 4) return [packed[j] & 63, packed[j + 4] & 63];
  return [
    (packed[j + 4] & 15) | ((packed[j - 4] >> 6) << 4),
    (packed[j + 4] >> 4) | ((packed[j] >> 6) << 4),
  ];
}

/** Quant `i` of 32: a bit in the first four bytes, a nibble in the sixteen after them. */
function fiveBits(packed: Uint8Array, i: number): number {
  const byte = packed[4 + (i & 15)];
  return (i < 16 ? byte & 15 : byte >> 4) + 16 * ((packed[i >> 3] >> (i & 7)) & 1);
}

const IQ4_VALUES = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
const FP4_VALUES = [0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6];

/** Quant `i` of 32 nibbles in 16 bytes from `at` on. */
function nibbleAt(bytes: Uint8Array, at: number, i: number): number {
  return i < 16 ? bytes[at + i] & 15 : bytes[at + i - 16] >> 4;
}

/** Two bits of value `i` of a block of 256, in 64 bytes from `at` on. */
function twoBits(bytes: Uint8Array, at: number, i: number): number {
  return (bytes[at + 32 * (i >> 7) + (i & 31)] >> (2 * ((i >> 5) & 3))) & 3;
}

/** Q3_K's scale number `i` of sixteen, from 12 bytes that begin at `at`. */
function sixBits(bytes: Uint8Array, at: number, i: number): number {
  const low = i < 8 ? bytes[at + i] & 15 : bytes[at + i - 8] >> 4;
  return low + 16 * ((bytes[at + 8 + (i & 3)] >> (2 * (i >> 2))) & 3) - 32;
}

const decoders: Record<FormatName, Decoder> = {
  f32: (bytes, out) => copy(bytes, out),
  f16: (bytes, out) => {
    for (let i = 0; i < out.length; i++) out[i] = halfAt(bytes, 2 * i);
  },
  bf16: (bytes, out) => {
    const bits = Uint32Array.from(out, (_, i) => (bytes[2 * i] | (bytes[2 * i + 1] << 8)) << 16);
    copy(bits, out);
  },
  q8_0: blocks(32, 34, (block, out) => {
    for (let i = 0; i < 32; i++) out[i] = halfAt(block, 0) * ((block[2 + i] << 24) >> 24);
  }),
  q4_0: blocks(32, 18, (block, out) => {
    for (let i = 0; i < 16; i++) {
      out[i] = halfAt(block, 0) * ((block[2 + i] & 15) - 8);
      out[i + 16] = halfAt(block, 0) * ((block[2 + i] >> 4) - 8);
    }
  }),
  q4_1: blocks(32, 20, (block, out) => {
    for (let i = 0; i < 16; i++) {
      out[i] = halfAt(block, 0) * (block[4 + i] & 15) + halfAt(block, 2);
      out[i + 16] = halfAt(block, 0) * (block[4 + i] >> 4) + halfAt(block, 2);
    }
  }),
  q5_0: blocks(32, 22, (block, out) => {
    for (let i = 0; i < 32; i++) out[i] = halfAt(block, 0) * (fiveBits(block.subarray(2), i) - 16);
  }),
  q5_1: blocks(32, 24, (block, out) => {
    for (let i = 0; i < 32; i++) {
      out[i] = halfAt(block, 0) * fiveBits(block.subarray(4), i) + halfAt(block, 2);
    }
  }),
  q2_k: blocks(256, 84, (block, out) => {
    for (let i = 0; i < 256; i++) {
      const factors = block[i >> 4];
      out[i] = halfAt(block, 80) * (factors & 15) * twoBits(block, 16, i) -
        halfAt(block, 82) * (factors >> 4);
    }
  }),
  q3_k: blocks(256, 110, (block, out) => {
    for (let i = 0; i < 256; i++) {
      const q = twoBits(block, 32, i) + 4 * ((block[i & 31] >> (i >> 5)) & 1);
      out[i] = halfAt(block, 108) * sixBits(block, 96, i >> 4) * (q - 4);
    }
  }),
  q4_k: blocks(256, 144, (block, out) => {
    for (let i = 0; i < 256; i++) {
      const j = i >> 5;
      const [sc, m] = scaleAndMin(block.subarray(4), j);
      const byte = block[16 + 32 * (j >> 1) + (i & 31)];
      const q = j & 1 ? byte >> 4 : byte & 15;
      out[i] = halfAt(block, 0) * sc * q - halfAt(block, 2) * m;
    }
  }),
  q5_k: blocks(256, 176, (block, out) => {
    for (let i = 0; i < 256; i++) {
      const j = i >> 5;
      const [sc, m] = scaleAndMin(block.subarray(4), j);
      const byte = block[48 + 32 * (j >> 1) + (i & 31)];
      const high = (block[16 + (i & 31)] >> j) & 1;
      const q = (j & 1 ? byte >> 4 : byte & 15) + 16 * high;
      out[i] = halfAt(block, 0) * sc * q - halfAt(block, 2) * m;
    }
  }),
  q6_k: blocks(256, 210, (block, out) => {
    for (let i = 0; i < 256; i++) {
      const [h, quarter, l] = [i >> 7, (i >> 5) & 3, i & 31];
      const low = block[64 * h + 32 * (quarter & 1) + l];
      const nibble = quarter < 2 ? low & 15 : low >> 4;
      const high = (block[128 + 32 * h + l] >> (2 * quarter)) & 3;
      const sc = (block[192 + (i >> 4)] << 24) >> 24;
      out[i] = halfAt(block, 208) * sc * (nibble + 16 * high - 32);
    }
  }),
  iq4_nl: blocks(32, 18, (block, out) => {
    for (let i = 0; i < 32; i++) out[i] = halfAt(block, 0) * IQ4_VALUES[nibbleAt(block, 2, i)];
  }),
  iq4_xs: blocks(256, 136, (block, out) => {
    for (let i = 0; i < 256; i++) {
      const j = i >> 5;
      const low = (block[4 + (j >> 1)] >> (4 * (j & 1))) & 15;
      const high = ((block[2] | (block[3] << 8)) >> (2 * j)) & 3;
      out[i] = halfAt(block, 0) * (low + 16 * high - 32) * IQ4_VALUES[nibbleAt(block, 8 + 16 * j, i & 31)];
    }
  }),
  mxfp4: blocks(32, 17, (block, out) => {
    for (let i = 0; i < 32; i++) out[i] = 2 ** (block[0] - 127) * FP4_VALUES[nibbleAt(block, 1, i)];
  }),
};

type Encoder = (values: Float32Array, out: Uint8Array) => void;

const encoders: Record<number, Encoder> = {
  1: (values, out) => copy(Float16Array.from(values), out),
  30: (values, out) => {
    const bits = new Uint32Array(values.slice().buffer);
    copy(Uint16Array.from(bits, (b) => (b + 0x7fff + ((b >>> 16) & 1)) >>> 16), out);
  },
  8: (values, out) => {
    for (let b = 0; b * 32 < values.length; b++) {
      const part = values.subarray(32 * b, 32 * b + 32);
      const amax = part.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
      const d = amax / 127;
      copy(Float16Array.of(d), out.subarray(34 * b, 34 * b + 2));
      part.forEach((value, i) => out[34 * b + 2 + i] = d === 0 ? 0 : Math.round(value / d));
    }
  },
};

function nameOf(typeId: number): FormatName {
  return formatNames.find((name) => formatTypeId(name) === typeId)!;
}

/** Decodes every weight format; encodes F16, BF16 and Q8_0. */
export const referenceCodecs: QuantizeKernels = {
  quantize: (format, source, target) => encoders[format](source, target),
  dequantize: (format, source, target) => decoders[nameOf(format)](source, target),
};
