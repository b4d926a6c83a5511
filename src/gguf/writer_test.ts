import { assertEquals, assertRejects } from "@std/assert";
import { GgufError } from "./error.ts";
import { GgufWriter } from "./writer.ts";

Deno.test("GgufWriter names the file where the disk is full, and leaves nothing behind", async () => {
  const folder = await Deno.makeTempDir({ prefix: "kumi-test-" });
  const { write } = Deno.FsFile.prototype;
  try {
    Deno.FsFile.prototype.write = () => Promise.reject(new Error("No space left on device (os error 28)"));
    await assertRejects(
      () => GgufWriter.create(`${folder}/a.gguf`, { entries: [], tensors: [] }),
      GgufError,
      `${folder}/a.gguf cannot be written: No space left on device`,
    );
    assertEquals([...Deno.readDirSync(folder)], []);
  } finally {
    Deno.FsFile.prototype.write = write;
    await Deno.remove(folder, { recursive: true });
  }
});
