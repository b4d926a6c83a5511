/** A process that ends in one of several ways while native threads exist; tests look at its exit status. */
import { Kernels } from "../../src/ffi/context.ts";

async function worker(ending: "close" | "leave" | "exit", terminate: boolean): Promise<void> {
  const thread = new Worker(new URL("ffi_worker.ts", import.meta.url), { type: "module" });
  const done = new Promise((resolve, reject) => {
    thread.onmessage = resolve;
    thread.onerror = (event) => reject(new Error(event.message));
  });
  thread.postMessage(ending);
  await done;
  if (terminate) thread.terminate();
}

/**
 * Two contexts share 64 MiB of weights: they stay while either is open. Only a process of its own can tell by
 * its RSS.
 */
function sharedWeights(): void {
  const rows = 16384;
  const bytes = rows * 1024 * 4;
  const part = new Uint8Array(bytes / 64).fill(1);
  const before = Deno.memoryUsage().rss;
  const grown = () => Deno.memoryUsage().rss - before;
  const first = Kernels.open({ workspaceBytes: 64, threads: 1 });
  const second = Kernels.open({ workspaceBytes: 64, threads: 1 });
  const weights = first.createWeights(0, rows, 1024);
  for (let i = 0; i < 64; i++) weights.load(i * rows / 64, rows / 64, part);
  second.shareWeights(weights.id);
  first.close();
  if (grown() < 0.8 * bytes) throw new Error(`${grown()} bytes are held of ${bytes}`);
  second.close();
  if (grown() > 0.5 * bytes) throw new Error(`${grown()} bytes are left of ${bytes}`);
}

const ways: Record<string, () => Promise<void> | void> = {
  "use": () => {
    using kernels = Kernels.open({ workspaceBytes: 64, threads: 2 });
    kernels.write(0, new Uint8Array(64));
  },
  "shared weights": sharedWeights,
  "leave open": () => {
    Kernels.open({ workspaceBytes: 64, threads: 4 });
  },
  "exit while open": () => {
    Kernels.open({ workspaceBytes: 64, threads: 4 });
    Deno.exit(0);
  },
  "workers that close": async () => {
    for (let i = 0; i < 10; i++) await worker("close", i % 2 === 0);
  },
  "workers that leave": async () => {
    for (let i = 0; i < 10; i++) await worker(i % 2 === 0 ? "leave" : "exit", true);
  },
  "workers together": async () => {
    await Promise.all(Array.from({ length: 6 }, (_, i) => worker(i % 2 === 0 ? "close" : "leave", true)));
  },
};

await ways[Deno.args[0]]();
console.log("end");
// Workers that were left keep nobody waiting.
if (Deno.args[0].startsWith("workers")) Deno.exit(0);
