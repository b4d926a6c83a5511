import { assertEquals } from "@std/assert";
import type { ModelStats } from "../../client/client.ts";
import { MetricsText } from "./exposition.ts";
import { writeStores } from "./store_metrics.ts";

/** Figures of a model whose workers have stores. */
function model(...stores: readonly (readonly [dir: string, bytes: number])[]): ModelStats {
  const workers = stores.map(([dir, bytes]) => ({ prefixStore: { dir, bytes } }));
  return { workers } as unknown as ModelStats;
}

function written(models: readonly (ModelStats | null)[]): string | undefined {
  const text = new MetricsText();
  writeStores(text, models);
  return /^kumi:prefix_store_bytes.*$/m.exec(text.toString())?.[0];
}

Deno.test("writeStores() counts a folder once, whichever workers and models use it", () => {
  const stats = [model(["/a", 7], ["/a", 9]), null, model(["/a", 8]), model(["/b", 100])];
  assertEquals(written(stats), "kumi:prefix_store_bytes 109");
  assertEquals(written([model(["/a", 0])]), "kumi:prefix_store_bytes 0");
  assertEquals(written([null, { workers: [{}] } as unknown as ModelStats]), undefined);
});
