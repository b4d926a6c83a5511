/** Commands for models: pull, list, rm of the cache; ps and stop of a running server. In processes of their own, with their permissions. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { serveModels } from "../mod.ts";
import { demoModelFile } from "../src/ffi/native_files.ts";
import { HubStub } from "./hub_stub.ts";
import { kumi, kumiCommand } from "./support/kumi.ts";
import { TemporaryFolder } from "./support/models.ts";

Deno.test("kumi pull, list and rm: a model comes into the cache, is there, and goes", async () => {
  await using hub = new HubStub(await Deno.readFile(demoModelFile()));
  using folder = new TemporaryFolder();
  const env = { HF_ENDPOINT: hub.endpoint, KUMI_CACHE: folder.path };
  const name = "hf:kumi/demo/demo.gguf";
  const run = (...args: string[]) => withEnv(env, () => kumi(args, "", env));
  const pulled = await run("pull", name);
  assertEquals(
    [pulled.code, pulled.stdout],
    [0, `${folder.path}/models/kumi/demo/main/demo.gguf\n`],
    pulled.stderr,
  );
  const listed = await run("list", "--json");
  const [model, ...others] = listed.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals([model.name, model.whole, others.length], [name, true, 0]);
  assertMatch(
    (await run("list")).stdout,
    /^model +size +changed.*\n-+.*\nhf:kumi\/demo\/demo\.gguf +[\d.]+ MiB +20/,
  );
  const unsure = await run("rm", name);
  assertEquals(unsure.code, 2);
  assertStringIncludes(unsure.stderr, "nobody can be asked whether to remove hf:kumi/demo/demo.gguf (");
  const unknown = await run("rm", "hf:kumi/demo/other.gguf", "--yes");
  assertEquals(unknown.code, 1);
  assertStringIncludes(unknown.stderr, "it was not downloaded; kumi list tells all");
  const removed = await run("rm", name, "-y");
  assertEquals([removed.code, (await run("list", "--json")).stdout], [0, ""], removed.stderr);
  assertStringIncludes(removed.stderr, "kumi: removed hf:kumi/demo/demo.gguf, ");
  assertEquals((await run("pull", "./model.gguf")).code, 2);
});

/** The permissions of a command are worked out in this process. */
async function withEnv<T>(env: Record<string, string>, run: () => Promise<T>): Promise<T> {
  const before = Object.keys(env).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(env)) Deno.env.set(name, value);
  try {
    return await run();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}

Deno.test("kumi ps and stop talk to a running server, with its key", async () => {
  const models = [{ name: "a", model: "demo" }, { name: "b\u202e", model: "demo" }];
  await using server = serveModels({
    port: 0,
    models,
    apiKeys: ["right-key-1"],
    keys: [{ name: "*", admin: true }],
    canaryMs: 0,
    threads: 1,
  });
  const run = (...args: string[]) =>
    kumi([...args, "--url", server.url], "", { KUMI_API_KEY: "right-key-1" });
  const ask = await fetch(`${server.url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer right-key-1" },
    body: JSON.stringify({ model: "a", prompt: "Hi", max_tokens: 1 }),
  });
  assertEquals(ask.status, 200, await ask.text());
  const { code, stdout, stderr } = await run("ps");
  assertEquals(code, 0, stderr);
  assertMatch(
    stdout,
    /^model +state +memory +context +requests +leaves\n-+.*\na +ready +1\d\d MiB +\d+ +0 +when its room is needed\n$/,
  );
  const all = await run("ps", "--all", "--json");
  assertEquals(all.stdout.trim().split("\n").map((line) => JSON.parse(line).kumi.state), [
    "ready",
    "unloaded",
  ]);
  assert(!(await run("ps", "--all")).stdout.includes("\u202e"));
  const stopped = await run("stop", "a");
  assertEquals([stopped.code, stopped.stderr], [0, "kumi: a leaves memory as soon as nothing uses it\n"]);
  const left = await run("ps", "--json");
  assertEquals(left.stdout, "");
  const again = await run("stop", "a");
  assertEquals([again.code, again.stderr], [0, "kumi: a is not in memory\n"]);
  const unknown = await run("stop", "x");
  assertEquals(unknown.code, 1);
  assertStringIncludes(unknown.stderr, 'answered 404: There is no model of this name here; there is "a"');
  const keyless = await kumi(["ps", "--url", server.url], "", { KUMI_API_KEY: "" });
  assertStringIncludes(keyless.stderr, "answered 401: ");
  assertEquals((await kumi(["ps", "--url", "nowhere"])).code, 2);
  await server.shutdown();
  const gone = await run("ps");
  assertEquals(gone.code, 1);
  assertStringIncludes(gone.stderr, "cannot be reached");
});

Deno.test("kumi serve has several models within its permissions, and says when each comes and goes", async () => {
  using folder = new TemporaryFolder();
  await Deno.copyFile(demoModelFile(), `${folder.path}/c=d.gguf`);
  const args = [
    "serve",
    "--port",
    "0",
    "--no-ui",
    "-m",
    "a=demo",
    "-m",
    "b=demo",
    "--models-dir",
    folder.path,
  ];
  const command = await kumiCommand([...args, "--alias", "gpt-4o=b", "--threads", "1", "--keep-alive", "1h"]);
  const child = command.spawn();
  await child.stdin.close();
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let log = "";
  const until = async (pattern: RegExp) => {
    for (;;) {
      const found = pattern.exec(log);
      if (found !== null) return found;
      const { done, value } = await reader.read();
      if (done) throw new Error(log);
      log += value;
    }
  };
  const [, url] = await until(/listening on (http:\S+);/);
  await until(/kumi: ready: models are loaded when they are asked for\n/);
  for (const [model, name] of [["gpt-4o", "b"], ["c=d", "c=d"]]) {
    const answered = await fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model, prompt: "Hi", max_tokens: 1 }),
    });
    assertEquals([answered.status, (await answered.json()).model], [200, name]);
    await until(new RegExp(`kumi: loaded "${name}" in \\d+\\.\\d s\n`));
  }
  assertEquals((await kumi(["stop", "gpt-4o", "--url", url])).code, 0);
  await until(/kumi: unloaded "b": as it was told\n/);
  assertMatch((await kumi(["ps", "--url", url])).stdout, /^c=d +ready .* in (?:59 min \d+ s|1 h 0 min)$/m);
  child.kill("SIGTERM");
  assertEquals((await child.status).code, 0);
  await Promise.all([reader.cancel(), child.stdout.cancel()]);
});

Deno.test("kumi serve refuses models that cannot be, before it listens", async () => {
  const wrong = async (...args: string[]) => {
    const { code, stderr } = await kumi(["serve", "--port", "0", ...args]);
    return [code, stderr.trim()];
  };
  assertEquals(await wrong("-m", "a=demo", "-m", "a=demo"), [2, 'kumi: Two models are called "a"']);
  const [code, text] = await wrong("--models-dir", "/nowhere/at/all");
  assertEquals(code, 2);
  assertStringIncludes(text as string, "/nowhere/at/all");
  assertEquals(await wrong("-m", "a=demo", "--alias", "x=y"), [
    2,
    "kumi: --alias: x is to be another name of y, which is no model here",
  ]);
});
