/** The benchmarks, tiny: each runs, and kernels and scalar references compute the same. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { formatNames } from "../src/gguf/mod.ts";
import { ensureReferenceLibrary } from "../src/setup/build.ts";
import { chooseStd, stdFlags } from "../src/setup/import_map.ts";
import { ROOT } from "../src/setup/paths.ts";
import { testWithPrograms } from "./support/optional.ts";

const ENVIRONMENT = { NO_COLOR: "1", KUMI_BENCH_TINY: "1" };

async function deno(args: string[], cache: string): Promise<string> {
  const [command, ...rest] = args;
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [command, "--quiet", "--allow-all", ...stdFlags(await chooseStd()), ...rest],
    cwd: ROOT,
    env: { ...ENVIRONMENT, KUMI_CACHE: cache },
  }).output();
  assert(success, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test("every benchmark runs, and kernels compute what the references do", async () => {
  await ensureReferenceLibrary();
  const cache = await Deno.makeTempDir({ prefix: "kumi-test-" });
  try {
    const files: string[] = [];
    for await (const { name } of Deno.readDir(`${ROOT}/bench`)) {
      if (name.endsWith(".bench.ts")) files.push(`${ROOT}/bench/${name}`);
    }
    const output = await deno(["run", `${ROOT}/tests/support/run_benches.ts`, ...files.sort()], cache);
    const lines = output.trim().split("\n");
    const ops = ["rmsNorm", "layerNorm", "quantizeActivations", "ropeAppend", "attention", "sample"];
    for (const op of [...ops, "deltaRule", "shortConv", "gatedNorm", "latentSplit", "headProducts"]) {
      assert(lines.some((line) => line.startsWith(op)), `no benchmark of ${op}`);
    }
    for (const format of formatNames) {
      for (const op of ["matmul", "gateUp"]) {
        const ofOp = lines.filter((line) => line.startsWith(`${op} ${format} `));
        const references = ofOp.filter((line) => line.endsWith(": reference"));
        assert(references.length > 0, `no benchmark of ${op} ${format}`);
        assertEquals(ofOp.length, 2 * references.length);
      }
    }
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});

Deno.test("deno bench takes the benchmark files", async () => {
  const output = await deno(["bench", "bench/ffi.bench.ts"], "");
  assertMatch(output, /native, no arguments/);
});

Deno.test("bench/experts.ts compares the loads of experts", async () => {
  const output = await deno(["run", "bench/experts.ts", "--format", "q8_0", "--tokens", "12"], "");
  for (const load of ["even", "same", "half", "zipf"]) {
    assertMatch(output, new RegExp(`^${load} +[0-9.]+ ms`, "m"));
  }
});

Deno.test("bench/speculation.ts answers alike with guesses and without", async () => {
  const args = ["demo", "--prompts", "2", "--tokens", "16", "--kinds", "chat,free story"];
  const output = await deno(["run", "bench/speculation.ts", ...args], "");
  for (const kind of ["chat", "free story"]) {
    assertMatch(output, new RegExp(`^${kind} +2 +[0-9]+ .* 0$`, "m"));
  }
});

Deno.test("bench/routing.ts compares two places with each alone, and draws it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "kumi-test-" });
  try {
    const [trace, svg] = [`${folder}/trace.csv`, `${folder}/plot.svg`];
    const lines = Array.from({ length: 20 }, (_, i) => `${1000 * i},300,20`);
    await Deno.writeTextFile(trace, ["at_ms,prompt_tokens,max_tokens", ...lines].join("\n"));
    const output = await deno(
      ["run", "bench/routing.ts", "--trace", trace, "--users", "1", "--svg", svg],
      folder,
    );
    for (const name of ["here alone", "upstream alone", "overflow", "fastest"]) {
      assertMatch(output, new RegExp(`^${name} +[0-9.]+ s`, "m"));
    }
    assertMatch(await Deno.readTextFile(svg), /^<svg/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

testWithPrograms("bench/startup.ts times kumi run", ["hyperfine"], async () => {
  const folder = await Deno.makeTempDir({ prefix: "kumi-test-" });
  try {
    const results = `${folder}/results.json`;
    await deno(["run", "bench/startup.ts", "--runs", "2", "--export-json", results], folder);
    const timed: { name?: string; command: string }[] = JSON.parse(await Deno.readTextFile(results)).results;
    const names = timed.map(({ name, command }) => name ?? command); // before its version 2 a name stood for the command
    assertEquals(names, ["deno task kumi run", "kumi run"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
