import { asBuffer } from "./buffers.ts";
import { check } from "./errors.ts";
import type { KernelSymbols } from "./library.ts";
import { type Owner, u32, Weights } from "./objects.ts";
import { structs } from "./symbols.ts";

const { bytes, fields } = structs.WeightsInfo;

/** Another handle, of `owner`, to the matrix with this id. */
export function shareWeights(native: KernelSymbols, owner: Owner, id: number): Weights {
  const out = new Uint32Array(1);
  check(native.kumi_weights_share(owner.id, u32(id, "id"), asBuffer(out)), "share weights", { id });
  const info = new DataView(new ArrayBuffer(bytes));
  check(native.kumi_weights_info(out[0], asBuffer(info), bytes), "share weights", { id });
  const word = (field: keyof typeof fields) => info.getUint32(fields[field].offset, true);
  return new Weights(owner, out[0], word("format"), word("rows"), word("k"));
}
