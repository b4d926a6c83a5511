import { assert, assertEquals } from "@std/assert";
import { pathOf } from "../../setup/paths.ts";
import { serveArguments } from "./serve_process.ts";

Deno.test("serveArguments() names the checkout's map wherever the program lies, and none where no task names one", async () => {
  const options = { config: "/tmp/kumi.config.json", program: "file:///bundles/made-1/main/cli/main.js" };
  const local = await serveArguments(options, "local");
  const maps = local.filter((word) => word.startsWith("--import-map="));
  assertEquals(maps.length, 1);
  const { imports } = JSON.parse(Deno.readTextFileSync(pathOf(maps[0].replace("--import-map=", ""))));
  assert(Object.keys(imports).some((name) => name.startsWith("@std/")), maps[0]);
  assertEquals(local.slice(-4), [options.program, "serve", "--config", options.config]);
  for (const std of ["", "jsr"]) {
    assertEquals(await serveArguments(options, std), local.filter((word) => word !== maps[0]));
  }
});
