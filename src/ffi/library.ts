/**
 * Opens the kernel library and refuses one that this code was not written for.
 * @module
 */

import { libraryFile, REPAIR } from "./native_files.ts";
import { abiHash, symbols } from "./symbols.ts";

/** The native functions, by name. */
export type KernelSymbols = Deno.DynamicLibrary<typeof symbols>["symbols"];

type FunctionName = keyof typeof symbols;

/** What loading any model and computing a step of a usual one calls. */
const USUAL: ReadonlySet<FunctionName> = new Set([
  "kumi_abi_hash",
  "kumi_available_memory",
  "kumi_processor_name",
  "kumi_numa_nodes",
  "kumi_usable_cpus",
  "kumi_cpu_quota",
  "kumi_context_create",
  "kumi_context_set_stop",
  "kumi_context_info",
  "kumi_context_arm",
  "kumi_context_disarm",
  "kumi_context_stay",
  "kumi_context_roam",
  "kumi_context_stop",
  "kumi_isa_level_names",
  "kumi_arena_create",
  "kumi_weights_create",
  "kumi_weights_load",
  "kumi_rope_create",
  "kumi_vector_create",
  "kumi_activation_bytes",
  "kumi_workspace_resize",
  "kumi_kv_blocks_create",
  "kumi_kv_blocks_stats",
  "kumi_kv_blocks_allocate",
  "kumi_kv_blocks_allocate_at",
  "kumi_kv_blocks_share",
  "kumi_kv_blocks_release",
  "kumi_kv_blocks_take_idle",
  "kumi_batch_set",
  "kumi_embed",
  "kumi_rms_norm",
  "kumi_matmul",
  "kumi_rope_append",
  "kumi_attention",
  "kumi_gate_up",
  "kumi_gather_rows",
  "kumi_sample",
]);

/** The kernel library cannot be used; the message says what to do. */
export class LibraryError extends Error {
  override readonly name = "LibraryError";
}

/**
 * The library of this checkout, or of the installed package. Throws LibraryError where there is none for this
 * platform.
 */
export function defaultLibraryPath(): string {
  try {
    return libraryFile();
  } catch (cause) {
    throw new LibraryError((cause as Error).message, { cause });
  }
}

/** A variable of the environment; undefined where it is unset, empty, or reading it is not permitted. */
export function readEnvironment(variable: string): string | undefined {
  // Asking for the permission would block a worker; a user who set the variable has granted it.
  if (Deno.permissions.querySync({ name: "env", variable }).state !== "granted") return undefined;
  return Deno.env.get(variable) || undefined;
}

/**
 * An open library. It is closed when every user has released it; its code stays mapped, so late threads are
 * safe.
 */
export class Library {
  static readonly #open = new Map<string, Library>();

  readonly path: string;
  /** What the library computes. */
  readonly symbols: KernelSymbols;
  readonly #parts: Closing[];
  #users = 0;

  private constructor(path: string) {
    this.path = path;
    checkVersion(path);
    this.#parts = [];
    this.symbols = openFunctions(path, this.#parts);
  }

  /**
   * The library at `path`, else at KUMI_LIBRARY, else the one of this checkout or package. Each call needs
   * one {@linkcode Library.release}. Throws LibraryError when it is missing, unusable or of another version.
   */
  static acquire(path?: string): Library {
    const resolved = path ?? readEnvironment("KUMI_LIBRARY") ?? defaultLibraryPath();
    let library = Library.#open.get(resolved);
    if (library === undefined) {
      library = new Library(resolved);
      Library.#open.set(resolved, library);
    }
    library.#users++;
    return library;
  }

  /**
   * Opens the library that {@linkcode Library.acquire} gives without a path, and keeps it open while this thread
   * lives: each opening readies forty functions, and takes some 10 ms. For a thread that has nothing to do yet. Where the
   * library may not be opened, or cannot, whoever needs it is told.
   */
  static keepOpen(): void {
    try {
      const path = readEnvironment("KUMI_LIBRARY") ?? defaultLibraryPath();
      // Asking for the permission would block a worker.
      if (Deno.permissions.querySync({ name: "ffi", path }).state === "granted") Library.acquire();
    } catch {
      // its first user says so
    }
  }

  /** Gives one acquisition back. Native functions must not be called through it afterwards. */
  release(): void {
    if (this.#users === 0) throw new Error(`Cannot release ${this.path}: it is not open`);
    this.#users--;
    if (this.#users > 0) return;
    Library.#open.delete(this.path);
    for (const part of this.#parts) part.close();
  }
}

type Closing = Pick<Deno.DynamicLibrary<typeof symbols>, "close">;

/**
 * The library's functions. Those that any model needs are readied at once, the others together when one of them is asked for: each
 * takes a fifth of a millisecond. What is opened is added to `parts`.
 */
function openFunctions(path: string, parts: Closing[]): KernelSymbols {
  const open = (names: readonly FunctionName[]) => {
    try {
      const part = Deno.dlopen(path, Object.fromEntries(names.map((name) => [name, symbols[name]])));
      parts.push(part);
      return part.symbols;
    } catch (cause) {
      throw loadError(path, cause);
    }
  };
  const functions: Record<string, unknown> = open([...USUAL]);
  const others = (Object.keys(symbols) as FunctionName[]).filter((name) => !USUAL.has(name));
  const all = { ...functions };
  const openOthers = () => {
    for (const [name, value] of Object.entries(open(others))) Object.defineProperty(all, name, { value });
  };
  for (const name of others) {
    Object.defineProperty(all, name, {
      configurable: true,
      enumerable: true,
      get: () => (openOthers(), all[name]),
    });
  }
  return all as KernelSymbols;
}

/** A library of another version may lack functions, so the hash is asked for before anything else. */
function checkVersion(path: string): void {
  const { kumi_abi_hash } = symbols;
  let probe: Deno.DynamicLibrary<{ kumi_abi_hash: typeof kumi_abi_hash }>;
  try {
    probe = Deno.dlopen(path, { kumi_abi_hash });
  } catch (cause) {
    throw loadError(path, cause);
  }
  const found = probe.symbols.kumi_abi_hash();
  probe.close();
  if (found === abiHash) return;
  throw new LibraryError(
    `The kernel library ${path} is of another version than this code ` +
      `(ABI ${hex(found)}, expected ${hex(abiHash)}): ${REPAIR}`,
  );
}

function loadError(path: string, cause: unknown): LibraryError {
  const options = { cause };
  if (cause instanceof Deno.errors.NotCapable || cause instanceof Deno.errors.PermissionDenied) {
    return new LibraryError(
      `Cannot load the kernel library ${path}: run Deno with --allow-ffi=${path}`,
      options,
    );
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new LibraryError(
    `Cannot load the kernel library ${path}: ${reason}; ${REPAIR}`,
    options,
  );
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
