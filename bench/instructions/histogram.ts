/** Executes a static program and counts its instructions by name. @module */

import { capture } from "../../src/setup/process.ts";

/** How often each instruction was executed, by name; of Arm's with the shape of its vectors. */
export type Histogram = Map<string, number>;

/** What a run of count_matmul or count_attention did. */
export interface Run {
  readonly histogram: Histogram;
  /** Multiply-adds of one repetition. */
  readonly macs: number;
}

/** The program's only line of output. */
function macsOf(text: string): number {
  const match = /^macs (\d+)$/m.exec(text);
  if (!match) throw new Error(`the program printed no line "macs": ${text.slice(0, 200)}`);
  return Number(match[1]);
}

/** What has to be installed and is not. */
export class MissingTool extends Error {
  override readonly name = "MissingTool";
}

async function output(command: readonly string[]): Promise<string> {
  const result = await capture(command);
  if (result === null) throw new MissingTool(`${command[0]} is not installed`);
  if (result.code !== 0) throw new Error(`${command.join(" ")} ended with ${result.code}\n${result.stderr}`);
  return result.stdout;
}

function add(histogram: Histogram, name: string, count: number): void {
  histogram.set(name, (histogram.get(name) ?? 0) + count);
}

/** Prefixes that change nothing of what an instruction is. */
const PREFIX = /^(?:(?:bnd|notrack|data16|repz?|[cdefgs]s|rex\S*|\{\w+\}) )+/;
/** Where a straight run of instructions ends. */
const BRANCH = /^(?:j|call|ret|loop)/;

/** x86-64: the program counts by itself (steps.zig); this machine need not have the instructions. */
export class Counter {
  readonly #program: string;
  readonly #names: Map<string, string>;
  readonly #listing: string;

  private constructor(program: string, names: Map<string, string>, listing: string) {
    this.#program = program;
    this.#names = names;
    this.#listing = listing;
  }

  /** Disassembles the program. */
  static async open(program: string): Promise<Counter> {
    const names = new Map<string, string>();
    let list = "";
    for (const line of (await output(["objdump", "-d", "--no-show-raw-insn", program])).split("\n")) {
      const match = /^ +([0-9a-f]+):\t(.*)$/.exec(line);
      if (!match) continue;
      const [name] = match[2].replace(PREFIX, "").split(" ");
      names.set(match[1], name);
      list += `${match[1]}${BRANCH.test(name) ? "*" : ""}\n`;
    }
    const listing = await Deno.makeTempFile();
    await Deno.writeTextFile(listing, list);
    return new Counter(program, names, listing);
  }

  async count(args: readonly string[]): Promise<Run> {
    const histogram: Histogram = new Map();
    const text = await output([this.#program, ...args, "1", this.#listing]);
    for (const line of text.trimEnd().split("\n")) {
      const [address, count] = line.split(" ");
      if (address === "macs") continue;
      const name = this.#names.get(address);
      if (name === undefined) throw new Error(`no instruction at ${address}`);
      add(histogram, name, Number(count));
    }
    return { histogram, macs: macsOf(text) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#listing);
  }
}

/** Instructions that QEMU's disassembler may be too old for. */
const NEW_ARM: readonly { mask: number; value: number; name: string }[] = [
  { mask: 0xffe0fc00, value: 0x4e80a400, name: "smmla" },
  { mask: 0xffe0fc00, value: 0x4e809400, name: "sdot" },
];

function armName(word: string, text: string): string {
  const bits = parseInt(word, 16);
  const known = NEW_ARM.find(({ mask, value }) => ((bits & mask) >>> 0) === value);
  if (known) return known.name;
  const [name, operands = ""] = text.trim().split(/\s+/, 2);
  const shape = /\.(\d+[bhsd])/.exec(operands);
  return shape ? `${name}.${shape[1]}` : name;
}

/** aarch64: what one repetition adds to QEMU's log. */
export async function countEmulated(program: string, args: readonly string[]): Promise<Run> {
  const { histogram: once, macs } = await runLogged(program, [...args, "1"]);
  return { histogram: difference(once, (await runLogged(program, [...args, "0"])).histogram), macs };
}

/** QEMU's log of the blocks it executed, and of what is in them. */
async function runLogged(program: string, args: readonly string[]): Promise<Run> {
  const log = await Deno.makeTempFile();
  try {
    const text = await output([
      "qemu-aarch64",
      "-cpu",
      "max",
      "-d",
      "in_asm,exec,nochain",
      "-D",
      log,
      program,
      ...args,
    ]);
    return { histogram: readLog(await Deno.readTextFile(log)), macs: macsOf(text) };
  } finally {
    await Deno.remove(log);
  }
}

function readLog(text: string): Histogram {
  const blocks = new Map<string, { names: string[]; count: number }>();
  let names: string[] = [];
  for (const line of text.split("\n")) {
    const instruction = /^0x[0-9a-f]+:\s+([0-9a-f]{8})\s+(.*)$/.exec(line);
    const executed = /^Trace \d+: \S+ \[[0-9a-f]+\/([0-9a-f]+)\//.exec(line);
    if (line.startsWith("IN:")) names = [];
    else if (instruction) names.push(armName(instruction[1], instruction[2]));
    else if (executed) {
      const known = blocks.get(executed[1]);
      // A block is listed when it is translated, just before it is executed for the first time.
      if (names.length > 0) blocks.set(executed[1], { names, count: (known?.count ?? 0) + 1 });
      else if (known) known.count++;
      else throw new Error(`QEMU executed a block that it has not listed: ${line}`);
      names = [];
    }
  }
  const histogram: Histogram = new Map();
  for (const { names, count } of blocks.values()) for (const name of names) add(histogram, name, count);
  return histogram;
}

/** a − b. */
function difference(a: Histogram, b: Histogram): Histogram {
  const result: Histogram = new Map();
  for (const [name, count] of a) if (count !== b.get(name)) result.set(name, count - (b.get(name) ?? 0));
  return result;
}

/** The counts of the names that match, together; of all names without a pattern. */
export function total(histogram: Histogram, pattern = /(?:)/): number {
  let sum = 0;
  for (const [name, count] of histogram) if (pattern.test(name)) sum += count;
  return sum;
}
