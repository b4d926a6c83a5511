/**
 * Contexts of the library, as numbers: how they are made, and freed from another thread.
 * @module
 */

import { asBuffer } from "./buffers.ts";
import { formatCpuList } from "./cpu_list.ts";
import { check, type Detail, KernelError } from "./errors.ts";
import { readIsaReport, refusal } from "./isa.ts";
import { type KernelSymbols, Library, readEnvironment } from "./library.ts";
import { memoryNodes } from "./machine.ts";
import { u32 } from "./objects.ts";
import { type KernelsOptions, NONE } from "./params.ts";
import { limits, Status } from "./symbols.ts";

/** Starts a thread team and gives the context's id. Throws KernelError, RangeError and TypeError. */
export function createContext(native: KernelSymbols, options: KernelsOptions): number {
  const isa = options.isa ?? readEnvironment("KUMI_ISA") ?? "";
  const threads = u32(options.threads ?? 0, "threads");
  const units = workspaceUnits(options.workspaceBytes);
  const cpus = cpuWords(options.cpus);
  const node = options.numaNode === undefined ? NONE : u32(options.numaNode, "numaNode");
  const { interrupts } = options;
  if (interrupts !== undefined) checkShared(interrupts);
  const name = new TextEncoder().encode(isa);
  const out = new Uint32Array(1);
  const status = native.kumi_context_create(
    asBuffer(name),
    name.length,
    threads,
    asBuffer(cpus),
    cpus.byteLength,
    node,
    units,
    asBuffer(out),
  );
  if (status < 0) {
    if (status === Status.unknownIsa || status === Status.unsupportedIsa) {
      check(status, "open kernels", { isa: `${isa}: ${refusal(isa, readIsaReport(native))}` });
    }
    check(status, "open kernels", { threads, ...placementDetail(native, status, options) });
  }
  if (interrupts !== undefined) {
    const word = interrupts.subarray(0, 1);
    check(native.kumi_context_set_stop(out[0], asBuffer(word), word.byteLength), "open kernels");
  }
  return out[0];
}

function cpuWords(cpus: readonly number[] | undefined): Uint32Array {
  if (cpus?.length === 0) throw new RangeError("cpus must name at least one CPU");
  return Uint32Array.from(cpus ?? [], (cpu) => u32(cpu, "cpus"));
}

/** What is wrong with the CPUs or the memory node. */
function placementDetail(
  native: KernelSymbols,
  status: number,
  { cpus = [], numaNode }: KernelsOptions,
): Detail {
  if (status !== Status.unavailableCpu && status !== Status.unknownNode) return {};
  const nodes = memoryNodes(native);
  if (status === Status.unknownNode) return { numaNode, nodes: nodes.map(({ id }) => id).join(", ") };
  const available = nodes.flatMap((node) => node.cpus);
  const absent = cpus.filter((cpu) => !available.includes(cpu));
  return { unavailable: formatCpuList(absent), available: formatCpuList(available) };
}

/**
 * Frees the context of a thread that has ended without closing its kernels, from any other thread: ends its
 * team and frees all that it owns. One that is gone already is no error. Throws KernelError "contextBusy"
 * while a call is still inside, which ends by itself: a thread that is being terminated computes its last op
 * to the end.
 */
export function freeContext(id: number, libraryPath?: string): void {
  const library = Library.acquire(libraryPath);
  try {
    check(library.symbols.kumi_context_stop(u32(id, "id")), "free context", { id });
  } catch (error) {
    if (!(error instanceof KernelError) || error.status !== "unknownId") throw error;
  } finally {
    library.release();
  }
}

/** The library keeps the word's address, and only shared memory can neither move nor be detached. */
function checkShared(word: Int32Array): void {
  if (word.buffer instanceof SharedArrayBuffer && word.length > 0) return;
  throw new TypeError("interrupts must be an Int32Array of at least one word on a SharedArrayBuffer");
}

/** The whole units that hold so many bytes. */
export function workspaceUnits(bytes: number): number {
  const units = Math.ceil(bytes / limits.unitBytes);
  if (!(bytes >= 0) || units >= NONE) {
    throw new RangeError(
      `Workspace must have 0 to ${(NONE - 1) * limits.unitBytes} bytes, current value is ${bytes}`,
    );
  }
  return units;
}
