import { assertEquals, assertThrows } from "@std/assert";
import { ApiError } from "../api_error.ts";
import { Catalog } from "./catalog.ts";

const named = (...names: string[]) => names.map((name) => ({ name, model: `${name}.gguf` }));

Deno.test("Catalog finds models by their names and others, the first one where none is named", () => {
  const catalog = new Catalog([...named("a"), { name: "b", model: "b", aliases: ["c"] }], undefined, {
    d: "b",
    e: "a",
  });
  assertEquals(["a", "b", "c", "d", "e", undefined].map((name) => catalog.find(name).name), [
    ...["a", "b", "b", "b", "a", "a"],
  ]);
  const error = assertThrows(() => catalog.find("x"), ApiError, 'there is "a", "b"');
  assertEquals([error.status, error.code, error.param], [404, "model_not_found", "model"]);
});

Deno.test("Catalog takes odd names, and refuses those that nobody could send or tell apart", () => {
  const odd = [
    "llama3:8b",
    "meta-llama/Llama 3.2",
    "模型",
    "a%2Fb",
    "../../etc/passwd",
    "__proto__",
    "🦙",
    "a\"b'",
  ];
  const catalog = new Catalog(named(...odd));
  for (const name of odd) assertEquals(catalog.find(name).model, `${name}.gguf`);
  for (const name of ["", " a", "a\n", "a\u0000b", "\ud800", "a:latest", "x".repeat(257)]) {
    assertThrows(() => new Catalog(named(name)), RangeError, "The model's name");
  }
  assertThrows(() => new Catalog(named("a", "a")), RangeError, 'Two models are called "a"');
  assertThrows(
    () => new Catalog(named("a", "b"), undefined, { a: "b" }),
    RangeError,
    'Two models are called "a"',
  );
  assertThrows(() => new Catalog(named("a"), undefined, { b: "c" }), RangeError, '"c", which is no model');
  assertThrows(() => new Catalog([]), RangeError, "There is no model to serve");
});

Deno.test("Catalog has what a folder has at the moment", async () => {
  const folder = await Deno.makeTempDir({ prefix: "kumi-models-" });
  try {
    assertThrows(() => new Catalog([], folder), RangeError, "There are no models in");
    const write = (name: string) => Deno.writeTextFile(`${folder}/${name}`, "");
    const files = [
      "b.gguf",
      "a (v2).GGUF",
      "s-00001-of-00002.gguf",
      "s-00002-of-00002.gguf",
      "notes.txt",
      ".x.gguf",
    ];
    await Promise.all([...files, "b.gguf.part"].map(write));
    await Deno.mkdir(`${folder}/tensors`);
    await write("tensors/config.json");
    await Deno.mkdir(`${folder}/empty.gguf`);
    await Deno.symlink(`${folder}/nowhere`, `${folder}/gone.gguf`);
    const catalog = new Catalog([{ name: "b", model: "other" }], `${folder}/`);
    const names = () => catalog.list().map(({ name }) => name);
    assertEquals(names(), ["b", "a (v2)", "s", "tensors"]);
    assertEquals(catalog.find("b").model, "other", "what was named goes before what lies there");
    assertEquals(catalog.find("s").model, `${folder}/s-00001-of-00002.gguf`);
    await write("new.gguf");
    assertEquals(catalog.find("new").model, `${folder}/new.gguf`);
    await Deno.remove(`${folder}/a (v2).GGUF`);
    assertEquals(names(), ["b", "new", "s", "tensors"]);
    await Deno.remove(folder, { recursive: true });
    assertEquals(names(), ["b", "new", "s", "tensors"], "until it can be read again");
    await Deno.mkdir(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
