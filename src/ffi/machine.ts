/**
 * What the machine offers this process, as the library finds it: Deno's own permissions would not do.
 * @module
 */

import { check } from "./errors.ts";
import { Library } from "./library.ts";

/** What {@linkcode machineInfo} tells. */
export interface MachineInfo {
  /** Bytes of memory that this process may still use, control groups counted; undefined where the system does not tell. */
  readonly availableBytes: number | undefined;
  /** The processor's name; undefined where nothing tells it. */
  readonly processor: string | undefined;
}

/** Asks the library at `path`, else the default one. Throws LibraryError when there is none. */
export function machineInfo(path?: string): MachineInfo {
  const library = Library.acquire(path);
  try {
    const bytes = new Float64Array(1);
    check(library.symbols.kumi_available_memory(bytes, bytes.byteLength), "ask for the available memory");
    const name = new Uint8Array(64);
    const length = check(library.symbols.kumi_processor_name(name, name.length), "ask for the processor");
    return {
      availableBytes: bytes[0] || undefined,
      processor: new TextDecoder().decode(name.subarray(0, length)) || undefined,
    };
  } finally {
    library.release();
  }
}
