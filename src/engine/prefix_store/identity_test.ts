import { assertEquals, assertNotEquals } from "@std/assert";
import { type StoreModel, storeSeed, stretchNames } from "./identity.ts";

const MODEL: StoreModel = {
  sha256: "ab",
  kvFormat: "f16",
  contextLength: 512,
  blockBytes: [1024],
  blockTokens: 16,
};
const tokens = Array.from({ length: 20 }, (_, i) => i * 3);
const names = (model: StoreModel, tenant = "a", of: readonly number[] = tokens, secret?: Uint8Array) =>
  stretchNames(storeSeed(model, secret), tenant, of, 8);

Deno.test("stretchNames() names whole stretches by everything up to their end", () => {
  const [first, second, ...none] = names(MODEL);
  assertEquals(none, []);
  assertEquals(names(MODEL, "a", tokens.slice(0, 8)), [first]);
  const [same, other] = names(MODEL, "a", tokens.with(9, 1));
  assertEquals(same, first);
  assertNotEquals(other, second);
  const [changed, behind] = names(MODEL, "a", tokens.with(0, 1));
  assertNotEquals(changed, first);
  assertNotEquals(behind, second, "what comes before a stretch is a part of its name");
  assertEquals(names(MODEL, "a", []), []);
});

Deno.test("stretchNames() has no name in common between tenants, models, settings and keys", () => {
  const all = [
    names(MODEL),
    names(MODEL, "b"),
    names({ ...MODEL, sha256: "ac" }),
    names({ ...MODEL, weights: "q4_k" }),
    names({ ...MODEL, kvFormat: "q8_0" }),
    names({ ...MODEL, instructions: "fma" }),
    names({ ...MODEL, contextLength: 1024 }),
    names({ ...MODEL, blockBytes: [512, 512] }),
    names(MODEL, "a", tokens, Uint8Array.of(1)),
    names(MODEL, "a", tokens, Uint8Array.of(2)),
  ].flat();
  assertEquals(new Set(all).size, all.length);
});
