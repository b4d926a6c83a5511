/**
 * How many instructions a multiply-add of the matmul, or of attention, takes on each instruction-set level, and
 * how many of them multiply.
 *
 * deno task run bench/instruction_counts.ts [--kernel attention] [--levels x86_64_v4_vnni,neon_i8mm]
 * [--formats q4_k,q8_0] [--json] [--names]
 *
 * Counts are exact and the same on every machine: nothing here is a time. x86-64 programs run on this
 * machine, from breakpoint to breakpoint, which needs Linux and objdump; what the machine lacks is counted and
 * stepped over. aarch64 programs run in QEMU (qemu-user). Both have the library's own objects in them.
 * `--names` lists each kernel's instructions.
 * @module
 */

import { parseArgs } from "@std/cli";
import { renderTable } from "../src/cli/table.ts";
import { weightFormats } from "../src/ffi/symbols.ts";
import { formatNames, kvFormatNames } from "../src/gguf/mod.ts";
import { zigBuildCommand, zigEnvironment } from "../src/setup/build.ts";
import { BUILD, ROOT } from "../src/setup/paths.ts";
import { capture } from "../src/setup/process.ts";
import { ensureZig } from "../src/setup/zig.ts";
import {
  countEmulated,
  Counter,
  type Histogram,
  MissingTool,
  type Run,
  total,
} from "./instructions/histogram.ts";

/** Something whose instructions are counted: a program, its formats, and how many columns or tokens prefill has. */
interface Kernel {
  readonly program: string;
  readonly formats: readonly string[];
  /** Formats that are multiplied as f32. */
  readonly floats: ReadonlySet<string>;
  readonly prefill: (level: string) => number;
}

const KERNELS: Record<string, Kernel> = {
  matmul: {
    program: "count_matmul",
    formats: formatNames,
    floats: new Set(formatNames.filter((name) => weightFormats[name].activation === "f32")),
    // The baseline, which takes one column at a time, is spared most of them.
    prefill: (level) => level === "baseline" ? 4 : 64,
  },
  attention: {
    program: "count_attention",
    formats: kvFormatNames,
    floats: new Set(kvFormatNames.filter((name) => name !== "q8_0")),
    prefill: (level) => level === "baseline" ? 3 : 12,
  },
};

/** The instructions that multiply what a kernel is there for; what scales sums, and the rest, is overhead. */
const MULTIPLIES: Record<string, { integer: RegExp; float: RegExp }> = {
  amx: { integer: /^(tdpb[us]|vpdp(busd|wssd))/, float: /^(tdpbf16|vdpbf16|vfn?madd\d+ps)/ },
  x86_64_v4_bf16: { integer: /^vpdp(busd|wssd)/, float: /^(vdpbf16|vfn?madd\d+ps)/ },
  x86_64_v4_vnni: { integer: /^vpdp(busd|wssd)/, float: /^vfn?madd\d+ps/ },
  x86_64_v4: { integer: /^vpmadd(ubsw|wd)/, float: /^vfn?madd\d+ps/ },
  avx_vnni: { integer: /^vpdp(busd|wssd)/, float: /^vfn?madd\d+ps/ },
  x86_64_v3: { integer: /^vpmadd(ubsw|wd)/, float: /^vfn?madd\d+ps/ },
  baseline: { integer: /^pmu?(ll|lh|add)/, float: /^mulpd/ },
  neon_i8mm: { integer: /^(smmla|sdot)/, float: /^fmla/ },
  neon_dotprod: { integer: /^sdot/, float: /^fmla/ },
  neon: { integer: /^(smull2?|smlal2?|mul|mla)\.[48]/, float: /^fmla/ },
};

const ARM = /^neon/;

interface Row {
  level: string;
  format: string;
  /** Columns of the matmul, tokens of attention. */
  columns: number;
  macs: number;
  /** Instructions per 1,000 multiply-adds. */
  all: number;
  multiplies: number;
  /** Of tile registers: products, loads and stores, the rest of the instructions. */
  tiles?: { products: number; moves: number; other: number };
}

type Count = (args: readonly string[]) => Promise<Run>;

/** Builds the programs for these levels: folder of the architecture's. */
async function build(levels: readonly string[]): Promise<string> {
  const zig = await ensureZig({});
  const prefix = `${BUILD}/instructions`;
  const command = zigBuildCommand(zig, ["count-programs", "--prefix", prefix, `-Dlevels=${levels.join()}`]);
  const result = await capture(command, { cwd: `${ROOT}/kernels`, env: zigEnvironment() });
  if (result?.code !== 0) throw new Error(`zig build failed\n${result?.stderr}`);
  return `${prefix}/count`;
}

async function measure(
  kernel: Kernel,
  count: Count,
  level: string,
  format: string,
  columns: number,
): Promise<[Row, Histogram]> {
  const { histogram, macs } = await count([level, format, String(columns)]);
  const thousands = macs / 1000;
  const multiplies = MULTIPLIES[level][kernel.floats.has(format) ? "float" : "integer"];
  const row: Row = {
    level,
    format,
    columns,
    macs,
    all: total(histogram) / thousands,
    multiplies: total(histogram, multiplies) / thousands,
  };
  const products = total(histogram, /^tdp/);
  if (products > 0) {
    const tiles = total(histogram, /^(tile|ldtile|sttile)/);
    row.tiles = {
      products: products / thousands,
      moves: tiles / thousands,
      other: row.all - (products + tiles) / thousands,
    };
  }
  return [row, histogram];
}

function printNames(row: Row, histogram: Histogram): void {
  const thousands = row.macs / 1000;
  const names = [...histogram].sort((a, b) => b[1] - a[1]).slice(0, 24);
  const list = names.map(([name, count]) => `${name} ${(count / thousands).toFixed(2)}`).join(", ");
  console.error(`${row.level} ${row.format}, ${row.columns} at once: ${list}`);
}

function printTables(rows: readonly Row[]): void {
  const cells = (row?: Row) =>
    row
      ? [row.all.toFixed(1), row.multiplies.toFixed(1), (row.all / row.multiplies).toFixed(2)]
      : ["", "", ""];
  const decode = (row: Row) =>
    rows.find((r) => r.level === row.level && r.format === row.format && r.columns === 1);
  const header = ["level", "format", "prefill", "multiply", "ratio", "decode", "multiply", "ratio"];
  const prefill = rows.filter((row) => row.columns > 1);
  console.log("Instructions per 1,000 multiply-adds\n");
  console.log(
    renderTable(header, prefill.map((row) => [row.level, row.format, ...cells(row), ...cells(decode(row))])),
  );
  const tiled = prefill.filter((row) => row.tiles);
  if (tiled.length === 0) return;
  console.log(
    "\nTile registers, per 1,000,000 multiply-adds; share: of the time that the tile multiplier is busy where a",
  );
  console.log(
    "product takes 16 cycles, a tile load or store 8, four other instructions one, and nothing overlaps\n",
  );
  const tiles = tiled.map(({ format, tiles }) => {
    const { products, moves, other } = tiles!;
    const share = 16 * products / (16 * products + 8 * moves + other / 4);
    return [
      format,
      ...[products, moves, other].map((n) => (1000 * n).toFixed(0)),
      `${(100 * share).toFixed(0)} %`,
    ];
  });
  console.log(renderTable(["format", "products", "loads, stores", "others", "share"], tiles));
}

const options = parseArgs(Deno.args, {
  string: ["kernel", "levels", "formats"],
  boolean: ["json", "names"],
});
const kernel = KERNELS[options.kernel ?? "matmul"];
if (!kernel) throw new RangeError(`--kernel is matmul or attention, current value is ${options.kernel}`);
const formats = options.formats?.split(",") ?? kernel.formats;
const levels = options.levels?.split(",") ?? Object.keys(MULTIPLIES);
const unknown = levels.find((level) => !(level in MULTIPLIES));
if (unknown !== undefined) {
  throw new RangeError(`--levels has ${Object.keys(MULTIPLIES).join()}, current value is ${unknown}`);
}
const folder = await build(levels);
const rows: Row[] = [];

async function measureAll(count: Count, levels: readonly string[]): Promise<void> {
  for (const level of levels) {
    for (const format of formats) {
      for (const columns of [kernel.prefill(level), 1]) {
        const [row, histogram] = await measure(kernel, count, level, format, columns);
        rows.push(row);
        if (options.json) console.log(JSON.stringify(row));
        if (options.names) printNames(row, histogram);
      }
    }
  }
}

const [arm, x86] = [true, false].map((isArm) => levels.filter((level) => ARM.test(level) === isArm));
const tasks = [
  [x86, async () => {
    await using counter = await Counter.open(`${folder}/x86_64/${kernel.program}`);
    await measureAll((args) => counter.count(args), x86);
  }],
  [arm, () => measureAll((args) => countEmulated(`${folder}/aarch64/${kernel.program}`, args), arm)],
] as const;
for (const [levels, task] of tasks) {
  if (levels.length === 0) continue;
  try {
    await task();
  } catch (error) {
    if (!(error instanceof MissingTool)) throw error;
    console.error(`${levels.join(", ")}: skipped, ${error.message}`);
  }
}
if (!options.json) printTables(rows);
