import { GgufError } from "./error.ts";
import { formatTypeId, type WeightFormatName, weightFormatNames } from "./storage_format.ts";
import { tensorType, TensorTypeId } from "./tensor_types.ts";

/** A small fast counter-free generator (sfc32): the same words for the same seed on every machine. */
export class RandomWords {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number, stream: number) {
    this.#a = seed | 0;
    this.#b = stream | 0;
    this.#c = 0x9e3779b9;
    this.fill(new Uint32Array(16));
  }

  /** Fills `words` with random bits. Source: C. Doty-Humphrey's PractRand. */
  fill(words: Uint32Array): void {
    let [a, b, c, counter] = [this.#a, this.#b, this.#c, this.#counter];
    for (let i = 0; i < words.length; i++) {
      const word = (a + b + counter) | 0;
      counter = (counter + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + word) | 0;
      words[i] = word;
    }
    [this.#a, this.#b, this.#c, this.#counter] = [a, b, c, counter];
  }
}

/** Writes random rows of one format with a given spread; makes gigabytes in seconds. */
export interface RandomRows {
  /** Fills `out`, a whole number of blocks, with elements of mean about 0 and the spread asked for. */
  fill(out: Uint8Array, random: RandomWords): void;
}

/**
 * Random rows of tensor type `typeId` whose elements have standard deviation `sigma` around `mean` (`mean` is for F32
 * alone). Quantised formats get random quants under sane scales: encoding a billion weights would take minutes.
 */
export function randomRows(typeId: number, sigma: number, mean = 0): RandomRows {
  if (mean !== 0 && typeId !== TensorTypeId.F32) throw new GgufError("only F32 rows can have a mean");
  const format = weightFormatNames.find((name) => formatTypeId(name) === typeId);
  if (format === undefined) throw new GgufError(`cannot make random ${tensorType(typeId).name} rows`);
  return MAKERS[format](sigma, mean);
}

const MAKERS: Readonly<Record<WeightFormatName, (sigma: number, mean: number) => RandomRows>> = {
  f32: (sigma, mean) => lookupRows(Float32Array.from(NORMAL, (z) => mean + sigma * z)),
  f16: (sigma) => lookupRows(new Uint16Array(Float16Array.from(NORMAL, (z) => sigma * z).buffer)),
  bf16: (sigma) => lookupRows(Uint16Array.from(NORMAL, (z) => toBf16(sigma * z))),
  q8_0: (sigma) => simpleBlocks(34, sigma / Math.sqrt((127 * 128) / 3), (q) => q === 0x80 ? 0x81 : q),
  q4_0: (sigma) => simpleBlocks(18, sigma / Math.sqrt(21.5), (q) => q),
  q4_1: (sigma) => minBlocks(20, sigma / Math.sqrt(21.25), 7.5),
  q5_0: (sigma) => simpleBlocks(22, sigma / Math.sqrt(85.5), (q) => q),
  q5_1: (sigma) => minBlocks(24, sigma / Math.sqrt(85.25), 15.5),
  q2_k: (sigma) => q2Blocks(sigma),
  q3_k: (sigma) => q3Blocks(sigma),
  q4_k: (sigma) => superBlocks(144, 15, sigma),
  q5_k: (sigma) => superBlocks(176, 31, sigma),
  q6_k: (sigma) => q6Blocks(sigma),
  iq2_xxs: (sigma) => gridBlocks(66, sigma / (GRID_RMS.iq2_xxs * FOUR_BITS / 8)),
  iq2_xs: (sigma) => gridBlocks(74, sigma / (GRID_RMS.iq2_xs * FOUR_BITS / 8)),
  iq3_xxs: (sigma) => gridBlocks(98, sigma / (GRID_RMS.iq3_xxs * FOUR_BITS / 4)),
  iq1_s: (sigma) => gridBlocks(50, sigma / (GRID_RMS.iq1 * THREE_BITS)),
  iq3_s: (sigma) => gridBlocks(110, sigma / (GRID_RMS.iq3_s * FOUR_BITS)),
  iq2_s: (sigma) => gridBlocks(82, sigma / (GRID_RMS.iq2_s * FOUR_BITS / 8)),
  iq1_m: (sigma) => gridBlocks(56, sigma / (GRID_RMS.iq1 * THREE_BITS), putScattered),
  tq1_0: (sigma) => gridBlocks(54, sigma / rms([-1, 0, 1]), (out, at, bits) => putHalf(out, at + 52, bits)),
  tq2_0: (sigma) =>
    gridBlocks(66, sigma / rms([-1, 0, 1, 2]), (out, at, bits) => putHalf(out, at + 64, bits)),
  iq4_nl: (sigma) => simpleBlocks(18, sigma / rms(IQ4_VALUES), (q) => q),
  iq4_xs: (sigma) => iq4SuperBlocks(sigma),
  mxfp4: (sigma) => powerBlocks(sigma),
};

/** What the quants of IQ4_NL and IQ4_XS stand for. */
const IQ4_VALUES = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/** Quantiles of the normal distribution at (i + ½) / 65536: a random 16-bit index gives a normal number. */
const NORMAL: Float32Array = normalQuantiles(1 << 16);

function normalQuantiles(count: number): Float32Array {
  const out = new Float32Array(count);
  for (let i = 0; i < count / 2; i++) {
    const z = upperQuantile((i + 0.5) / count);
    out[i] = -z;
    out[count - 1 - i] = z;
  }
  return out;
}

/** z with P(Z > z) = p for p ≤ ½. Source: Abramowitz & Stegun 26.2.23, error below 4.5e-4. */
function upperQuantile(p: number): number {
  const t = Math.sqrt(-2 * Math.log(p));
  return t -
    (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

const F32_BITS = new Float32Array(1);

/** Rounds to nearest even. */
function toBf16(value: number): number {
  F32_BITS[0] = value;
  const bits = new Uint32Array(F32_BITS.buffer)[0];
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** Elements taken from a table of 65536 equally likely values. */
function lookupRows(table: Float32Array | Uint16Array): RandomRows {
  let words = new Uint32Array(0);
  return {
    fill(out, random) {
      const elements = viewOf(out, table);
      if (words.length * 2 < elements.length) words = new Uint32Array(Math.ceil(elements.length / 2));
      random.fill(words);
      const indices = new Uint16Array(words.buffer);
      for (let i = 0; i < elements.length; i++) elements[i] = table[indices[i]];
    },
  };
}

function viewOf(bytes: Uint8Array, like: Float32Array | Uint16Array): Float32Array | Uint16Array {
  const { buffer, byteOffset, byteLength } = bytes;
  return like instanceof Float32Array
    ? new Float32Array(buffer as ArrayBuffer, byteOffset, byteLength / 4)
    : new Uint16Array(buffer as ArrayBuffer, byteOffset, byteLength / 2);
}

/** Fills all of `out`, whose start must be aligned to four bytes, with random bits. */
function fillBits(out: Uint8Array, random: RandomWords): void {
  const whole = Math.floor(out.length / 4);
  random.fill(new Uint32Array(out.buffer as ArrayBuffer, out.byteOffset, whole));
  const tail = out.length - 4 * whole;
  if (tail === 0) return;
  const word = new Uint32Array(1);
  random.fill(word);
  out.set(new Uint8Array(word.buffer, 0, tail), 4 * whole);
}

// Scales vary by a quarter around their mean, as in trained models. rms of 0.75 … 1.25, equally spaced.
const SCALE_STEPS = 128;
const SCALE_FACTORS = Float64Array.from(
  { length: SCALE_STEPS },
  (_, i) => 0.75 + (0.5 * i) / (SCALE_STEPS - 1),
);
const SCALE_RMS = rms(SCALE_FACTORS);

function rms(values: ArrayLike<number>): number {
  return Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0) / values.length);
}

/** 128 f16 scales of rms `scale`, then their negatives: a random byte picks one. */
function scaleTable(scale: number): Uint16Array {
  const magnitudes = Array.from(SCALE_FACTORS, (factor) => (factor * scale) / SCALE_RMS);
  return new Uint16Array(Float16Array.from([...magnitudes, ...magnitudes.map((d) => -d)]).buffer);
}

/** Q8_0, Q4_0, Q5_0 and IQ4_NL: f16 scale, then quants. A scale of random sign cancels the half-step offset of the quants' mean. */
function simpleBlocks(blockBytes: number, scale: number, fix: (quants: number) => number): RandomRows {
  const scales = scaleTable(scale);
  const fixed = Uint8Array.from({ length: 256 }, (_, byte) => fix(byte));
  return {
    fill(out, random) {
      fillBits(out, random);
      for (let i = 0; i < out.length; i++) out[i] = fixed[out[i]];
      for (let block = 0; block < out.length; block += blockBytes) {
        const d = scales[out[block]];
        out[block] = d & 0xff;
        out[block + 1] = d >> 8;
      }
    },
  };
}

/** Q4_1 and Q5_1: f16 scale, f16 minimum, quants of mean `middle`: the minimum brings the elements' mean to zero. */
function minBlocks(blockBytes: number, scale: number, middle: number): RandomRows {
  const scales = scaleTable(scale);
  const mins = scaleTable(-scale * middle);
  return {
    fill(out, random) {
      fillBits(out, random);
      for (let block = 0; block < out.length; block += blockBytes) {
        const [d, m] = [scales[out[block]], mins[out[block]]];
        out[block] = d & 0xff;
        out[block + 1] = d >> 8;
        out[block + 2] = m & 0xff;
        out[block + 3] = m >> 8;
      }
    },
  };
}

const PACKS = 1024;

/**
 * Q4_K and Q5_K: element = d · sc · q − dmin · m, with eight 6-bit sc and m packed in 12 bytes behind d and dmin.
 * dmin = d · mean(q) and m ≈ sc bring the mean to zero.
 */
function superBlocks(blockBytes: number, quantMax: number, sigma: number): RandomRows {
  const packs = new Uint8Array(12 * PACKS);
  const random = new RandomWords(quantMax, 0);
  const words = new Uint32Array(8);
  const squares: number[] = [];
  const quantVariance = ((quantMax + 1) ** 2 - 1) / 12;
  for (let p = 0; p < PACKS; p++) {
    random.fill(words);
    const sc = Array.from(words, (word) => 16 + (word & 0xffff) % 48);
    const m = sc.map((s, i) => Math.min(63, s + ((words[i] >>> 16) % 8) - 4));
    packSixBits(sc, m, packs.subarray(12 * p, 12 * p + 12));
    squares.push(...sc.map((s, i) => s * s * quantVariance + ((s - m[i]) * quantMax / 2) ** 2));
  }
  const scale = sigma / Math.sqrt(squares.reduce((a, b) => a + b) / squares.length);
  const d = scaleTable(scale).subarray(0, SCALE_STEPS);
  const dmin = scaleTable(scale * quantMax / 2).subarray(0, SCALE_STEPS);
  return {
    fill(out, random) {
      fillBits(out, random);
      for (let block = 0; block < out.length; block += blockBytes) {
        const step = out[block] & (SCALE_STEPS - 1);
        const pack = 12 * ((out[block + 1] | (out[block + 2] << 8)) & (PACKS - 1));
        out[block] = d[step] & 0xff;
        out[block + 1] = d[step] >> 8;
        out[block + 2] = dmin[step] & 0xff;
        out[block + 3] = dmin[step] >> 8;
        for (let i = 0; i < 12; i++) out[block + 4 + i] = packs[pack + i];
      }
    },
  };
}

/** Eight scales and eight mins of 6 bits in 12 bytes, as the K formats order them. */
function packSixBits(sc: readonly number[], m: readonly number[], out: Uint8Array): void {
  for (let i = 0; i < 4; i++) {
    out[i] = sc[i] | ((sc[i + 4] >> 4) << 6);
    out[i + 4] = m[i] | ((m[i + 4] >> 4) << 6);
    out[i + 8] = (sc[i + 4] & 15) | ((m[i + 4] & 15) << 4);
  }
}

/** Q6_K: 192 bytes of quants, 16 signed 8-bit scales, f16 d; element = d · sc · (q − 32). */
function q6Blocks(sigma: number): RandomRows {
  const blockBytes = 210;
  const scales = Int8Array.from({ length: 256 }, (_, byte) => {
    const magnitude = 32 + Math.round(((byte & 127) * 95) / 127);
    return byte < 128 ? magnitude : -magnitude;
  });
  const d = scaleTable(sigma / (rms(scales) * Math.sqrt((64 * 64 + 2) / 12)));
  return {
    fill(out, random) {
      fillBits(out, random);
      for (let block = 0; block < out.length; block += blockBytes) {
        for (let i = block + 192; i < block + 208; i++) out[i] = scales[out[i]];
        const bits = d[out[block + 208]];
        out[block + 208] = bits & 0xff;
        out[block + 209] = bits >> 8;
      }
    },
  };
}

/** Writes a little-endian 16-bit number. */
function putHalf(out: Uint8Array, at: number, bits: number): void {
  out[at] = bits & 0xff;
  out[at + 1] = bits >> 8;
}

/**
 * Q2_K: 16 bytes of 4-bit scale and min, 64 bytes of quants, f16 d and dmin; element = d · sc · q − dmin · m. The mean of q is
 * 1.5: dmin = 1.5 · d and m = sc bring the mean to zero.
 */
function q2Blocks(sigma: number): RandomRows {
  const scales = Uint8Array.from({ length: 256 }, (_, byte) => (8 + byte % 8) * 17);
  const scale = sigma / (rms(scales.map((byte) => byte & 15)) * Math.sqrt(15 / 12));
  const d = scaleTable(scale).subarray(0, SCALE_STEPS);
  const dmin = scaleTable(1.5 * scale).subarray(0, SCALE_STEPS);
  return {
    fill(out, random) {
      fillBits(out, random);
      for (let block = 0; block < out.length; block += 84) {
        const step = out[block + 80] & (SCALE_STEPS - 1);
        for (let i = block; i < block + 16; i++) out[i] = scales[out[i]];
        putHalf(out, block + 80, d[step]);
        putHalf(out, block + 82, dmin[step]);
      }
    },
  };
}

/** Q3_K: 96 bytes of quants, 12 bytes of sixteen 6-bit scales plus 32, f16 d; element = d · (sc − 32) · (q − 4). */
function q3Blocks(sigma: number): RandomRows {
  const scales = Array.from({ length: 64 }, (_, sc) => sc - 32);
  const d = scaleTable(sigma / (rms(scales) * Math.sqrt((8 * 8 + 2) / 12)));
  return {
    fill(out, random) {
      fillBits(out, random);
      for (let block = 0; block < out.length; block += 110) putHalf(out, block + 108, d[out[block + 108]]);
    },
  };
}

/** IQ4_XS: f16 d, 6 bytes of eight 6-bit scales plus 32, 128 bytes of quants; element = d · (sc − 32) · value. */
function iq4SuperBlocks(sigma: number): RandomRows {
  const scales = Array.from({ length: 64 }, (_, sc) => sc - 32);
  const d = scaleTable(sigma / (rms(scales) * rms(IQ4_VALUES)));
  return {
    fill(out, random) {
      fillBits(out, random);
      for (let block = 0; block < out.length; block += 136) putHalf(out, block, d[out[block]]);
    },
  };
}

/** Root mean square of the values in the grids; of IQ1's with the eighth by which they are moved. */
const GRID_RMS = { iq2_xxs: 23.118, iq2_xs: 24.217, iq2_s: 24.43, iq3_xxs: 30.849, iq3_s: 7.594, iq1: 0.781 };
/** And of 2 · scale + 1. */
const FOUR_BITS = rms(Array.from({ length: 16 }, (_, scale) => 2 * scale + 1));
const THREE_BITS = rms(Array.from({ length: 8 }, (_, scale) => 2 * scale + 1));

/** The formats of grids and of three values: an f16, at the start where `put` says nothing else; all other bits are random. */
function gridBlocks(blockBytes: number, scale: number, put = putHalf): RandomRows {
  const d = scaleTable(scale);
  return {
    fill(out, random) {
      fillBits(out, random);
      for (let block = 0; block < out.length; block += blockBytes) {
        put(out, block, d[out[block + blockBytes - 1]]);
      }
    },
  };
}

/** IQ1_M's f16: four bits above the scales in each of the last four words. */
function putScattered(out: Uint8Array, at: number, bits: number): void {
  for (let i = 0; i < 4; i++) {
    const byte = at + 49 + 2 * i;
    out[byte] = out[byte] & 15 | (bits >> 4 * i & 15) << 4;
  }
}

/** MXFP4: an exponent, 16 bytes of quants. Two neighbouring powers of two, as often as the spread asks for. */
function powerBlocks(sigma: number): RandomRows {
  const wanted = sigma / rms([0, 0.5, 1, 1.5, 2, 3, 4, 6]);
  const least = Math.floor(Math.log2(wanted));
  // wanted² = (1 − share) · 4^least + share · 4^(least + 1)
  const share = ((wanted / 2 ** least) ** 2 - 1) / 3;
  const limit = Math.round(256 * share);
  return {
    fill(out, random) {
      fillBits(out, random);
      for (let block = 0; block < out.length; block += 17) {
        out[block] = 127 + least + (out[block] < limit ? 1 : 0);
      }
    },
  };
}
