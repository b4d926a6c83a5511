/** Files that arguments name: what is wrong with one is a sentence with its name. @module */

import { fileReason } from "../process/file_reason.ts";
import { UsageError } from "./command.ts";

/** What is wrong with a file that an argument names, or the option that has it. */
export function fileProblem(
  path: string,
  error: unknown,
  { option, verb = "read" }: { readonly option?: string; readonly verb?: "read" | "written" } = {},
): UsageError {
  const place = option === undefined ? "" : `--${option}: `;
  return new UsageError(`${place}${path} cannot be ${verb}: ${fileReason(error)}`, { cause: error });
}

/** The text of a file. Throws a UsageError. */
export async function readNamed(path: string, option?: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw fileProblem(path, error, { option });
  }
}

/** Writes a file. Throws a UsageError where it cannot be opened or written. */
export async function writeNamed(
  path: string,
  text: string | ReadableStream<string>,
  option?: string,
): Promise<void> {
  try {
    await Deno.writeTextFile(path, text);
  } catch (error) {
    throw fileProblem(path, error, { option, verb: "written" });
  }
}
