/** What a call into the library costs before it computes anything. @module */

import { f32At, Kernels, NONE } from "../src/ffi/context.ts";
import { Library } from "../src/ffi/library.ts";
import { activationForms } from "../src/ffi/symbols.ts";

const native = Library.acquire().symbols;
const one = Kernels.open({ threads: 1, workspaceBytes: 1 << 16 });
const team = Kernels.open({ workspaceBytes: 1 << 16 });
const norms = [one, team].map((kernels) => kernels.createVector(new Float32Array(256)));
const buffer = new Uint8Array(64);
const context = new Uint32Array(1);
native.kumi_context_create(buffer, 0, 1, buffer, 0, NONE, 1, context);
const row = Uint32Array.of(0);
const y = f32At(64);

function call(name: string, fn: () => number | void, baseline = false): void {
  Deno.bench({ name, group: "FFI call", baseline, fn: () => void fn() });
}

call("native, no arguments", () => native.kumi_abi_hash(), true);
call("native, three u32", () => native.kumi_activation_bytes(activationForms.per256, 1, 256));
call("native, an id, a buffer and its length", () => native.kumi_context_info(context[0], buffer, 12));
call("Kernels: three checked u32", () => one.activationBytes(activationForms.per256, 1, 256));
call("Kernels: copy 64 bytes out of the workspace", () => one.read(0, buffer));
call("Kernels: an op without work", () => one.rmsNorm(0, norms[0], 0, 1e-5, y));
call("Kernels: rmsNorm of 256 values, 1 thread", () => one.rmsNorm(0, norms[0], 1, 1e-5, y));
call(
  `Kernels: rmsNorm of 256 values, ${team.threads} thread(s)`,
  () => team.rmsNorm(0, norms[1], 1, 1e-5, y),
);
call("Kernels: an op with a buffer, gatherRows of one row", () => one.gatherRows(0, 256, row, 64));
