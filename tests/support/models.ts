import { type MetadataEntry, openGguf, type WeightFormatName } from "../../src/gguf/mod.ts";
import { writeRandomModel } from "../../src/models/random_model.ts";
import type { ModelShape } from "../../src/models/shapes.ts";
import { loadModelRunner, type ModelRunner, type RunnerOptions } from "../../src/runner/model_runner.ts";

const shared = new URL("../../../shared/data/", import.meta.url);

/** A file of the data folder beside the checkout, or null where that folder is absent. */
export function sharedFile(path: string): string | null {
  const url = new URL(path, shared);
  try {
    Deno.statSync(url);
    return decodeURIComponent(url.pathname);
  } catch {
    return null;
  }
}

/** Declares a test that needs files of the data folder; without them it is skipped, and its name says why. */
export function testWithShared<const T extends readonly string[]>(
  name: string,
  paths: T,
  body: (files: { [K in keyof T]: string }) => Promise<void>,
): void {
  const files = paths.map(sharedFile);
  if (files.includes(null)) {
    Deno.test({ name: `${name} (skipped: no ../shared/data)`, ignore: true, fn: () => {} });
  } else {
    Deno.test(name, () => body(files as { [K in keyof T]: string }));
  }
}

/** A folder for the files of one test, removed at its end. */
export class TemporaryFolder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "kumi-test-" });
  #count = 0;

  /** Writes a random-weight model and gives its path. `entries`: metadata in place of its own. */
  async randomModel(
    shape: string | ModelShape,
    format: WeightFormatName,
    seed = 1,
    entries: readonly MetadataEntry[] = [],
  ): Promise<string> {
    const name = typeof shape === "string" ? shape : `shape-${++this.#count}`;
    const path = `${this.path}/${name}-${format}-${seed}${
      entries.length > 0 ? `-${++this.#count}` : ""
    }.gguf`;
    await writeRandomModel(path, { shape, format, seed, entries });
    return path;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Loads a model file into this thread. */
export async function loadRunner(path: string, options: RunnerOptions = {}): Promise<ModelRunner> {
  using file = await openGguf(path);
  return await loadModelRunner(file, options);
}
