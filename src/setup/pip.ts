/** Packages of PyPI that bring programs: installed with pip into a folder of the checkout, never into the system. @module */

import { capture, type CaptureOptions } from "../process/capture.ts";
import { lastWords, PYTHONS } from "../process/python.ts";

/** How to find pip, replaceable in tests. */
export interface PipSearch extends CaptureOptions {
  /** Programs tried as Python. */
  readonly pythons?: readonly (readonly string[])[];
  /** Programs tried as pip when no Python can run it. */
  readonly pips?: readonly (readonly string[])[];
}

const PIPS = [["pip3"], ["pip"]];

/** What to install, and where. */
export interface PipInstall {
  /** As pip takes them, with versions: "ziglang==0.17.1". Their dependencies are not installed. */
  readonly requirements: readonly string[];
  /** Replaced when the install has worked, and left alone otherwise. */
  readonly folder: string;
  /** Says what is wrong with an install; null when nothing is. */
  check?(folder: string): Promise<string | null>;
}

/**
 * Installs packages with the first pip that can. Resolves to null when that worked, else to a line for each attempt that says why it
 * did not. Throws the signal's reason when aborted. Nothing half-installed is left.
 */
export async function pipInstall(install: PipInstall, search: PipSearch = {}): Promise<string[] | null> {
  const { requirements, folder } = install;
  const staging = `${folder}.${Deno.pid}.part`;
  const pips = [
    ...(search.pythons ?? PYTHONS).map((python) => [...python, "-m", "pip"]),
    ...(search.pips ?? PIPS),
  ];
  const attempts: string[] = [];
  await Deno.mkdir(folder.replace(/\/[^/]*$/, ""), { recursive: true });
  const env = { ...search.env, PIP_DISABLE_PIP_VERSION_CHECK: "1", PIP_NO_INPUT: "1" };
  try {
    for (const pip of pips) {
      const command = [...pip, "install", "--no-deps", "--no-compile", "--target", staging, ...requirements];
      const result = await capture(command, { ...search, env });
      if (result === null) {
        attempts.push(`${pip.join(" ")}: not found`);
      } else if (result.code !== 0) {
        attempts.push(`${pip.join(" ")}: ${lastWords(result.stderr || result.stdout)}`);
      } else {
        const fault = await install.check?.(staging) ?? null;
        if (fault === null) {
          await Deno.remove(folder, { recursive: true }).catch(() => {});
          await Deno.rename(staging, folder);
          return null;
        }
        attempts.push(`${pip.join(" ")}: ${fault}`);
      }
      await Deno.remove(staging, { recursive: true }).catch(() => {});
    }
  } finally {
    await Deno.remove(staging, { recursive: true }).catch(() => {});
  }
  return attempts;
}
