import { assert, assertEquals } from "@std/assert";
import type { PrefixCache, StorePolicyOptions } from "../../../scheduler/mod.ts";
import { Random } from "../../../scheduler/testing/random.ts";
import { BLOCK_TOKENS } from "../../runner/batch.ts";
import { engineOf, FakeRunner, finish, request } from "../../../tests/support/fake_model.ts";
import { FirstFitPool } from "../../../tests/support/fake_kv_pool.ts";
import type { Engine } from "../engine.ts";
import { StoreFolder } from "./folder.ts";
import { storeKey } from "./format.ts";
import { storeSeed } from "./identity.ts";
import { type KvMemoryBlocks, PrefixStore, STRETCH_BLOCKS } from "./store.ts";

const STRETCH = STRETCH_BLOCKS * BLOCK_TOKENS;
const CONTEXT = 6 * STRETCH;
const BLOCK_BYTES = BLOCK_TOKENS * Int32Array.BYTES_PER_ELEMENT;

/** The cache of a model that stores tokens themselves, and notices where they are not there. */
function memoryOf({ cache }: FakeRunner): KvMemoryBlocks {
  const bytes = new Uint8Array(cache.buffer);
  return {
    blockBytes: () => BLOCK_BYTES,
    readBlocks: (_, first, count, target) =>
      target.set(bytes.subarray(first * BLOCK_BYTES, (first + count) * BLOCK_BYTES)),
    writeBlocks: (_, first, count, source) => {
      assertEquals(source.length, count * BLOCK_BYTES);
      bytes.set(source, first * BLOCK_BYTES);
    },
  };
}

interface Started {
  readonly engine: Engine;
  readonly store: PrefixStore;
  readonly runner: FakeRunner;
  readonly problems: string[];
}

const MODEL = {
  sha256: "m",
  kvFormat: "f16",
  contextLength: CONTEXT,
  blockBytes: [BLOCK_BYTES],
  blockTokens: BLOCK_TOKENS,
};

/** An engine that begins with an empty cache, on a folder. */
async function start(
  path: string,
  { key, sha256 = "m", kvTokens = CONTEXT, bytesMax = 1e9, policy = { tokensMin: STRETCH } }: {
    key?: CryptoKey;
    sha256?: string;
    kvTokens?: number;
    bytesMax?: number;
    policy?: StorePolicyOptions;
  } = {},
): Promise<Started> {
  const runner = new FakeRunner(CONTEXT, kvTokens);
  const folder = new StoreFolder(path, bytesMax);
  await folder.open();
  const problems: string[] = [];
  const seed = storeSeed({ ...MODEL, sha256 });
  const allocator = new FirstFitPool(kvTokens / BLOCK_TOKENS);
  let store: PrefixStore | undefined;
  const prefixStore = (cache: PrefixCache, isBusy: () => boolean) =>
    store = new PrefixStore({ folder, seed, key, policy, onProblem: (problem) => problems.push(problem) }, {
      cache,
      allocator,
      memory: memoryOf(runner),
      windows: [undefined],
      blockTokens: BLOCK_TOKENS,
      isBusy,
    });
  const engine = engineOf(runner, { allocator, prefixStore });
  return { engine, store: store!, runner, problems };
}

/** A prompt of so many tokens, of letters that depend on `salt` from `from` on. */
function promptOf(length: number, salt = 0, from = 0): string {
  return Array.from({ length }, (_, i) => String.fromCharCode(66 + (i * 7 + (i >= from ? salt : 0)) % 40))
    .join("");
}

/** The answer, and how many tokens of its prompt were known. */
async function ask(
  { engine }: Started,
  text: string,
  tenant = "",
  id = 1,
): Promise<{ text: string; cached: number }> {
  engine.add(id, request(text, { maxTokens: 8, tenant }));
  for (let i = 0; i < 2000; i++) {
    if (engine.busy) {
      const outcome = finish(engine).get(id)!;
      assertEquals(outcome.error, undefined);
      return { text: outcome.text, cached: outcome.completion!.usage.cachedTokens };
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error("nothing came of the request");
}

async function inFolder(test: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir({ prefix: "kumi-test-" });
  try {
    await test(path);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

const newKey = () => storeKey(crypto.getRandomValues(new Uint8Array(32)));

Deno.test("an engine that starts again goes on from what another has stored, to the same answer", () =>
  inFolder(async (path) => {
    for (const key of [undefined, await newKey()]) {
      const prompt = promptOf(3 * STRETCH + 50, key === undefined ? 0 : 9);
      const first = await start(path, { key });
      const computed = await ask(first, prompt);
      assertEquals(computed.cached, 0);
      await first.store.idle();
      assertEquals(first.store.stats().storedTokens, 3 * STRETCH);
      first.store.close();

      const second = await start(path, { key });
      const restored = await ask(second, prompt);
      assertEquals(restored, { text: computed.text, cached: 3 * STRETCH });
      assertEquals([second.store.stats().restoredTokens, second.problems], [3 * STRETCH, []]);
      // What is known now is not read again, nor stored.
      assertEquals((await ask(second, prompt, "", 2)).cached >= 3 * STRETCH, true);
      await second.store.idle();
      assertEquals([second.store.stats().restoredTokens, second.store.stats().storedTokens], [
        3 * STRETCH,
        0,
      ]);
      second.store.close();
    }
  }));

Deno.test("only what a prompt has in common with a stored one is read back, of the same tenant and model alone", () =>
  inFolder(async (path) => {
    const first = await start(path);
    await ask(first, promptOf(4 * STRETCH), "a");
    await first.store.idle();
    first.store.close();
    const cached = async (text: string, tenant: string, sha256?: string) => {
      const started = await start(path, { sha256, policy: {} });
      const answer = await ask(started, text, tenant);
      started.store.close();
      return answer.cached;
    };
    assertEquals(await cached(promptOf(4 * STRETCH, 1, 2 * STRETCH + 3), "a"), 2 * STRETCH);
    assertEquals(await cached(promptOf(4 * STRETCH, 1), "a"), 0);
    assertEquals(await cached(promptOf(STRETCH + 1), "a"), STRETCH);
    assertEquals(await cached(promptOf(STRETCH), "a"), 0, "a token has to be left to compute");
    assertEquals(await cached(promptOf(4 * STRETCH), "b"), 0);
    assertEquals(await cached(promptOf(4 * STRETCH), ""), 0);
    assertEquals(await cached(promptOf(4 * STRETCH), "a", "other"), 0);
    // The last stretch reaches the prompt's end: its last token is computed again.
    assertEquals(await cached(promptOf(4 * STRETCH), "a"), 4 * STRETCH - BLOCK_TOKENS);
  }));

Deno.test("what was evicted from the cache is read back, and a prompt behind a part of a stretch", () =>
  inFolder(async (path) => {
    const started = await start(path, { kvTokens: 4 * STRETCH });
    const a = promptOf(3 * STRETCH + 9), b = promptOf(3 * STRETCH + 9, 5);
    const first = await ask(started, a, "", 1);
    await started.store.idle();
    await ask(started, b, "", 2);
    await started.store.idle();
    const again = await ask(started, a, "", 3);
    assertEquals(again.text, first.text);
    assert(again.cached >= 3 * STRETCH, `${again.cached}`);
    assert(started.store.stats().restoredTokens > 0);
    started.store.close();
  }));

Deno.test("a second prompt with the same beginning makes it worth storing, up to where they part", () =>
  inFolder(async (path) => {
    const started = await start(path, { policy: {} });
    await ask(started, promptOf(3 * STRETCH), "", 1);
    await started.store.idle();
    assertEquals(started.store.stats().files, 0);
    await ask(started, promptOf(3 * STRETCH, 3, STRETCH + 40), "", 2);
    await started.store.idle();
    assertEquals(started.store.stats().storedTokens, STRETCH);
    started.store.close();
  }));

Deno.test("damaged and foreign files are said and not used, and the answer is the same", () =>
  inFolder(async (path) => {
    const prompt = promptOf(3 * STRETCH + 50);
    const first = await start(path);
    const computed = await ask(first, prompt);
    await first.store.idle();
    first.store.close();
    const files = Array.from(Deno.readDirSync(path), ({ name }) => name).filter((name) =>
      name.endsWith(".kumikv")
    );
    const middle = files.find((name) => name.includes(".1."))!;
    const bytes = await Deno.readFile(`${path}/${middle}`);
    bytes[bytes.length - 5] ^= 4;
    await Deno.writeFile(`${path}/${middle}`, bytes);
    const second = await start(path);
    assertEquals(await ask(second, prompt), { text: computed.text, cached: STRETCH });
    assertEquals(second.problems.length, 1);
    assert(second.problems[0].includes(`${middle} is not used: block `), second.problems[0]);
    // It is written again.
    await second.store.idle();
    assertEquals(second.store.stats().storedTokens, STRETCH);
    second.store.close();
    const third = await start(path);
    assertEquals((await ask(third, prompt)).cached, 3 * STRETCH);
    third.store.close();
    // One file in place of another.
    await Deno.copyFile(`${path}/${files.find((name) => name.includes(".2."))}`, `${path}/${middle}`);
    const fourth = await start(path);
    assertEquals(await ask(fourth, prompt), { text: computed.text, cached: STRETCH });
    assert(fourth.problems[0].includes("another prompt or model"));
    fourth.store.close();
  }));

Deno.test("a folder that takes nothing more costs nobody an answer", () =>
  inFolder(async (path) => {
    const tiny = await start(path, { bytesMax: 1000 });
    const answer = await ask(tiny, promptOf(2 * STRETCH));
    await tiny.store.idle();
    assertEquals(tiny.store.stats().files, 0);
    assert(tiny.problems[0].includes("too small"));
    tiny.store.close();
    const gone = await start(`${path}/gone`);
    await Deno.remove(`${path}/gone`, { recursive: true });
    assertEquals((await ask(gone, promptOf(2 * STRETCH))).text, answer.text);
    await gone.store.idle();
    assert(gone.problems[0].includes("was not stored"), `${gone.problems}`);
    gone.store.close();
  }));

/** Stores that are damaged: so many in CI, a thousand with `--long`. */
const DAMAGED = Deno.env.get("KUMI_FUZZ") === undefined ? 60 : 1000;

/** Changes a folder's files in one of many ways. */
async function damage(path: string, random: Random): Promise<void> {
  const files = Array.from(Deno.readDirSync(path), ({ name }) => `${path}/${name}`).sort();
  for (let k = random.int(1, 3); k > 0; k--) {
    const file = random.pick(files), other = random.pick(files);
    const bytes = await Deno.readFile(file);
    switch (random.int(0, 6)) {
      case 0:
        bytes[random.int(0, bytes.length - 1)] ^= 1 << random.int(0, 7);
        await Deno.writeFile(file, bytes);
        break;
      case 1:
        await Deno.truncate(file, random.int(0, bytes.length - 1));
        break;
      case 2:
        await Deno.writeFile(file, await Deno.readFile(other));
        break;
      case 3:
        await Deno.writeFile(file, crypto.getRandomValues(new Uint8Array(random.int(0, 500))));
        break;
      case 4:
        bytes.fill(0, random.int(0, bytes.length - 1));
        await Deno.writeFile(file, bytes);
        break;
      case 5:
        await Deno.writeFile(file, bytes.subarray(random.int(0, 100)), { append: true });
        break;
      default: {
        // The head of one with the blocks of another.
        const from = await Deno.readFile(other);
        const cut = bytes.length - random.int(1, 2000);
        await Deno.writeFile(file, Uint8Array.from([...bytes.subarray(0, cut), ...from.subarray(cut)]));
      }
    }
  }
}

Deno.test(`of ${DAMAGED} damaged stores nothing wrong is used, and none costs an answer`, () =>
  inFolder(async (path) => {
    const prompt = promptOf(3 * STRETCH + 50);
    const random = new Random(42);
    const whole = await start(`${path}/whole`);
    const { text } = await ask(whole, prompt);
    await ask(whole, promptOf(2 * STRETCH + 5, 11), "", 2);
    await whole.store.idle();
    whole.store.close();
    const files = Array.from(Deno.readDirSync(`${path}/whole`), ({ name }) => name);
    let used = 0, told = 0;
    for (let i = 0; i < DAMAGED; i++) {
      const copy = `${path}/copy`;
      await Deno.mkdir(copy);
      for (const name of files) await Deno.copyFile(`${path}/whole/${name}`, `${copy}/${name}`);
      await damage(copy, random);
      const started = await start(copy, { policy: {} });
      // The model notices keys and values that are not those of its tokens.
      const answer = await ask(started, prompt);
      started.store.close();
      assertEquals(answer.text, text);
      used += answer.cached / STRETCH;
      told += started.problems.length;
      await Deno.remove(copy, { recursive: true });
    }
    assert(used > 0 && used < 3 * DAMAGED && told > DAMAGED / 4, `${used} stretches used, ${told} problems`);
  }));

Deno.test("requests that wait for the same beginning read it once, and one that is aborted meanwhile ends", () =>
  inFolder(async (path) => {
    const prompt = promptOf(3 * STRETCH + 50);
    const first = await start(path);
    const computed = await ask(first, prompt);
    await first.store.idle();
    first.store.close();
    const second = await start(path);
    for (const id of [1, 2, 3]) second.engine.add(id, request(prompt, { maxTokens: 8 }));
    second.engine.abort(3);
    const [aborted] = second.engine.takeEvents();
    assertEquals([aborted.id, aborted.completion?.finishReason], [3, "abort"]);
    for (let i = 0; !second.engine.busy && i < 1000; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    const outcomes = finish(second.engine);
    for (const id of [1, 2]) {
      assertEquals(outcomes.get(id)?.text, computed.text);
      assertEquals(outcomes.get(id)?.completion?.usage.cachedTokens, 3 * STRETCH);
    }
    assertEquals([outcomes.has(3), second.store.stats().restoredTokens], [false, 3 * STRETCH]);
    second.engine.add(4, request(prompt.replace(/^./, "Z"), { maxTokens: 8 }));
    second.engine.failAll(new Error("over"));
    second.store.close();
  }));
