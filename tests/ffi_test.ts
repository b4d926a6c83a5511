/**
 * The border between TypeScript and the kernels: versions, forged ids, bad sizes, permissions, the end of a
 * process.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import {
  type Activation,
  f32At,
  KernelError,
  Kernels,
  LibraryError,
  NONE,
  Weights,
} from "../src/ffi/context.ts";
import { defaultLibraryPath, Library } from "../src/ffi/library.ts";
import { machineInfo } from "../src/ffi/machine.ts";
import { NativeObject, Vector } from "../src/ffi/objects.ts";
import { abiHash, activationForms, Status, structs, symbols as allSymbols } from "../src/ffi/symbols.ts";

const libraryPath = Deno.env.get("KUMI_LIBRARY") || defaultLibraryPath();
const X: Activation = f32At(0);

function open(workspaceBytes = 4096): Kernels {
  return Kernels.open({ workspaceBytes, threads: 2 });
}

/** The status that a call is refused with. */
function refusal(call: () => unknown): string {
  const error = assertThrows(call, KernelError);
  assertMatch(error.message, /^[a-zA-Z ]+: [a-z]/);
  return error.status;
}

class ForgedVector extends Vector {
  constructor(id: number, length: number) {
    super({ id: 0, symbols: () => undefined }, id, length);
  }
}

class ForgedWeights extends Weights {
  constructor(id: number) {
    super({ id: 0, symbols: () => undefined }, id, 0, 16, 16);
  }
}

Deno.test("Kernels.open() says what it runs on, and closing twice is allowed", () => {
  const kernels = open();
  assertEquals(kernels.threads, 2);
  assert(Kernels.supportedIsas().includes(kernels.isa));
  kernels.close();
  kernels.close();
  assertThrows(() => kernels.read(0, new Uint8Array(1)), Error, "closed");
});

Deno.test("Kernels.open() uses every level that the machine supports, and refuses others by name", () => {
  for (const isa of Kernels.supportedIsas()) {
    using kernels = Kernels.open({ workspaceBytes: 64, isa, threads: 1 });
    assertEquals(kernels.isa, isa);
  }
  const error = assertThrows(() => Kernels.open({ workspaceBytes: 64, isa: "x86_64_v99" }), KernelError);
  assertEquals(error.status, "unknownIsa");
  assertStringIncludes(error.message, "isa x86_64_v99: there is no such level; possible here: ");
});

Deno.test("Kernels.open() takes the level from KUMI_ISA, and an unsupported one is an error", async () => {
  const level = Kernels.supportedIsas().at(-1)!;
  const good = await child("use", { KUMI_ISA: level });
  assertEquals(good.code, 0, good.text);
  const bad = await child("use", { KUMI_ISA: "sse9" });
  assert(bad.code !== 0);
  assertStringIncludes(bad.text, "this library has no such instruction set level (isa sse9:");
});

Deno.test("Library.acquire() refuses a library of another version and says what to do", async () => {
  const bytes = await Deno.readFile(libraryPath);
  const wanted = new Uint8Array(new Uint32Array([abiHash]).buffer);
  let found = 0;
  for (let i = 0; i + 4 <= bytes.length; i++) {
    if (wanted.every((byte, j) => bytes[i + j] === byte)) {
      bytes[i] ^= 0xff;
      found++;
    }
  }
  if (found === 0) return; // this processor's code has no room for a constant of 32 bits in one piece
  const folder = await Deno.makeTempDir({ prefix: "kumi-test-" });
  try {
    await Deno.writeFile(`${folder}/other.so`, bytes);
    const error = assertThrows(() => Library.acquire(`${folder}/other.so`), LibraryError);
    assertMatch(error.message, /another version .* run `deno task build`/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Library.acquire() opens what is seldom called when it is asked for", () => {
  // By a path of its own, so that it is nobody else's.
  const library = Library.acquire(defaultLibraryPath().replace(/([^/]+)$/, "./$1"));
  const { symbols } = library;
  const isOpen = (name: string) => Object.getOwnPropertyDescriptor(symbols, name)!.value !== undefined;
  try {
    assert(isOpen("kumi_matmul") && !isOpen("kumi_short_conv"));
    assertEquals(Object.keys(symbols).length, Object.keys(allSymbols).length);
    assertEquals(symbols.kumi_destroy(1 << 30), Status.unknownId);
    assert(isOpen("kumi_short_conv"));
  } finally {
    library.release();
  }
});

Deno.test("Library.acquire() explains a missing or unreadable library and keeps the cause", async () => {
  const missing = assertThrows(() => Library.acquire("/nowhere/libkumi.so"), LibraryError);
  assertStringIncludes(missing.message, "Cannot load the kernel library /nowhere/libkumi.so");
  assertStringIncludes(missing.message, "deno task build");
  assert(missing.cause instanceof Error);
  const path = await Deno.makeTempFile({ suffix: ".so" });
  await Deno.writeTextFile(path, "not a library");
  assertThrows(() => Library.acquire(path), LibraryError, "Cannot load");
  await Deno.remove(path);
});

Deno.test("machineInfo() knows the memory and the processor, within what the machine has", () => {
  const { availableBytes, processor } = machineInfo();
  const { total } = Deno.systemMemoryInfo();
  if (Deno.build.os === "linux") {
    assert(availableBytes! > 1 << 20 && availableBytes! <= total, `${availableBytes}`);
  }
  if (Deno.build.arch === "x86_64") assertMatch(processor!, /^[\x21-\x7e][\x20-\x7e]+$/);
});

Deno.test("ids that were disposed, closed or forged are errors", () => {
  const kernels = open();
  const weights = kernels.createWeights(0, 16, 16);
  const vector = kernels.createVector(new Float32Array(16));
  const multiply = (w: Weights, bias?: Vector) => kernels.matmul(X, 1, false, w, bias, 8);
  multiply(weights, vector);
  assertEquals(refusal(() => multiply(new ForgedWeights(vector.id))), "wrongKind");
  for (const id of [0, 1, weights.id + 1, weights.id ^ (1 << 18), 0x7fffffff, NONE]) {
    const forged = new ForgedWeights(id >>> 0);
    // Nothing to multiply is an error of its own.
    assertEquals(refusal(() => multiply(forged)), id === NONE ? "invalidArgument" : "unknownId");
  }
  const stale = new ForgedVector(vector.id, 16);
  vector[Symbol.dispose]();
  vector[Symbol.dispose]();
  assertEquals(refusal(() => multiply(weights, stale)), "unknownId");
  assertEquals(refusal(() => multiply(weights, vector)), "unknownId");
  using other = open();
  multiply(weights);
  kernels.close();
  assertEquals(
    refusal(() => other.matmul(X, 1, false, new ForgedWeights(weights.id), undefined, 8)),
    "unknownId",
  );
  weights[Symbol.dispose]();
  assert(weights instanceof NativeObject);
});

Deno.test("regions outside the workspace are refused", () => {
  using kernels = open(1024);
  using weights = kernels.createWeights(0, 16, 16);
  const norm = kernels.createVector(new Float32Array(16).fill(1));
  for (const region of [16, 1000, 0xfffffffe, NONE]) {
    assertEquals(refusal(() => kernels.read(region, new Uint8Array(1))), "regionOutsideWorkspace");
    assertEquals(refusal(() => kernels.write(region, new Uint8Array(1))), "regionOutsideWorkspace");
    assertEquals(
      refusal(() => kernels.matmul(X, 1, false, weights, undefined, region)),
      "regionOutsideWorkspace",
    );
    assertEquals(
      refusal(() => kernels.rmsNorm(region, norm, 1, 0, X)),
      "regionOutsideWorkspace",
    );
  }
  assertEquals(
    refusal(() => kernels.rmsNorm(0, norm, 17, 1e-5, X)),
    "regionOutsideWorkspace",
  );
  kernels.rmsNorm(0, norm, 16, 1e-5, X);
  kernels.resizeWorkspace(64);
  assertEquals(refusal(() => kernels.read(0, new Uint8Array(65))), "regionOutsideWorkspace");
});

Deno.test("numbers that are no u32 are RangeErrors, not other numbers", () => {
  using kernels = open();
  using weights = kernels.createWeights(0, 16, 16);
  for (const value of [-1, 0.5, NaN, Infinity, 2 ** 32]) {
    assertThrows(() => kernels.read(value, new Uint8Array(4)), RangeError, "region");
    assertThrows(() => kernels.matmul(X, value, false, weights, undefined, 8), RangeError, "columns");
    assertThrows(() => kernels.createWeights(0, value, 16), RangeError, "rows");
    assertThrows(() => weights.load(value, 16, new Uint8Array(1024)), RangeError, "rowFirst");
  }
  assertThrows(() => Kernels.open({ workspaceBytes: -1 }), RangeError);
  assertThrows(() => Kernels.open({ workspaceBytes: 64, threads: 1.5 }), RangeError);
  assertEquals(refusal(() => Kernels.open({ workspaceBytes: 64, threads: 100_000 })), "invalidArgument");
});

Deno.test("empty, detached and misaligned buffers are refused, not read", () => {
  using kernels = open();
  using weights = kernels.createWeights(0, 16, 16);
  const detached = new Uint8Array(1024);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  assertEquals(refusal(() => weights.load(0, 16, detached)), "invalidArgument");
  assertEquals(refusal(() => weights.load(0, 16, new Uint8Array(1023))), "invalidArgument");
  assertEquals(refusal(() => kernels.createVector(new Float32Array(0))), "invalidArgument");
  assertEquals(
    refusal(() => kernels.sample(0, 16, 1, new Uint8Array(8), new Uint32Array(0), new Uint8Array(0))),
    "bufferTooSmall",
  );
  const odd = new Uint8Array(structs.SampleParams.bytes + 1).subarray(1);
  const out = new Uint8Array(structs.SampleResult.bytes);
  assertEquals(
    refusal(() => kernels.sample(0, 16, 1, odd, new Uint32Array(1), out)),
    "misalignedBuffer",
  );
});

Deno.test("shapes and formats that do not fit are refused", () => {
  using kernels = open();
  assertEquals(refusal(() => kernels.createWeights(99, 16, 256)), "unsupportedFormat");
  assertEquals(refusal(() => kernels.createWeights(12, 16, 128)), "shapeMismatch");
  assertEquals(refusal(() => kernels.activationBytes(activationForms.per256, 1, 128)), "shapeMismatch");
  const layer = { kvHeads: 1, keyDim: 16, valueDim: 16 };
  const arena = { layers: [layer], slots: 64, format: 1 };
  assertEquals(refusal(() => kernels.createArena({ ...arena, slots: 63 })), "shapeMismatch");
  assertEquals(refusal(() => kernels.createArena({ ...arena, format: 2 })), "unsupportedFormat");
  for (const bad of [{ keyDim: 20 }, { valueDim: 584 }, { kvHeads: 0 }, { group: 1 }]) {
    assertEquals(
      refusal(() => kernels.createArena({ ...arena, layers: [{ ...layer, ...bad }] })),
      "shapeMismatch",
    );
  }
  using made = kernels.createArena(arena);
  assertEquals(refusal(() => kernels.attention(made, 0, 0, 1, 1, 0, f32At(8))), "noBatch");
  assertEquals(refusal(() => kernels.setBatch(made, new Uint32Array(3))), "bufferTooSmall");
  assertEquals(refusal(() => kernels.setBatch(made, Uint32Array.of(1, 0, 0, 0, 0, 0))), "invalidBatch");
  const rope = { rotatedDims: 16, maxPositions: 16, base: 10000 };
  assertEquals(refusal(() => kernels.createRope({ ...rope, rotatedDims: 15 })), "invalidArgument");
  assertEquals(
    refusal(() => kernels.createRope({ ...rope, scaling: "linear", factor: 0 })),
    "invalidArgument",
  );
  assertEquals(kernels.createRope(rope).maxPositions, 16);
});

Deno.test("quantize() and dequantize() go there and back", () => {
  using kernels = open();
  const values = Float32Array.from({ length: 256 }, (_, i) => Math.sin(i));
  const bytes = new Uint8Array(256 / 32 * 34);
  const back = new Float32Array(256);
  kernels.quantize(8, values, bytes);
  kernels.dequantize(8, bytes, back);
  const worst = Math.max(...values.map((value, i) => Math.abs(value - back[i])));
  assert(worst > 0 && worst < 0.01, `${worst}`);
  assertEquals(refusal(() => kernels.quantize(8, values, bytes.subarray(1))), "bufferTooSmall");
});

Deno.test("measure() gives plausible figures for every variant, and reads whole matrices of any context", () => {
  using kernels = Kernels.open({ workspaceBytes: 64, threads: 2 });
  using owner = Kernels.open({ workspaceBytes: 64, threads: 1 });
  const matrices = [owner.createWeights(0, 100, 64), owner.createWeights(8, 1000, 1024)].map(({ id }) => id);
  for (const what of ["readBandwidth", "floatPeak", "int8Peak", "bf16Peak"] as const) {
    const read = what === "readBandwidth" ? matrices : [];
    const { variants } = kernels.measure(what, 0, read);
    for (let variant = 0; variant < variants; variant++) {
      const { value } = kernels.measure(what, variant, read);
      assert(value > 0.05 && value < 100_000, `${what} ${value}`);
    }
    assertEquals(refusal(() => kernels.measure(what, variants, read)), "invalidArgument");
  }
  assertEquals(refusal(() => kernels.measure("readBandwidth", 0)), "invalidArgument");
  assertEquals(refusal(() => kernels.measure("int8Peak", 0, matrices)), "invalidArgument");
  assertEquals(refusal(() => kernels.measure("readBandwidth", 0, [kernels.id])), "wrongKind");
});

interface Ended {
  code: number;
  text: string;
}

async function child(
  way: string,
  env: Record<string, string> = {},
  ffi = `--allow-ffi=${libraryPath}`,
): Promise<Ended> {
  const script = new URL("support/ffi_child.ts", import.meta.url);
  // Workers read their modules; the main module needs no permission.
  const root = new URL("../", import.meta.url);
  const { code, signal, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--no-config",
      "--allow-env=KUMI_ISA,KUMI_LIBRARY",
      `--allow-read=${decodeURIComponent(root.pathname)}`,
      ffi,
      script.href,
      way,
    ],
    env: { KUMI_LIBRARY: libraryPath, NO_COLOR: "1", ...env },
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return { code, text: `${text}${signal === null ? "" : `\nended by ${signal}`}` };
}

Deno.test("the library works where only its path may be loaded", async () => {
  const { code, text } = await child("use");
  assertEquals(code, 0, text);
  assertEquals(text, "end\n");
});

Deno.test("the memory of shared weights goes with the last context that has them", async () => {
  const { code, text } = await child("shared weights");
  assertEquals(code, 0, text);
});

Deno.test("without permission the error names the flag", async () => {
  const { code, text } = await child("use", {}, "--allow-ffi=/elsewhere.so");
  assert(code !== 0);
  assertStringIncludes(text, `run Deno with --allow-ffi=${libraryPath}`);
});

for (
  const way of [
    "leave open",
    "exit while open",
    "workers that close",
    "workers that leave",
    "workers together",
  ]
) {
  Deno.test(`a process ends cleanly: ${way}`, async () => {
    for (let i = 0; i < 4; i++) {
      const { code, text } = await child(way);
      assertEquals(code, 0, text);
    }
  });
}
