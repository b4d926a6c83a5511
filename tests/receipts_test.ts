/** Receipts from the library and from servers, and what another process says of them. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { loadModel } from "../mod.ts";
import { Kernels } from "../src/ffi/context.ts";
import { NUMERICS_VERSION } from "../src/protocol/numerics.ts";
import type { Receipt } from "../src/protocol/receipts/receipt.ts";
import { hasValidSignature, newReceiptKey, readReceiptKey } from "../src/protocol/receipts/sign.ts";
import { demoModelFile } from "../src/ffi/native_files.ts";
import { ENDPOINTS } from "../src/server/dialects/endpoints.ts";
import { readReceipts } from "../src/server/receipts/read.ts";
import { Verifier } from "../src/server/receipts/verify.ts";
import { kumi, kumiCommand } from "./support/kumi.ts";
import { TemporaryFolder } from "./support/models.ts";
import { triedAnswers } from "./support/tried_answers.ts";
import { assertIdle, CHAT, eventsOf, QUESTION, startServer, TEXT } from "./support/server.ts";

const STORY = [{ role: "user", content: "Tell me a story." }];
const OWN = { kumi: { receipt: true } };

/** A receipt, its request and the model's file in a folder, and `kumi verify` with them. */
async function verify(
  folder: string,
  receipt: unknown,
  request: unknown,
  more: string[] = [],
  env: Record<string, string> = {},
) {
  await Deno.writeTextFile(`${folder}/receipt.json`, JSON.stringify(receipt));
  await Deno.writeTextFile(`${folder}/request.json`, JSON.stringify(request));
  const args = ["verify", `${folder}/receipt.json`, "--request", `${folder}/request.json`, "--threads", "1"];
  return await kumi([...args, ...more], "", env);
}

Deno.test("generate() and chat() give receipts to who wants them, the same for the same answer", async () => {
  await using model = await loadModel("demo", { threads: 1 });
  const options = { seed: 3, temperature: 1, maxTokens: 12, receipt: true } as const;
  const [a, b, plain, other] = await Promise.all([
    model.chat(STORY, options).result,
    model.chat(STORY, options).result,
    model.chat(STORY, { ...options, receipt: false }).result,
    model.chat(STORY, { ...options, seed: 4 }).result,
  ]);
  assertEquals([a.text, plain.receipt], [plain.text, undefined]);
  const { time: _, ...first } = a.receipt!;
  const { time: __, ...second } = b.receipt!;
  assertEquals(first, second);
  assertEquals([first.answer.tokens, first.sampling.seed], [a.usage.completionTokens, 3]);
  assert(first.prompt.sha256 === other.receipt!.prompt.sha256);
  assert(first.answer.sha256 !== other.receipt!.answer.sha256);
  assertEquals(first.model.sha256, await model.sha256());
  assertEquals([first.numerics, first.kv_format, "instructions" in first], [NUMERICS_VERSION, "f16", false]);
});

Deno.test("a receipt names the instructions where weights are BF16", async () => {
  using folder = new TemporaryFolder();
  const path = await folder.randomModel("llama-tiny", "bf16");
  const receiptOn = async (isa: string) => {
    await using model = await loadModel(path, { threads: 1, isa });
    return (await model.generate([1, 2, 3], { seed: 1, maxTokens: 8, receipt: true }).result).receipt!;
  };
  const levels = Kernels.supportedIsas();
  const made = await Promise.all(levels.map(receiptOn));
  const byInstructions = Map.groupBy(made, ({ instructions }) => instructions);
  assert([...byInstructions.keys()].every((name) => name !== undefined) && byInstructions.has("fma"));
  for (const same of byInstructions.values()) {
    assertEquals(new Set(same.map(({ answer }) => answer.sha256)).size, 1, `${levels}`);
  }
});

Deno.test("a server signs the receipts of whole answers and of streams, each of several", async () => {
  const key = await readReceiptKey((await newReceiptKey()).privatePem);
  await using test = await startServer({ receipts: { key } });
  const body = { prompt: ["Once upon", "A KV cache"], n: 2, seed: 7, temperature: 1, max_tokens: 6, ...OWN };
  const { choices } = await (await test.post(TEXT, body)).json();
  const receipts: Receipt[] = choices.map(({ kumi }: { kumi: { receipt: Receipt } }) => kumi.receipt);
  for (const [i, receipt] of receipts.entries()) {
    assertEquals(receipt.request, { endpoint: TEXT, answer: i });
    assertEquals(receipt.sampling.seed, 7 + i % 2);
    assertEquals(await hasValidSignature(receipt), true);
    assertEquals(receipt.signature!.key, key.publicKey);
  }
  assertEquals(new Set(receipts.map(({ answer }) => answer.sha256)).size, 4);
  const verifier = new Verifier(await test.model, ENDPOINTS);
  const events = await eventsOf(await test.post(TEXT, { ...body, stream: true }));
  const streamed = readReceipts(JSON.stringify(events)).map(({ receipt }) => receipt);
  assertEquals(streamed.length, 4);
  for (const receipt of streamed) {
    const same = receipts.find(({ request }) => request!.answer === receipt.request!.answer)!;
    assertEquals(receipt.answer, same.answer);
  }
  for (
    const [path, more] of [["/v1/messages", { max_tokens: 5 }], ["/v1/responses", {}], [
      "/api/chat",
      {},
    ]] as const
  ) {
    const asked = path === "/v1/responses" ? { input: "Hi" } : { messages: QUESTION, model: "demo" };
    for (const stream of [false, true]) {
      const request = { ...asked, ...more, stream, ...OWN };
      const response = await test.post(path, request);
      const text = await response.text();
      assertEquals(response.status, 200, text);
      const [found] = readReceipts(text);
      assertEquals([found.receipt.request?.endpoint, await hasValidSignature(found.receipt)], [path, true]);
      const { outcome, withoutText = false } = await verifier.verify({ ...found, request });
      assertEquals([outcome, withoutText], ["same", stream], `${path}, stream: ${stream}`);
    }
  }
  await assertIdle(test.model);
});

Deno.test("kumi verify says same bits on another level and in other company, and finds one changed byte", async () => {
  using folder = new TemporaryFolder();
  const request = {
    messages: QUESTION,
    temperature: 1,
    max_tokens: 16,
    n: 2,
    response_format: { type: "text" },
    ...OWN,
  };
  const answer = await (async () => {
    await using test = await startServer({ contextLength: 256 });
    return await (await test.post(CHAT, request)).json();
  })();
  const { path } = folder;
  const [{ receipt }, { receipt: second }]: { receipt: Receipt }[] = answer.choices.map((
    { kumi }: { kumi: { receipt: Receipt } },
  ) => kumi);
  const both = await verify(path, answer, request, [], { KUMI_ISA: "baseline" });
  assertEquals([both.code, both.stdout], [0, "2 of 2 receipts: same bits\n"], both.stderr);
  assertStringIncludes(both.stderr, "without a signature");

  await Deno.writeTextFile(`${path}/answer.txt`, answer.choices[1].message.content);
  await Deno.writeTextFile(`${path}/answer.json`, JSON.stringify(answer));
  for (const said of ["answer.txt", "answer.json"]) {
    const one = await verify(path, second, request, ["--answer", `${path}/${said}`]);
    assertEquals(one.code, 0, one.stderr);
    assertStringIncludes(one.stdout, `same bits: ${second.answer.tokens} tokens`);
  }
  // The answer's own file is an answer, too: a word that was changed in it is found, of any of them.
  const both2 = await verify(path, answer, request, ["--answer", `${path}/answer.json`]);
  assertEquals([both2.code, both2.stdout], [0, "2 of 2 receipts: same bits\n"], both2.stderr);
  const forged = structuredClone(answer);
  forged.choices[1].message.content += "!";
  const found = await verify(path, forged, request);
  assertEquals(found.code, 3);
  assertStringIncludes(found.stdout, 'receipt 2: different: the answer differs in "message.content"');
  const bare = await verify(path, receipt, request);
  assertEquals(bare.code, 0);
  assertStringIncludes(bare.stderr, "1 receipt without the text of the answer: give it with --answer");

  const changedText = answer.choices[1].message.content.replace(
    /.$/s,
    (last: string) => last === "x" ? "y" : "x",
  );
  await Deno.writeTextFile(`${path}/answer.txt`, changedText);
  const text = await verify(path, second, request, ["--answer", `${path}/answer.txt`]);
  assertEquals(text.code, 3);
  assertStringIncludes(text.stdout, `differs from character ${changedText.length - 1} on`);

  const prompt = await verify(path, receipt, {
    ...request,
    messages: [{ role: "user", content: "What is 17 + 26?" }],
  });
  assertEquals(prompt.code, 3);
  assertStringIncludes(prompt.stdout, "different: the prompt is another one");
  const marks = Uint8Array.fromBase64(receipt.answer.marks, { alphabet: "base64url" });
  marks[2 * 1] ^= 1;
  const tampered = {
    ...receipt,
    answer: { ...receipt.answer, marks: marks.toBase64({ alphabet: "base64url", omitPadding: true }) },
  };
  const token = await verify(path, tampered, request, ["--json"]);
  assertEquals([token.code, JSON.parse(token.stdout).token], [3, 1]);
});

Deno.test("receipts of answers that were preempted, replayed or guessed ahead hold elsewhere", async () => {
  const tried = await triedAnswers({
    path: demoModelFile(),
    preempted: 24,
    replayed: 24,
    guessed: 3,
    threads: 1,
  });
  assert(
    tried.preemptions > 0 && tried.deaths > 0 && tried.guessed > 0,
    JSON.stringify({ ...tried, answers: 0 }),
  );
  await using model = await loadModel("demo", { threads: 1, contextLength: 256, isa: "baseline" });
  const verifier = new Verifier(model, ENDPOINTS);
  const verdicts = await Promise.all(tried.answers.map((answer) => verifier.verify(answer)));
  assertEquals(verdicts.map(({ outcome }) => outcome), tried.answers.map(() => "same"));
});

Deno.test("kumi verify finds another model, other numbers, another request and another signer", async () => {
  using folder = new TemporaryFolder();
  const { path } = folder;
  await using model = await loadModel("demo", { threads: 1, contextLength: 128 });
  const { receipt } = await model.generate("Once", { maxTokens: 4, seed: 1, temperature: 0.5, receipt: true })
    .result;
  const request = { prompt: "Once", max_tokens: 4, temperature: 0.5 };
  const plain = await verify(path, receipt, request);
  assertEquals(plain.code, 0, plain.stdout + plain.stderr);

  const bytes = await Deno.readFile(demoModelFile());
  bytes[bytes.length - 100] ^= 1;
  await Deno.writeFile(`${path}/other.gguf`, bytes);
  const other = await verify(path, receipt, request, ["--model", `${path}/other.gguf`]);
  assertEquals(other.code, 3);
  assertStringIncludes(other.stdout, "the model is another one");

  const numbers = await verify(path, { ...receipt, numerics: NUMERICS_VERSION + 1 }, request);
  assertEquals(numbers.code, 4);
  assertStringIncludes(numbers.stdout, "not comparable");
  const instructions = await verify(path, { ...receipt, instructions: "tdpbf16ps" }, request);
  assertEquals(instructions.code, 4);
  assertStringIncludes(instructions.stdout, "tdpbf16ps there, none here");

  const warmer = await verify(path, receipt, { ...request, temperature: 0.6 });
  assertEquals(warmer.code, 3);
  assertStringIncludes(warmer.stdout, 'its "temperature" is 0.6, the receipt says 0.5');
  const seeded = await verify(path, receipt, { ...request, seed: 2 });
  assertEquals(seeded.code, 3);
  assertStringIncludes(seeded.stdout, "its seed is 2, the receipt says 1");
  const wrong = await verify(path, receipt, { ...request, max_tokens: "4" });
  assertEquals(wrong.code, 3);
  assertStringIncludes(wrong.stdout, "max_tokens");

  const keygen = await kumi(["keygen", `${path}/key`]);
  assertEquals(keygen.code, 0, keygen.stderr);
  assertEquals((await Deno.stat(`${path}/key`)).mode! & 0o777, 0o600);
  const again = await kumi(["keygen", `${path}/key`]);
  assertEquals(again.code, 2, "keys are not written over");
  assertStringIncludes(again.stderr, `${path}/key.pub exists: a key that is written over is lost`);
  const nowhere = await kumi(["keygen", `${path}/none/key`]);
  assertEquals(nowhere.code, 2);
  assertStringIncludes(
    nowhere.stderr,
    `cannot write the key ${path}/none/key: there is no such file or folder`,
  );
  const unsigned = await verify(path, receipt, request, ["--key", `${path}/key.pub`]);
  assertEquals([unsigned.code, unsigned.stdout], [3, "different: the receipt has no signature\n"]);
});

Deno.test("kumi serve --audit keeps signed receipts of all answers, which kumi verify checks together", async () => {
  using folder = new TemporaryFolder();
  const { path } = folder;
  assertEquals((await kumi(["keygen", `${path}/key`])).code, 0);
  const lines: string[] = [];
  const key = await readReceiptKey(await Deno.readTextFile(`${path}/key`));
  await using test = await startServer({
    contextLength: 256,
    sequencesMax: 8,
    // So few that requests lose their places and are computed again.
    kvTokens: 320,
    receipts: { key, auditText: true, audit: (line) => lines.push(line) > 0 },
  });
  await Promise.all(Array.from({ length: 12 }, async (_, i) => {
    const body = { prompt: `Story ${i}: once upon a time`, temperature: 1, max_tokens: 40, ignore_eos: true };
    const answer = await (await test.post(TEXT, body)).json();
    assertEquals("receipt" in answer.choices[0].kumi, false, "its client wanted none");
  }));
  assertEquals(lines.length, 12);
  await Deno.writeTextFile(`${path}/audit.jsonl`, lines.map((line) => `${line}\n`).join(""));
  const args = ["verify", `${path}/audit.jsonl`, "--threads", "2", "--key", `${path}/key.pub`];
  const good = await kumi(args);
  assertEquals([good.code, good.stdout], [0, "12 of 12 receipts: same bits\n"], good.stderr);
  const said = JSON.parse(lines[5]);
  lines[5] = JSON.stringify({ ...said, text: `${said.text}.` });
  const signed = JSON.parse(lines[7]);
  lines[7] = JSON.stringify({ ...signed, receipt: { ...signed.receipt, kv_format: "q8_0" } });
  await Deno.writeTextFile(`${path}/audit.jsonl`, lines.join("\n"));
  const bad = await kumi(args);
  assertEquals(bad.code, 3);
  assertStringIncludes(bad.stdout, "receipt 6: different: the answer's text differs from character");
  assertStringIncludes(bad.stdout, "receipt 8: different: the signature is not of this receipt");
  assertStringIncludes(bad.stdout, "10 of 12 receipts: same bits; 2 different");
  // A server with several models has lines of the others, too.
  const first = JSON.parse(lines[0]);
  const { signature: _, ...unsigned } = first.receipt;
  const other = { ...first, receipt: { ...unsigned, model: { sha256: "0".repeat(64) } } };
  await Deno.writeTextFile(`${path}/audit.jsonl`, `${lines[1]}\n${JSON.stringify(other)}\n`);
  const two = await kumi(["verify", `${path}/audit.jsonl`, "--threads", "1"]);
  assertEquals(two.code, 4, two.stderr);
  assertStringIncludes(two.stdout, "receipt 2: not comparable: it is of another model");
});

Deno.test("kumi serve keeps receipts in files of the folder, begun anew when they are full", async () => {
  using folder = new TemporaryFolder();
  const { path } = folder;
  assertEquals((await kumi(["keygen", `${path}/key`])).code, 0);
  const args = ["serve", "--port", "0", "--threads", "1", "--canary-seconds", "0", "--no-ui"];
  const kept = [
    "--receipt-key",
    `${path}/key`,
    "--audit",
    `${path}/audit`,
    "--audit-text",
    "--audit-megabytes",
    "0.001",
  ];
  const child = (await kumiCommand([...args, ...kept])).spawn();
  await child.stdin.close();
  let log = "";
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    log += part.value;
    if (log.includes("ready:")) break;
  }
  const url = /listening on (http:\S+?),/.exec(log)![1];
  for (const prompt of ["One", "Two"]) {
    const body = JSON.stringify({ prompt, max_tokens: 5, temperature: 1 });
    const headers = { "content-type": "application/json" };
    const answer = await fetch(url + TEXT, { method: "POST", body, headers });
    assertEquals(answer.status, 200, await answer.text());
    // Lines go to the disk some time after their answers.
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  child.kill("SIGTERM");
  await reader.cancel();
  await child.stdout.cancel();
  assertEquals((await child.status).code, 0);
  const files = Array.from(Deno.readDirSync(`${path}/audit`), ({ name }) => name).sort();
  assert(files.length >= 2 && files.at(-1) === "receipts.jsonl", `${files}`);
  const lines = await Promise.all(files.map((name) => Deno.readTextFile(`${path}/audit/${name}`)));
  await Deno.writeTextFile(`${path}/all.jsonl`, lines.join(""));
  const { code, stdout, stderr } = await kumi(["verify", `${path}/all.jsonl`, "--key", `${path}/key.pub`]);
  assertEquals([code, stdout], [0, "2 of 2 receipts: same bits\n"], stderr);
});
