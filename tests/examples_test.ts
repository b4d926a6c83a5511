/** The examples, each run as a user would, with no more permissions than it needs. */
import { assert, assertEquals } from "@std/assert";
import { npmModules } from "./support/npm.ts";

const root = new URL("../", import.meta.url);

async function runExample(
  name: string,
  args: readonly string[] = [],
  more: readonly string[] = [],
): Promise<{ stdout: string; stderr: string }> {
  // Reading for the model and its vocabulary, the environment for KUMI_LIBRARY and KUMI_ISA.
  const permissions = ["--no-prompt", "--allow-read", "--allow-ffi", "--allow-env=KUMI_LIBRARY,KUMI_ISA"];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-lock", ...permissions, ...more, `examples/${name}`, ...args],
    cwd: decodeURIComponent(root.pathname),
    env: { NO_COLOR: "1" },
  }).output();
  const text = { stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  assert(success, text.stderr);
  return text;
}

Deno.test("examples/chat.ts answers", async () => {
  const { stdout } = await runExample("chat.ts");
  assert(stdout.trim().length > 3, `the answer is ${JSON.stringify(stdout)}`);
});

Deno.test("examples/generate.ts continues a text and says how fast it was", async () => {
  const { stdout, stderr } = await runExample("generate.ts", ["Once upon a time"]);
  assert(stdout.startsWith("Once upon a time there was"), stdout);
  assertEquals(/ 64 tokens, the first after \d+ ms, then \d+ tokens\/s/.test(stderr), true, stderr);
});

Deno.test("examples/concurrent.ts answers several questions at once", async () => {
  const { stdout, stderr } = await runExample("concurrent.ts");
  assert(stdout.includes("What is 17 + 25?\n  17 + 25 = 42."), stdout);
  assertEquals(/^\d+ tokens of 4 answers in /.test(stderr.trim()), true, stderr);
});

Deno.test("examples/classes.ts answers an urgent question beside bulk work", async () => {
  const { stdout } = await runExample("classes.ts");
  assert(stdout.includes("interactive: 20 + 22 = 42."), stdout);
  assert(stdout.includes("batch: 12 stories") && stdout.includes("batch: 12 answers finished"), stdout);
});

Deno.test("examples/objects.ts writes an object that fits, as it comes and whole", async () => {
  const { stdout, stderr } = await runExample("objects.ts");
  assert(/^\{.*"age":31\}$/m.test(stderr), stderr);
  assert(/^.{1,20} will be 32\n$/.test(stdout), stdout);
});

Deno.test("examples/tools.ts calls the function and goes on with what it gave", async () => {
  const { stdout } = await runExample("tools.ts");
  const [, a, b, sum] = /^calls add\(\{"a":(\d+),"b":(\d+)\}\)\ngives (\d+)\n./.exec(stdout) ?? [];
  assert(sum !== undefined && Number(a) + Number(b) === Number(sum), stdout);
});

const HAS_AI = await npmModules("ai@7") !== null;

Deno.test({
  name: `examples/ai_sdk.ts streams and calls a tool${HAS_AI ? "" : " (skipped: no npm registry)"}`,
  ignore: !HAS_AI,
  fn: async () => {
    const { stdout } = await runExample("ai_sdk.ts", [], ["--allow-sys", "--allow-env"]);
    assert(/cache/i.test(stdout) && /^called add which gave \d+$/m.test(stdout), stdout);
  },
});
