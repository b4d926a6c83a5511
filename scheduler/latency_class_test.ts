import { assertEquals, assertThrows } from "@std/assert";
import { checkClasses, DEFAULT_CLASSES, defaultClass } from "./mod.ts";

Deno.test("checkClasses() takes the default classes and names what cannot be", () => {
  checkClasses(DEFAULT_CLASSES);
  const [interactive] = DEFAULT_CLASSES;
  assertThrows(() => checkClasses([]), RangeError, "without latency classes");
  assertThrows(() => checkClasses([interactive, interactive]), RangeError, "called interactive");
  assertThrows(() => checkClasses([{ ...interactive, maxBatch: 0 }]), RangeError, "maxBatch");
  assertThrows(() => checkClasses([{ ...interactive, maxWaitMs: -1 }]), RangeError, "maxWaitMs");
  assertThrows(() => checkClasses([{ ...interactive, itlSloMs: 0 }]), RangeError, "itlSloMs");
  const queueLimit = { requests: 1, tokens: NaN };
  assertThrows(() => checkClasses([{ ...interactive, queueLimit }]), RangeError, "queueLimit.tokens");
});

Deno.test("defaultClass() is interactive, or the highest where there is none of that name", () => {
  const [interactive, batch] = DEFAULT_CLASSES;
  const classes = [{ ...batch, name: "bulk" }, { ...batch, name: "urgent", priority: 20 }];
  assertEquals(defaultClass(DEFAULT_CLASSES), "interactive");
  assertEquals(defaultClass([...classes, interactive]), "interactive");
  assertEquals(defaultClass(classes), "urgent");
});
