import { GgufWriter, openGguf } from "../../src/gguf/mod.ts";
import { scalarEntry, withEntries } from "../../src/gguf/entries.ts";

/**
 * Writes a model as `count` parts, `NAME-00001-of-0000N.gguf`, as llama.cpp's tools do: the metadata is in
 * the first.
 */
export async function splitFile(path: string, prefix: string, count: number): Promise<string[]> {
  using file = await openGguf(path);
  const all = [...file.tensors.values()];
  const paths: string[] = [];
  for (let index = 0; index < count; index++) {
    const tensors = all.filter((_, i) => Math.floor(i * count / all.length) === index);
    const own = [
      scalarEntry("u16", "split.no", index),
      scalarEntry("u16", "split.count", count),
      scalarEntry("i32", "split.tensors.count", all.length),
    ];
    const entries = withEntries(index === 0 ? file.entries : [], own);
    const number = (n: number) => String(n).padStart(5, "0");
    const part = `${prefix}-${number(index + 1)}-of-${number(count)}.gguf`;
    await using writer = await GgufWriter.create(part, { entries, tensors });
    for (const { name, bytes } of tensors) {
      const data = new Uint8Array(bytes);
      file.readInto(name, 0, data);
      await writer.writeTensor(name, [data]);
    }
    await writer.finish();
    paths.push(part);
  }
  return paths;
}
