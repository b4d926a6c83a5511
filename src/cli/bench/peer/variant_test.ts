import { assertEquals, assertRejects } from "@std/assert";
import { PeerError } from "./error.ts";
import { peerVariant } from "./variant.ts";

Deno.test("peerVariant() links one build, and writes nothing for a name that there is not", async () => {
  const home = await Deno.makeTempDir({ prefix: "kumi-test-" });
  try {
    const libraries = `${home}/peer/node_modules/bins`;
    await Deno.mkdir(libraries, { recursive: true });
    for (const build of ["haswell", "zen4"]) {
      await Deno.writeTextFile(`${libraries}/libggml-cpu-${build}.so`, "");
    }
    await Deno.writeTextFile(`${libraries}/libllama.so`, "");
    for (const wrong of ["nosuch", "../x"]) {
      await assertRejects(
        () => peerVariant(`${home}/peer`, wrong),
        PeerError,
        `no build called ${wrong}; there are: haswell, zen4`,
      );
    }
    assertEquals(namesIn(home), ["peer"]);
    const copy = await peerVariant(`${home}/peer`, "zen4");
    assertEquals(namesIn(`${copy}/node_modules/bins`), ["libggml-cpu-zen4.so", "libllama.so"]);
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}
