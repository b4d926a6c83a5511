/** Tools that run to their end, and what they said. @module */

/** What a captured process left. */
export interface Captured {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a tool. */
export interface CaptureOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  readonly signal?: AbortSignal;
  /** Ends the tool as well; what it has said until then comes back. */
  readonly stop?: AbortSignal;
}

/** Runs a tool to its end. Null where there is no such program. Throws the signal's reason when aborted. */
export async function capture(
  command: readonly string[],
  options: CaptureOptions = {},
): Promise<Captured | null> {
  options.signal?.throwIfAborted();
  const { cwd, env, signal, stop } = options;
  const either = [signal, stop].filter((each) => each !== undefined);
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(command[0], {
      args: command.slice(1),
      stdin: "null",
      cwd,
      env,
      signal: either.length === 0 ? undefined : AbortSignal.any(either),
    }).output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return null;
    throw error;
  }
  signal?.throwIfAborted();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code: output.code, stdout: text(output.stdout), stderr: text(output.stderr) };
}
