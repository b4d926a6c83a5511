import { assertEquals } from "@std/assert";
import { changedSteps } from "./changed.ts";
import { concernedTests } from "./import_graph.ts";

const SOURCES = new Map(Object.entries({
  "src/a.ts": "export const a = 1;",
  "src/b.ts": 'import { a } from "./a.ts";',
  "src/worker.ts": 'import "./b.ts";',
  "src/pool.ts": 'new Worker(new URL("./worker.ts?n=1", import.meta.url));',
  "src/main.ts": 'const { run } = await import("./pool.ts");',
  "src/a_test.ts": 'import { a } from "./a.ts";',
  "src/pool_test.ts": 'import "./pool.ts";',
  "src/other_test.ts": 'import "./other.ts";',
  "src/other.ts": "",
  "tests/cli_test.ts": "const MAIN = `${ROOT}/src/main.ts`;",
  "tests/table_test.ts": 'const text = read("README.md");',
  "README.md": "",
}));

const found = (...changed: string[]) =>
  concernedTests(changed, SOURCES).map(({ file, distance }) => `${distance} ${file}`);

Deno.test("concernedTests() follows imports, workers and the names of started files, the nearest test first", () => {
  assertEquals(found("src/a.ts"), ["1 src/a_test.ts", "4 src/pool_test.ts", "5 tests/cli_test.ts"]);
  assertEquals(found("src/pool.ts"), ["1 src/pool_test.ts", "2 tests/cli_test.ts"]);
  assertEquals(found("src/other.ts"), ["1 src/other_test.ts"]);
});

Deno.test("concernedTests() takes a changed test itself, and files that are read", () => {
  assertEquals(found("src/other_test.ts"), ["0 src/other_test.ts"]);
  assertEquals(found("README.md", "docs/gone.md"), ["1 tests/table_test.ts"]);
});

Deno.test("changedSteps() knows what a change calls for", () => {
  assertEquals(changedSteps([], []), []);
  assertEquals(changedSteps(["docs/x.md"], []), ["fmt"]);
  assertEquals(changedSteps(["src/a.ts"], ["src/a_test.ts"]), [
    "fmt",
    "lint",
    "check",
    "deno-test",
    "kernels",
  ]);
  assertEquals(changedSteps(["kernels/src/ops.zig"], []), ["zig-fmt", "symbols", "zig-test", "kernels"]);
  assertEquals(changedSteps(["kernels/README.md"], []), ["fmt"]);
});
