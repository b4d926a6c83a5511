/** What `kumi keygen` does. @module */

import { fileReason } from "../../process/file_reason.ts";
import { printLine, printNote } from "../../process/print.ts";
import { newReceiptKey } from "../../protocol/receipts/sign.ts";
import { STORE_KEY_BYTES } from "../../protocol/options/load.ts";
import { type Arguments, choiceOption, UsageError } from "../command.ts";

const OWNER_ONLY = 0o600;

const PURPOSES = ["receipts", "prefixes"];

/** Writes a new key, or pair of keys, and prints the public one. */
export async function runKeygen(args: Arguments): Promise<number> {
  const [path] = args.positional;
  if (choiceOption(args, "for", PURPOSES) === "prefixes") {
    await writeNew(
      path,
      `${crypto.getRandomValues(new Uint8Array(STORE_KEY_BYTES)).toBase64()}\n`,
      OWNER_ONLY,
    );
    printNote(`kumi: ${path} encrypts what is stored of prompts (kumi serve --prefix-store-key)`);
    return 0;
  }
  const { privatePem, publicPem, publicKey } = await newReceiptKey();
  const publicPath = `${path}.pub`;
  if (await Deno.lstat(publicPath).then(() => true, () => false)) throw exists(publicPath);
  await writeNew(path, privatePem, OWNER_ONLY);
  await writeNew(publicPath, publicPem);
  printNote(
    `kumi: ${path} signs (kumi serve --receipt-key), ${publicPath} is for who verifies (kumi verify --key)`,
  );
  printLine(publicKey);
  return 0;
}

function exists(path: string): UsageError {
  return new UsageError(
    `${path} exists: a key that is written over is lost; give another name, or move the file away`,
  );
}

/** Throws a UsageError where the file exists or cannot be written. */
async function writeNew(path: string, text: string, mode?: number): Promise<void> {
  try {
    await Deno.writeTextFile(path, text, { createNew: true, ...mode === undefined ? {} : { mode } });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw exists(path);
    throw new UsageError(`cannot write the key ${path}: ${fileReason(error)}`);
  }
}
