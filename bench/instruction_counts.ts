/**
 * How many instructions a multiply-add of the matmul takes on each instruction-set level, and how many of
 * them multiply.
 *
 * deno task run bench/instruction_counts.ts [--levels x86_64_v4_vnni,neon_i8mm] [--formats q4_k,q8_0]
 * [--json] [--names]
 *
 * Counts are exact and the same on every machine: nothing here is a time. x86-64 programs run on this
 * machine, one step after the other, which needs Linux and objdump; what the machine lacks is counted and
 * stepped over. aarch64 programs run in QEMU (qemu-user). `--names` lists each kernel's instructions.
 * @module
 */

import { parseArgs } from "@std/cli";
import { renderTable } from "../src/cli/table.ts";
import { weightFormats } from "../src/ffi/symbols.ts";
import { formatNames } from "../src/gguf/mod.ts";
import { zigBuildCommand, zigEnvironment } from "../src/setup/build.ts";
import { BUILD, ROOT } from "../src/setup/paths.ts";
import { capture } from "../src/setup/process.ts";
import { ensureZig } from "../src/setup/zig.ts";
import {
  countEmulated,
  difference,
  type Histogram,
  MissingTool,
  type Run,
  Stepper,
  total,
} from "./instructions/histogram.ts";

const FORMATS: readonly string[] = formatNames;
const FLOATS: ReadonlySet<string> = new Set(
  formatNames.filter((name) => weightFormats[name].activation === "f32"),
);

/** The instructions that multiply weights by activations; what scales sums, and the rest, is overhead. */
const MULTIPLIES: Record<string, { integer: RegExp; float: RegExp }> = {
  amx: { integer: /^(tdpb[us]|vpdpbusd)/, float: /^(tdpbf16|vdpbf16|vfn?madd\d+ps)/ },
  x86_64_v4_bf16: { integer: /^vpdpbusd/, float: /^(vdpbf16|vfn?madd\d+ps)/ },
  x86_64_v4_vnni: { integer: /^vpdpbusd/, float: /^vfn?madd\d+ps/ },
  x86_64_v4: { integer: /^vpmadd(ubsw|wd)/, float: /^vfn?madd\d+ps/ },
  avx_vnni: { integer: /^vpdpbusd/, float: /^vfn?madd\d+ps/ },
  x86_64_v3: { integer: /^vpmadd(ubsw|wd)/, float: /^vfn?madd\d+ps/ },
  baseline: { integer: /^pmu?(ll|lh|add)/, float: /^mulpd/ },
  neon_i8mm: { integer: /^(smmla|sdot)/, float: /^fmla/ },
  neon_dotprod: { integer: /^sdot/, float: /^fmla/ },
  neon: { integer: /^(smull2?|smlal2?|mul|mla)\.8/, float: /^fmla/ },
};

interface Row {
  level: string;
  format: string;
  columns: number;
  macs: number;
  /** Instructions per 1,000 multiply-adds. */
  all: number;
  multiplies: number;
  /** Of tile registers: products, loads and stores, the rest of the instructions. */
  tiles?: { products: number; moves: number; other: number };
}

type Count = (args: readonly string[]) => Promise<Run>;

function filesOf(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Builds the programs: paths by level. */
async function build(levels: readonly string[]): Promise<Map<string, string>> {
  const zig = await ensureZig({});
  const prefix = `${BUILD}/instructions`;
  const wanted = levels.length === 1 ? [`-Dlevel=${levels[0]}`] : [];
  const command = zigBuildCommand(zig, ["count-programs", "--prefix", prefix, ...wanted]);
  const result = await capture(command, { cwd: `${ROOT}/kernels`, env: zigEnvironment() });
  if (result?.code !== 0) throw new Error(`zig build failed\n${result?.stderr}`);
  const programs = new Map<string, string>();
  for (const arch of ["x86_64", "aarch64"]) {
    for (const { name } of filesOf(`${prefix}/count/${arch}`)) {
      programs.set(name.replace(/^count_matmul_/, ""), `${prefix}/count/${arch}/${name}`);
    }
  }
  return programs;
}

async function measure(
  count: Count,
  level: string,
  format: string,
  columns: number,
): Promise<[Row, Histogram]> {
  const args = [format, String(columns)];
  const { histogram: once, macs } = await count([...args, "1"]);
  const histogram = difference(once, (await count([...args, "0"])).histogram);
  const thousands = macs / 1000;
  const multiplies = MULTIPLIES[level]?.[FLOATS.has(format) ? "float" : "integer"];
  if (!multiplies) throw new Error(`MULTIPLIES does not know the level ${level}`);
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
  console.error(`${row.level} ${row.format}, ${row.columns} columns: ${list}`);
}

/** Prefill's columns. The baseline, which takes one column at a time, is spared most of the steps. */
function prefillColumns(level: string): number {
  return level === "baseline" ? 16 : 64;
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

const options = parseArgs(Deno.args, { string: ["levels", "formats"], boolean: ["json", "names"] });
const formats = options.formats?.split(",") ?? FORMATS;
const programs = await build(options.levels?.split(",") ?? []);
const rows: Row[] = [];
for (const level of options.levels?.split(",") ?? Object.keys(MULTIPLIES)) {
  const program = programs.get(level);
  if (program === undefined) {
    if (options.levels) throw new RangeError(`there is no level ${level}`);
    continue;
  }
  try {
    const emulated = program.includes("/aarch64/");
    const stepper = `${program.replace(/[^/]*$/, "")}count_steps_baseline`;
    await using steps = emulated ? null : await Stepper.open(program, stepper);
    const count: Count = steps ? (args) => steps.count(args) : (args) => countEmulated(program, args);
    for (const format of formats) {
      for (const columns of [prefillColumns(level), 1]) {
        const [row, histogram] = await measure(count, level, format, columns);
        rows.push(row);
        if (options.json) console.log(JSON.stringify(row));
        if (options.names) printNames(row, histogram);
      }
    }
  } catch (error) {
    if (!(error instanceof MissingTool)) throw error;
    console.error(`${level}: skipped, ${error.message}`);
  }
}
if (options.json) { for (const row of rows) console.log(JSON.stringify(row)); }
else printTables(rows);
