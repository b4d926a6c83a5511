import { assertEquals, assertThrows } from "@std/assert";
import { CheckpointError } from "./error.ts";
import { type ExpertTensor, stackExperts } from "./stacked.ts";

/** A matrix of 2 × 3 bytes that count from ten times the expert's number. */
function part(expert: number, dims = [3, 2]): ExpertTensor {
  const read = (offset: number, target: Uint8Array) =>
    target.forEach((_, i) => target[i] = 10 * expert + offset + i);
  return { expert, stored: `experts.${expert}`, bytes: 6, tensor: { name: "all", type: 24, dims, read } };
}

Deno.test("stackExperts() has the matrices one after another, in whatever order they came", () => {
  const { name, dims, read } = stackExperts("all", [2, 0, 1].map((expert) => part(expert)));
  assertEquals([name, dims], ["all", [3, 2, 3]]);
  const target = new Uint8Array(9);
  read(4, target);
  assertEquals([...target], [4, 5, 10, 11, 12, 13, 14, 15, 20]);
});

Deno.test("stackExperts() refuses what is not complete or not alike", () => {
  const refused = (parts: ExpertTensor[], message: string) =>
    assertThrows(() => stackExperts("all", parts), CheckpointError, message);
  refused([part(0), part(2)], 'tensor "all" has no matrix of expert 1');
  refused([part(1)], "no matrix of expert 0");
  refused([part(0), part(1), part(1)], "no matrix of expert 2");
  refused([part(0), part(1, [2, 3])], '"experts.1" is [3, 2] and "experts.0" [2, 3]');
});
