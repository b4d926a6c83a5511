/**
 * Registers an op with `deno bench` twice: the kernel, and as its baseline the scalar reference that the
 * kernel's own tests compare with. The references are compiled into a library of their own with the same ABI
 * (`zig build lib-reference`), so both sides run the same calls on the same data. Before they are timed,
 * their results are compared.
 * @module
 */

import { libraryPath } from "../../src/setup/paths.ts";
import { referenceLibraryPath } from "../../src/setup/build.ts";
import { THREADS } from "./settings.ts";
import { TestBed } from "./test_bed.ts";

/** An op with its data in place. */
export interface ReadyOp {
  /** Computes it once. */
  run(): void;
  /** What it computed. */
  result(): ArrayLike<number>;
}

/** An op to benchmark. */
export interface OpBench {
  /** Op, format, shape: one group in the output. */
  readonly name: string;
  /** Scalar steps of one run, by order of magnitude: says how often to repeat it. */
  readonly work: number;
  /** Largest |kernel − reference| / |reference| of the whole result; 0: bit for bit. */
  readonly tolerance: number;
  setup(bed: TestBed): ReadyOp;
}

const REFERENCE_STEPS = 3e8;
const KERNEL_STEPS = 2e10;

/** Repetitions of a run: as many as go into so many steps, within limits. */
function repetitions(steps: number, work: number, min: number): number {
  return Math.min(2000, Math.max(min, Math.round(steps / work)));
}

interface Prepared extends Disposable {
  readonly bench: OpBench;
  readonly reference: ReadyOp;
  readonly kernel: ReadyOp;
}

let prepared: Prepared | undefined;

/** The op on both sides. Only one is kept, since groups run one after the other. */
function ready(bench: OpBench): Prepared {
  if (prepared?.bench === bench) return prepared;
  prepared?.[Symbol.dispose]();
  const beds = [new TestBed(1, referenceLibraryPath()), new TestBed(THREADS, libraryPath())];
  const [reference, kernel] = beds.map((bed) => bench.setup(bed));
  prepared = { bench, reference, kernel, [Symbol.dispose]: () => beds.forEach((bed) => bed.kernels.close()) };
  reference.run();
  kernel.run();
  expectSame(bench, reference.result(), kernel.result());
  return prepared;
}

/** Throws an Error where the two sides computed different things. */
function expectSame(bench: OpBench, reference: ArrayLike<number>, kernel: ArrayLike<number>): void {
  let difference = 0, size = 0;
  for (let i = 0; i < reference.length; i++) {
    difference += (kernel[i] - reference[i]) ** 2;
    size += reference[i] ** 2;
  }
  const relative = Math.sqrt(difference / size);
  if (kernel.length !== reference.length || !(relative <= bench.tolerance)) {
    throw new Error(
      `${bench.name}: kernel and reference differ by ${relative}, at most ${bench.tolerance} allowed`,
    );
  }
}

/** Registers an op's kernel and reference. */
export function benchOp(bench: OpBench): void {
  const sides = [
    { name: "reference", side: "reference", n: repetitions(REFERENCE_STEPS, bench.work, 1) },
    { name: `kumi × ${THREADS}`, side: "kernel", n: repetitions(KERNEL_STEPS, bench.work, 10) },
  ] as const;
  for (const { name, side, n } of sides) {
    Deno.bench({
      name: `${bench.name}: ${name}`, // `--filter` looks at names alone
      group: bench.name,
      baseline: side === "reference",
      n,
      warmup: 1,
      // The first call, a warm-up that does not count, puts the data in place.
      fn: () => ready(bench)[side].run(),
    });
  }
}
