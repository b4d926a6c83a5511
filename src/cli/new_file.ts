import { type Arguments, UsageError } from "./command.ts";

/** Throws a UsageError where the file exists and --force is not given. */
export async function checkNew(args: Arguments, path: string): Promise<void> {
  if (args.switches.has("force")) return;
  const exists = await Deno.lstat(path).then(() => true, () => false);
  if (exists) throw new UsageError(`${path} exists; --force replaces it`);
}
