/**
 * Runs one static x86-64 Linux program on a processor that this machine is not, under Bochs: no BIOS, no
 * Linux, only the loader of kernels/src/emulation. The program has one thread, no files and no signals.
 * @module
 */

/** An installed Bochs, see {@linkcode installBochs}. */
export interface Bochs {
  /** Root of the unpacked packages. */
  readonly root: string;
  /** Path of the loader, an ELF file. */
  readonly loader: string;
}

/** What to run, and on what. */
export interface Program {
  readonly path: string;
  readonly args?: readonly string[];
  /** Bochs's name of the processor, e.g. "sapphire_rapids". */
  readonly model: string;
  /** CPUID features that the model is to lack, by Bochs's names. */
  readonly without?: readonly string[];
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** What the program left. */
export interface Result {
  /** Exit status; 128 + n after signal n; undefined when the emulation did not come to an end. */
  readonly status: number | undefined;
  /** Executed instructions, the same in every run. */
  readonly ticks: number;
  /** Standard output and error. */
  readonly output: string;
}

const LIBRARIES = "usr/lib/x86_64-linux-gnu";
/** Where the loader is linked to, and where it looks for arguments and program: see loader_memory.zig. */
const IMAGE = 0x10000000;
const ARGUMENTS = 0x103ff000 - IMAGE;
const FILE = 0x10400000 - IMAGE;
const ROM_BYTES = 0x10000;
const RESET_VECTOR = 0xfff0;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly bytes: number;
}

function segments(elf: Uint8Array): Segment[] {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  const first = Number(view.getBigUint64(32, true));
  const size = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  return Array.from({ length: count }, (_, i) => {
    const at = first + i * size;
    return {
      type: view.getUint32(at, true),
      offset: Number(view.getBigUint64(at + 8, true)),
      address: Number(view.getBigUint64(at + 16, true)),
      bytes: Number(view.getBigUint64(at + 32, true)),
    };
  });
}

/** The loader's segments, the program's arguments and its file as they lie in memory from IMAGE on. */
export function memoryImage(loader: Uint8Array, program: Uint8Array, args: readonly string[]): Uint8Array {
  const image = new Uint8Array(FILE + program.length);
  const load = 1;
  for (const { type, offset, address, bytes } of segments(loader)) {
    if (type === load && address >= IMAGE) {
      image.set(loader.subarray(offset, offset + bytes), address - IMAGE);
    }
  }
  new DataView(image.buffer).setBigUint64(ARGUMENTS, BigInt(args.length), true);
  image.set(new TextEncoder().encode(args.map((arg) => arg + "\0").join("")), ARGUMENTS + 8);
  image.set(program, FILE);
  return image;
}

/** 64 KiB below 4 GiB: the loader's beginning, and at the address of the reset a jump to it. */
function resetRom(image: Uint8Array): Uint8Array {
  const rom = new Uint8Array(ROM_BYTES).fill(0xff);
  rom.set(image.subarray(0, 0x1000));
  rom.set([0xea, 0x00, 0x00, 0x00, 0xf0], RESET_VECTOR); // ljmp $0xf000, $0
  return rom;
}

function configuration(folder: string, { model, without = [] }: Program): string {
  const exclude = without.length > 0 ? `, exclude_features="${without.join(", ")}"` : "";
  return `cpu: model=${model}, count=1, ips=100000000, reset_on_triple_fault=0${exclude}
memory: guest=1024, host=1024, block_size=4096
romimage: file=${folder}/rom, address=0xffff0000
optramimage1: file=${folder}/image, address=0x${IMAGE.toString(16)}
vgaromimage: file=${folder}/vga
display_library: rfb, options="timeout=0"
config_interface: textconfig
plugin_ctrl: biosdev=0, iodebug=0, parallel=0, gameport=0, speaker=0, serial=0
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
speaker: enabled=0, mode=none
port_e9_hack: enabled=1
pci: enabled=0
floppya: type=none
ata0: enabled=0
ata1: enabled=0
clock: sync=none
panic: action=fatal
log: ${folder}/log
`;
}

/** The command that starts Bochs with its own C library. */
export function bochsCommand(root: string): { command: string[]; env: Record<string, string> } {
  const libraries = `${root}/${LIBRARIES}`;
  const plugins = `${libraries}/bochs/plugins`;
  return {
    command: [
      `${libraries}/ld-linux-x86-64.so.2`,
      "--library-path",
      `${libraries}:${plugins}`,
      `${root}/usr/bin/bochs-bin`,
    ],
    env: { LTDL_LIBRARY_PATH: plugins, BXSHARE: `${root}/usr/share/bochs` },
  };
}

/** Runs a program to its end. Throws the signal's reason when aborted. */
export async function runUnderBochs(bochs: Bochs, program: Program): Promise<Result> {
  const folder = await Deno.makeTempDir({ prefix: "kumi-bochs-" });
  try {
    const file = await Deno.readFile(program.path);
    const image = memoryImage(await Deno.readFile(bochs.loader), file, [program.path, ...program.args ?? []]);
    await Deno.writeFile(`${folder}/image`, image);
    await Deno.writeFile(`${folder}/rom`, resetRom(image));
    await Deno.writeFile(`${folder}/vga`, new Uint8Array(512));
    await Deno.writeTextFile(`${folder}/rc`, configuration(folder, program));
    return await runInFolder(bochs, program, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function runInFolder(bochs: Bochs, program: Program, folder: string): Promise<Result> {
  const { command, env } = bochsCommand(bochs.root);
  const stopped = AbortSignal.timeout(program.timeoutMs);
  const signal = program.signal ? AbortSignal.any([program.signal, stopped]) : stopped;
  const child = new Deno.Command(command[0], {
    args: [...command.slice(1), "-q", "-f", `${folder}/rc`],
    env,
    signal,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let stdout = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) stdout += text;
  await child.status;
  program.signal?.throwIfAborted();
  if (stopped.aborted) stdout += `\nstopped after ${program.timeoutMs / 1000} s`;
  return await readResult(stdout, folder);
}

async function readResult(stdout: string, folder: string): Promise<Result> {
  const [, output, , status, ticks] =
    /\[loader\] start\n(.*?)($|\n\[loader\] exit (\d+) ticks (\d+)\n)/s.exec(stdout) ?? [];
  if (status !== undefined) return { status: Number(status), ticks: Number(ticks), output };
  const log = await Deno.readTextFile(`${folder}/log`).catch(() => "");
  const last = log.split("\n").slice(-15).join("\n");
  return { status: undefined, ticks: 0, output: `${output ?? stdout}\n${last}` };
}
