import { assertEquals, assertRejects } from "@std/assert";
import { AnswerFile, AnswerFileError } from "./answer_file.ts";
import { errorLine, problemLine, responseLine } from "./answer_line.ts";

const answer = (name: string, status = 200) =>
  responseLine(name, { status_code: status, request_id: name, body: { text: "é".repeat(40) } });
const problem = { line: 7, customId: "a", code: "duplicate_custom_id", message: "twice", param: null };

async function written(text = ""): Promise<string> {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, text);
  return path;
}

Deno.test("AnswerFile knows what it holds when it is opened again", async () => {
  const path = await written();
  {
    await using file = await AnswerFile.open(path);
    const lines = [
      answer("a"),
      answer("b", 400),
      problemLine("x", problem),
      errorLine("y", "c", {
        code: "batch_expired",
        message: "late",
      }),
    ];
    await Promise.all(lines.map((line) => file.add(line)));
    assertEquals(file.counts, { answered: 1, failed: 3 });
  }
  const { size } = await Deno.stat(path);
  await using file = await AnswerFile.open(path);
  assertEquals([...file.customIds].sort(), ["a", "b", "c"]);
  assertEquals([...file.problemLines], [7]);
  assertEquals([file.counts, file.bytes], [{ answered: 1, failed: 3 }, size]);
  await Deno.remove(path);
});

Deno.test("AnswerFile takes away a line that was cut off, wherever that was", async () => {
  const whole = JSON.stringify(answer("a")) + "\n";
  const bytes = new TextEncoder().encode(JSON.stringify(answer("b")) + "\n");
  for (let cut = 0; cut < bytes.length; cut += 3) {
    const path = await written(whole);
    await Deno.writeFile(path, bytes.subarray(0, cut), { append: true });
    {
      await using file = await AnswerFile.open(path);
      assertEquals([...file.customIds], ["a"]);
      await file.add(answer("c"));
    }
    assertEquals(await Deno.readTextFile(path), whole + JSON.stringify(answer("c")) + "\n");
    await Deno.remove(path);
  }
});

Deno.test("AnswerFile leaves a file alone that is none of answers", async () => {
  for (const text of ["my notes", "my notes\n", '{"a":1}\n', '{"id":1,"custom_id":"a"}\n', "[]\n", "\n"]) {
    const path = await written(text);
    await assertRejects(() => AnswerFile.open(path), AnswerFileError, "is no answer to a request");
    assertEquals(await Deno.readTextFile(path), text);
    await Deno.remove(path);
  }
});

Deno.test("AnswerFile is open to one at a time", async () => {
  const path = await written();
  {
    await using _file = await AnswerFile.open(path);
    await assertRejects(() => AnswerFile.open(path), AnswerFileError, "another process");
  }
  await using _file = await AnswerFile.open(path);
  await Deno.remove(path);
});

Deno.test({
  name: "AnswerFile writes to nothing but files",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await assertRejects(() => AnswerFile.open("/dev/zero"), AnswerFileError, "no file that can be added to");
  },
});
