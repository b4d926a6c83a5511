import { assertEquals } from "@std/assert";
import { renderProgress } from "./progress.ts";
import { formatBytes } from "./units.ts";

Deno.test("renderProgress() shows bar, sizes and time left", () => {
  assertEquals(
    renderProgress("loading", formatBytes, 256 * 2 ** 20, 2 ** 30, 10_000),
    "loading  [######..................]  25 %  256 MiB of 1.0 GiB  30 s left",
  );
});

Deno.test("renderProgress() shows what is known when the total is not", () => {
  assertEquals(renderProgress("downloading", formatBytes, 1536, 0, 10), "downloading  1.5 KiB");
  assertEquals(
    renderProgress("windows", String, 4, 4, 10, "done"),
    `windows  [${"#".repeat(24)}] 100 %  4 of 4  done`,
  );
});
