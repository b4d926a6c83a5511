import { assert, assertEquals, assertRejects } from "@std/assert";
import { RECEIPT } from "../../../tests/support/receipt.ts";
import type { Receipt } from "./receipt.ts";
import { hasValidSignature, newReceiptKey, readPublicKey, readReceiptKey, signReceipt } from "./sign.ts";

Deno.test("signReceipt() signs all of a receipt, whatever the order of its members", async () => {
  const { privatePem, publicPem, publicKey } = await newReceiptKey();
  const key = await readReceiptKey(privatePem);
  assertEquals(key.publicKey, publicKey);
  assertEquals([await readPublicKey(publicPem), await readPublicKey(`${publicKey}\n`)], [
    publicKey,
    publicKey,
  ]);
  const signed = await signReceipt(RECEIPT, key);
  assertEquals(signed.signature?.key, publicKey);
  assertEquals(await hasValidSignature(signed), true);
  const reversed = Object.fromEntries(Object.entries(signed).toReversed()) as unknown as Receipt;
  assertEquals(await hasValidSignature(JSON.parse(JSON.stringify(reversed))), true);
  assertEquals(await hasValidSignature(RECEIPT), undefined);
  const changed: Receipt[] = [
    { ...signed, time: "2026-01-02T03:04:05.679Z" },
    { ...signed, sampling: { ...signed.sampling, seed: 8 } },
    { ...signed, request: { endpoint: "/v1/completions", answer: 0 } },
    { ...signed, signature: { ...signed.signature!, key: (await newReceiptKey()).publicKey } },
    { ...signed, signature: { ...signed.signature!, ed25519: "AAAA" } },
    { ...signed, signature: { ...signed.signature!, key: "?" } },
  ];
  for (const each of changed) assertEquals(await hasValidSignature(each), false);
});

Deno.test("readReceiptKey() and readPublicKey() say what is no key", async () => {
  const { privatePem, publicPem } = await newReceiptKey();
  assert(privatePem.startsWith("-----BEGIN PRIVATE KEY-----\n"));
  const broken = privatePem.replace(/\n(.{4})/, "\nAAAA");
  for (const text of ["", publicPem, "key", broken, privatePem.slice(0, 60)]) {
    await assertRejects(() => readReceiptKey(text), TypeError, "Ed25519");
  }
  for (const text of ["", privatePem, "AAAA", publicPem.replace(/\n(.{4})/, "\nAAAA")]) {
    await assertRejects(() => readPublicKey(text), TypeError, "public Ed25519");
  }
});
