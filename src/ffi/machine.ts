/**
 * What the machine offers this process, as the library finds it: Deno's own permissions would not do.
 * @module
 */

import { check } from "./errors.ts";
import { asBuffer } from "./buffers.ts";
import { type KernelSymbols, Library } from "./library.ts";

/** A memory node of the machine. */
export interface MemoryNode {
  readonly id: number;
  /** Its CPUs that this process may use, ascending; may be empty. */
  readonly cpus: readonly number[];
  /** 0 for a node without memory; undefined where the system does not tell. */
  readonly memoryBytes?: number;
}

/** What {@linkcode machineInfo} tells. */
export interface MachineInfo {
  /**
   * Bytes of memory that this process may still use, control groups counted; undefined where the system does
   * not tell.
   */
  readonly availableBytes: number | undefined;
  /** The processor's name; undefined where nothing tells it. */
  readonly processor: string | undefined;
  /** The CPUs that this process may use, ascending. */
  readonly cpus: readonly number[];
  /** Threads that it should use at most: its CPUs, or fewer where a control group's quota says so. */
  readonly usableCpus: number;
  /** CPUs' worth of time that a control group grants, fractions too; undefined without a limit. */
  readonly cpuQuota: number | undefined;
  /** At least one; each of `cpus` is in one of them. */
  readonly nodes: readonly MemoryNode[];
}

/** Asks the library at `path`, else the default one. Throws LibraryError when there is none. */
export function machineInfo(path?: string): MachineInfo {
  const library = Library.acquire(path);
  try {
    const bytes = new Float64Array(1);
    check(library.symbols.kumi_available_memory(bytes, bytes.byteLength), "ask for the available memory");
    const name = new Uint8Array(64);
    const length = check(library.symbols.kumi_processor_name(name, name.length), "ask for the processor");
    const nodes = memoryNodes(library.symbols);
    return {
      cpus: nodes.flatMap(({ cpus }) => cpus).sort((a, b) => a - b),
      usableCpus: check(library.symbols.kumi_usable_cpus(), "ask for the CPUs"),
      cpuQuota: check(library.symbols.kumi_cpu_quota(), "ask for the CPU quota") / 1000 || undefined,
      nodes,
      availableBytes: bytes[0] || undefined,
      processor: new TextDecoder().decode(name.subarray(0, length)) || undefined,
    };
  } finally {
    library.release();
  }
}

/** Three values a node and one a CPU, for as many as Linux can have. */
const NODE_VALUES_MAX = 3 * 1024 + 8192;

/** The memory nodes with the CPUs that this process may use. */
export function memoryNodes(native: KernelSymbols): MemoryNode[] {
  const values = new Float64Array(NODE_VALUES_MAX);
  const used = check(native.kumi_numa_nodes(asBuffer(values), values.byteLength), "ask for the memory nodes");
  const nodes: MemoryNode[] = [];
  for (let at = 0; at < used;) {
    const [id, memoryBytes, count] = values.subarray(at, at + 3);
    const cpus = Array.from(values.subarray(at + 3, at + 3 + count));
    nodes.push({ id, cpus, memoryBytes: memoryBytes < 0 ? undefined : memoryBytes });
    at += 3 + count;
  }
  return nodes;
}
