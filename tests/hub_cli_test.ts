import { assertEquals, assertStringIncludes } from "@std/assert";
import { ROOT } from "../src/setup/paths.ts";
import { capture } from "../src/setup/process.ts";
import { HubStub } from "./hub_stub.ts";

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
