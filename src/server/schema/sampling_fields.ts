import type { FileSampling } from "../../protocol/file_sampling.ts";
import { fieldName } from "../../protocol/options/option.ts";
import { SAMPLING } from "../../protocol/options/sampling.ts";

/** What a model's file recommends, by the names of the fields of requests. */
export function samplingFields(sampling: FileSampling = {}): Record<string, number> {
  return Object.fromEntries(
    Object.entries(sampling).map(([name, value]) => [
      fieldName({ ...SAMPLING[name as keyof FileSampling], name }),
      value,
    ]),
  );
}
