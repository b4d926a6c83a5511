import { assert, assertEquals, assertRejects } from "@std/assert";
import { chooseStd, LOCAL_MAP, type StdChoice, stdFlags } from "../src/setup/import_map.ts";
import { ROOT } from "../src/setup/paths.ts";
import { capture } from "../src/setup/process.ts";
import { JsrStub } from "./jsr_stub.ts";
import { loadedModules } from "./support/loaded_modules.ts";
import { countDenoTests, countZigTests, skippedDenoTests, stripColors } from "./run_counts.ts";

async function tempFile(): Promise<{ path: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "kumi-std-" });
  return {
    path: `${folder}/std.json`,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

Deno.test("chooseStd() obeys KUMI_STD", async () => {
  assertEquals(await chooseStd({ forced: "jsr" }), "jsr");
  assertEquals(await chooseStd({ forced: "local" }), "local");
  await assertRejects(() => chooseStd({ forced: "npm" }), RangeError, "KUMI_STD");
});

Deno.test("chooseStd() takes the stand-ins where no registry answers, and asks again after a day", async () => {
  await using memory = await tempFile();
  using closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const dead: StdChoice = { forced: "", registry: "http://127.0.0.1:1/", memory: memory.path, now: 1000 };
  assertEquals(await chooseStd(dead), "local");
  const remembered = JSON.parse(await Deno.readTextFile(memory.path));
  assertEquals([remembered.source, remembered.atMs], ["local", 1000]);
  await chooseStd({ ...dead, now: 2000 });
  assertEquals(JSON.parse(await Deno.readTextFile(memory.path)).atMs, 1000);
  await chooseStd({ ...dead, now: 1000 + 25 * 3600 * 1000 });
  assertEquals(JSON.parse(await Deno.readTextFile(memory.path)).atMs, 1000 + 25 * 3600 * 1000);
  // A registry that accepts and never answers costs the probe's time, not more.
  assertEquals(await chooseStd({ ...dead, registry: `http://127.0.0.1:${closed.addr.port}/` }), "local");
});

Deno.test("a registry of the JSR kind serves the same names without the local map", async () => {
  await using registry = await JsrStub.start();
  const cache = await Deno.makeTempDir({ prefix: "kumi-jsr-" });
  try {
    const env = { JSR_URL: registry.url, DENO_DIR: cache, NO_COLOR: "1", KUMI_STD: "" };
    const probe = `import { chooseStd } from "${new URL("../src/setup/import_map.ts", import.meta.url)}";
      console.log(await chooseStd({ memory: "${cache.replaceAll("\\", "/")}/std.json" }));`;
    await Deno.writeTextFile(`${cache}/probe.ts`, probe);
    const chosen = await capture([Deno.execPath(), "run", "--allow-all", "--quiet", `${cache}/probe.ts`], {
      env,
    });
    assertEquals(chosen?.stdout.trim(), "jsr", chosen?.stderr);

    const file = `${ROOT}/tests/setup_args_test.ts`;
    const run = await capture([Deno.execPath(), "test", "--allow-import", "--no-check", file], {
      cwd: ROOT,
      env,
    });
    assertEquals(run?.code, 0, `${run?.stdout}${run?.stderr}`);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});

Deno.test("the library comes without JSR, the command line's server with it", async () => {
  const fromJsr = async (entry: string) => {
    const modules = await loadedModules(new URL(`../${entry}`, import.meta.url), { later: true });
    assert(modules.size > 100, `${modules.size} modules`);
    return [...modules].filter((module) => module.startsWith("package:@std/")).sort();
  };
  assertEquals(await fromJsr("mod.ts"), []);
  assertEquals(await fromJsr("src/cli/main.ts"), ["package:@std/http/etag", "package:@std/http/negotiation"]);
});

Deno.test("both import maps map the same names", async () => {
  const config = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`));
  const local = JSON.parse(await Deno.readTextFile(LOCAL_MAP));
  assertEquals(Object.keys(local.imports).sort(), Object.keys(config.imports).sort());
  for (const [name, target] of Object.entries(config.imports as Record<string, string>)) {
    if (target.startsWith("npm:")) assertEquals(local.imports[name], target);
  }
  assertEquals(stdFlags("jsr"), []);
  assertEquals(stdFlags("local"), [`--import-map=${LOCAL_MAP}`]);
});

Deno.test("countDenoTests() and countZigTests() read the runners' summaries", () => {
  const deno =
    "ok | 1 passed | 0 failed (1s)\nother\nFAILED | 12 passed (3 steps) | 2 failed | 1 ignored (2s)\n";
  assertEquals(countDenoTests(deno), { passed: 12, failed: 2, skipped: 1 });
  assertEquals(skippedDenoTests("one ... ok (2ms)\ntwo (skipped: no curl) ... ignored (0ms)\n"), [
    "two (skipped: no curl)",
  ]);
  assertEquals(countDenoTests("error: Module not found"), { passed: 0, failed: 0, skipped: 0 });
  const zig =
    "Build Summary: 5/7 steps succeeded (1 failed); 34/37 tests passed (1 skipped, 1 failed, 1 crashed)\n" +
    "All 4 tests passed.\n10 passed; 1 skipped; 2 failed.\n";
  assertEquals(countZigTests(zig), { passed: 48, failed: 4, skipped: 2 });
  assertEquals(stripColors("\x1b[0m\x1b[32mok\x1b[0m | 1"), "ok | 1");
});
