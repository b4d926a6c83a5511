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
