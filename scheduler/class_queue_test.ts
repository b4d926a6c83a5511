import { assertEquals } from "@std/assert";
import { MemoryAllocator } from "./memory_allocator.ts";
import { DEFAULT_CLASSES, Scheduler } from "./mod.ts";

Deno.test("requests without a limit of their own start together before any answer has ended, however long the context", () => {
  const contextLength = 131_072, blockTokens = 16, count = 32;
  const scheduler = new Scheduler({
    // The KV cache can hold one sequence of the context's length.
    allocator: new MemoryAllocator(contextLength / blockTokens),
    blockTokens,
    stepTokensMax: 4096,
    stepSequencesMax: count,
    classes: DEFAULT_CLASSES,
  });
  for (let id = 0; id < count; id++) {
    const tokens = Array.from({ length: 50 }, (_, i) => 100 * id + i);
    const admission = scheduler.submit(
      { id, class: "interactive", tokens, maxTokens: contextLength - 50 },
      0,
    );
    assertEquals(admission.accepted, true);
  }
  assertEquals(scheduler.plan(0).items.length, count);
});
