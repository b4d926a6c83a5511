/** What a server records of its traffic: everything that is needed to play it again, and no text. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Random } from "../scheduler/testing/random.ts";
import { sendLoad } from "../src/loadtest/generator.ts";
import { TokenPromptMaker } from "../src/loadtest/prompts.ts";
import { tokenAlphabet } from "../src/loadtest/target.ts";
import { LineFile } from "../src/traffic/line_file.ts";
import { playTraffic } from "../src/traffic/play.ts";
import { readTraffic } from "../src/traffic/read.ts";
import { TrafficRecorder } from "../src/traffic/recorder.ts";
import { CHAT, startServer, TEXT } from "./support/server.ts";

/** A server that records while `ask` runs, and the recording. */
async function recorded(
  ask: (server: Awaited<ReturnType<typeof startServer>>) => Promise<void>,
): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "kumi-traffic-" });
  try {
    const path = `${folder}/traffic.jsonl`;
    {
      const file = new LineFile(path, { bytesMax: 1e8, onProblem: (problem) => assert(false, problem) });
      await using recorder = new TrafficRecorder(file, 16);
      await using server = await startServer({
        lenient: true,
        observer: recorder,
        prefixHashKey: recorder.prefixHashKey,
      });
      await ask(server);
    }
    return await Deno.readTextFile(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a recording holds no text of any request or answer", async () => {
  const random = new Random(1);
  const sentinels: string[] = [];
  const sentinel = () => {
    const letters = Array.from({ length: 12 }, () => String.fromCharCode(97 + Math.floor(26 * random.next())))
      .join("");
    sentinels.push(letters);
    return letters;
  };
  const answers: string[] = [];
  const text = await recorded(async ({ post }) => {
    const ask = async (path: string, body: Record<string, unknown>, headers = {}) => {
      const response = await post(path, { max_tokens: 24, ...body }, { headers });
      const answer = await response.text();
      assertEquals(response.status, 200, answer);
      answers.push(answer);
    };
    const call = {
      id: sentinel(),
      type: "function",
      function: { name: sentinel(), arguments: `{"${sentinel()}":1}` },
    };
    await ask(CHAT, {
      messages: [
        { role: "system", content: sentinel() },
        { role: "user", content: `${sentinel()} What is 17 + 25?`, name: sentinel() },
      ],
      user: sentinel(),
      metadata: { [sentinel()]: sentinel() },
      stop: [sentinel()],
      seed: 4,
    }, { "x-request-id": sentinel(), "user-agent": sentinel(), "authorization": `Bearer ${sentinel()}` });
    await ask(CHAT, {
      messages: [
        { role: "user", content: sentinel() },
        { role: "assistant", content: sentinel(), tool_calls: [call] },
        { role: "tool", content: sentinel(), tool_call_id: call.id },
        { role: "user", content: "What is 17 + 25?" },
      ],
    });
    await ask(CHAT, {
      messages: [{ role: "user", content: sentinel() }],
      [sentinel()]: sentinel(),
      stream: true,
    });
    await ask(TEXT, { prompt: [sentinel(), sentinel()], suffix: null, cache_salt: sentinel() });
    await ask(TEXT, { prompt: `Once upon a time ${sentinel()}`, echo: true });
  });
  const { requests, refused } = readTraffic(text);
  assertEquals([requests.length, refused], [6, 0]);
  for (const each of sentinels) assert(!text.includes(each), each);
  assert(sentinels.length >= 20 && answers.some((answer) => answer.includes(sentinels.at(-1)!)));
  for (const word of ["What", "Once", "17 + 25", "user", "Bearer", "demo"]) {
    assert(!text.includes(word), word);
  }
  assertStringIncludes(text, '"class":"interactive"');
  // Nothing but numbers, names of classes and hashes.
  for (const line of text.trim().split("\n").slice(1)) {
    const { blocks = [], class: name, ...rest } = JSON.parse(line);
    assertEquals(name, "interactive");
    assert(blocks.every((block: string) => /^[\w-]{8}$/.test(block)), line);
    assert(Object.values(rest).every((value) => typeof value === "number"), line);
  }
});

Deno.test("a recording played again shares as many tokens as when it was recorded", async () => {
  const head = "The quick brown fox jumps over the lazy dog. ".repeat(2);
  const first = await recorded(async ({ post }) => {
    for (const end of ["one", "two", "three", "four"]) {
      const response = await post(TEXT, { prompt: `${head}${end}`, max_tokens: 4, ignore_eos: true });
      assertEquals(response.status, 200, await response.text());
    }
  });
  const traffic = readTraffic(first);
  const cached = traffic.requests.map(({ cachedTokens }) => cachedTokens);
  assert(cached[0] === 0 && cached.slice(1).every((tokens) => tokens! >= 32), `${cached}`);
  const again = await recorded(async ({ url }) => {
    const target = {
      baseUrl: `${url}/v1`,
      model: "demo",
      api: "completions",
      sendsClass: true,
      ignoreEnd: true,
    } as const;
    const prompts = new TokenPromptMaker(await tokenAlphabet(target), { nonce: 7 });
    // One after another, as they came.
    const arrivals = playTraffic(traffic, { classes: [], seed: 1 });
    for (const arrival of arrivals) {
      const options = {
        target,
        prompts,
        inFlightMax: 1,
        timeoutMs: 60_000,
        signal: new AbortController().signal,
      };
      const [{ outcome, problem }] = await sendLoad([{ ...arrival, atMs: 0 }], options);
      assertEquals(outcome, "ok", problem);
    }
  });
  const played = readTraffic(again);
  const lengths = (
    { promptTokens, answerTokens, cachedTokens, class: name }: typeof played.requests[number],
  ) => [
    ...[name, promptTokens, answerTokens, cachedTokens],
  ];
  assertEquals(played.requests.map(lengths), traffic.requests.map(lengths));
});
