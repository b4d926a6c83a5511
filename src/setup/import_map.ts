/**
 * Which import map the tasks run with. deno.json maps `@std/*` to JSR; where JSR cannot be reached,
 * `import_map.local.json` maps the same names to the small stand-ins in `std/`. `KUMI_STD=jsr` or
 * `KUMI_STD=local` decides by hand; otherwise JSR is asked once and the answer remembered in the checkout.
 * @module
 */

import { BUILD, ROOT } from "./paths.ts";
import { capture } from "./process.ts";

/** Where `@std/*` comes from. */
export type StdSource = "jsr" | "local";

/** The map for networks without JSR. */
export const LOCAL_MAP = `${ROOT}/src/setup/import_map.local.json`;

const PROBE_MS = 1500;
const LOCAL_MAX_AGE_MS = 24 * 60 * 60 * 1000;

/** What the choice depends on, replaceable in tests. */
export interface StdChoice {
  /** Value of `KUMI_STD`. */
  readonly forced?: string;
  /** Value of `JSR_URL`. */
  readonly registry?: string;
  /** File that remembers the answer. */
  readonly memory?: string;
  /** Milliseconds since the epoch. */
  readonly now?: number;
}

interface Remembered {
  readonly source: StdSource;
  readonly registry: string;
  readonly cache: string;
  readonly atMs: number;
}

async function read(path: string): Promise<Remembered | null> {
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch {
    return null; // none yet, or damaged: ask again
  }
}

async function answers(registry: string): Promise<boolean> {
  try {
    const url = new URL("/@std/assert/meta.json", registry);
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_MS) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

/** Fetches the packages once: a registry that answers but does not deliver must not be chosen. */
async function delivers(): Promise<boolean> {
  const { imports } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`)) as {
    imports: Record<string, string>;
  };
  const packages = Object.values(imports).filter((target) => target.startsWith("jsr:"));
  const result = await capture([Deno.execPath(), "cache", "--quiet", ...packages], { cwd: ROOT });
  return result?.code === 0;
}

/**
 * Decides where `@std/*` comes from. An answer "local" is asked again after a day, "jsr" when Deno's cache is
 * another one. Throws RangeError when `KUMI_STD` is neither "jsr" nor "local".
 */
export async function chooseStd(choice: StdChoice = {}): Promise<StdSource> {
  const forced = choice.forced ?? Deno.env.get("KUMI_STD") ?? "";
  if (forced === "jsr" || forced === "local") return forced;
  if (forced !== "") throw new RangeError(`KUMI_STD takes "jsr" or "local", current value is ${forced}`);
  const registry = choice.registry ?? Deno.env.get("JSR_URL") ?? "https://jsr.io/";
  const cache = Deno.env.get("DENO_DIR") ?? Deno.env.get("HOME") ?? "";
  const memory = choice.memory ?? `${BUILD}/std.json`;
  const now = choice.now ?? Date.now();

  const known = await read(memory);
  if (known?.registry === registry && known.cache === cache) {
    if (known.source === "jsr" || now - known.atMs < LOCAL_MAX_AGE_MS) return known.source;
  }
  const source = await answers(registry) && await delivers() ? "jsr" : "local";
  const record: Remembered = { source, registry, cache, atMs: now };
  await Deno.mkdir(memory.replace(/[^/]*$/, ""), { recursive: true });
  await Deno.writeTextFile(memory, JSON.stringify(record) + "\n");
  return source;
}

/** Flags for `deno run`, `test` and `check` that select the map. */
export function stdFlags(source: StdSource): string[] {
  return source === "local" ? [`--import-map=${LOCAL_MAP}`] : [];
}
