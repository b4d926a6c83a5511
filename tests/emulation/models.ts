/**
 * Bochs's processors, and the instruction-set levels that each has: what detection must find there, with
 * features taken away one at a time, too.
 * @module
 */

/** A processor, perhaps without some of its features. */
export interface Model {
  readonly model: string;
  readonly without?: readonly string[];
  /** All levels of x86-64 that it can run. */
  readonly levels: readonly string[];
}

const V3 = ["x86_64_v3", "baseline"];
const V4 = ["x86_64_v4", ...V3];
const VNNI = ["x86_64_v4_vnni", ...V4];
const AMX = ["amx", "amx_int8", "amx_bf16"];

/** Those to run tests on first: each level runs on the first that has it. */
export const MODELS: readonly Model[] = [
  { model: "corei7_haswell_4770", levels: V3 },
  { model: "corei7_skylake_x", levels: V4 },
  { model: "tigerlake", levels: VNNI },
  { model: "arrow_lake", levels: ["avx_vnni", ...V3] },
  { model: "sapphire_rapids", without: AMX, levels: ["x86_64_v4_bf16", "avx_vnni", ...VNNI] },
  { model: "sapphire_rapids", levels: ["amx", "x86_64_v4_bf16", "avx_vnni", ...VNNI] },
  { model: "core2_penryn_t9600", levels: ["baseline"] },
  { model: "corei7_haswell_4770", without: ["avx_fma"], levels: ["baseline"] },
  { model: "corei7_skylake_x", without: ["avx512dq"], levels: V3 },
  { model: "tigerlake", without: ["avx512vnni"], levels: V4 },
  { model: "arrow_lake", without: ["avx_vnni"], levels: V3 },
  { model: "sapphire_rapids", without: ["amx_int8"], levels: ["x86_64_v4_bf16", "avx_vnni", ...VNNI] },
  { model: "sapphire_rapids", without: ["amx_bf16"], levels: ["x86_64_v4_bf16", "avx_vnni", ...VNNI] },
  { model: "sapphire_rapids", without: ["avx512bf16"], levels: ["avx_vnni", ...VNNI] },
];

/** "sapphire_rapids without amx_int8" */
export function nameOf({ model, without = [] }: Model): string {
  return without.length > 0 ? `${model} without ${without.join(", ")}` : model;
}
