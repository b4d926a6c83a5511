/** What `kumi verify` does. @module */

import type { Model } from "../../client/model.ts";
import { locateModel } from "../../client/locate_model.ts";
import { type KvFormat, kvFormatNames } from "../../gguf/kv_format.ts";
import { oneLine } from "../../process/harmless.ts";
import { printLine, printNote } from "../../process/print.ts";
import type { Receipt } from "../../protocol/receipts/receipt.ts";
import { hasValidSignature, readPublicKey } from "../../protocol/receipts/sign.ts";
import { ModelFiles } from "../../safetensors/model_hash.ts";
import { ApiError } from "../../server/api_error.ts";
import { ENDPOINTS } from "../../server/dialects/endpoints.ts";
import { type FoundReceipt, readReceipts, ReceiptError } from "../../server/receipts/read.ts";
import { type Said, saidIn } from "../../server/receipts/said.ts";
import { different, notComparable, type Verdict } from "../../server/receipts/verdict.ts";
import { preliminary, Verifier } from "../../server/receipts/verify.ts";
import { type Arguments, numberOption, UsageError } from "../command.ts";
import { counted } from "../counted.ts";
import { interruptible } from "../interrupt.ts";
import { loadModelWithProgress } from "../model_option.ts";
import { fileProblem, readNamed } from "../named_file.ts";
import { ProgressLine } from "../progress.ts";

const EXIT = { same: 0, different: 3, "not comparable": 4 } as const;
const PARALLEL_MAX = 4096;

/** What the receipts are checked against. */
interface Given {
  readonly said?: Said;
  readonly key?: string;
}

/** Checks the receipts of a file. */
export async function runVerify(args: Arguments): Promise<number> {
  const parallel = numberOption(args, "parallel", { min: 1, max: PARALLEL_MAX, integer: true })!;
  const found = await readFound(args);
  const given = await readGiven(args);
  if (given.said?.kind === "text" && found.length > 1) {
    throw new UsageError(
      `--answer is the text of one answer, there are ${found.length} receipts: give the server's JSON or its stream, or a file with one receipt`,
    );
  }
  using interrupt = interruptible();
  const files = await ModelFiles.look(
    await locateModel(args.values.get("model")!, { signal: interrupt.signal }),
  );
  const verdicts = new Array<Verdict>(found.length);
  for (const [, indices] of Map.groupBy(found.keys(), (i) => loadKey(found[i].receipt))) {
    await checkGroup({
      args,
      found,
      indices,
      given,
      sha256: await files.sha256(),
      parallel,
      verdicts,
      signal: interrupt.signal,
    });
  }
  return report(args, found, verdicts);
}

async function readFound(args: Arguments): Promise<FoundReceipt[]> {
  const [path] = args.positional;
  const found = receiptsOf(await readNamed(path), path);
  const requestPath = args.values.get("request");
  const without = found.filter(({ request }) => request === undefined).length;
  if (requestPath === undefined) {
    if (without === 0) return found;
    throw new UsageError(
      `${path} has no requests for ${counted(without, "receipt")}: --request FILE names the body`,
    );
  }
  const text = await readNamed(requestPath, "request");
  let request: unknown;
  try {
    request = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${requestPath} is no JSON: ${(error as SyntaxError).message}`);
  }
  return found.map((each) => ({ ...each, request }));
}

function receiptsOf(text: string, path: string): FoundReceipt[] {
  try {
    return readReceipts(text);
  } catch (error) {
    if (!(error instanceof ReceiptError)) throw error;
    throw new UsageError(`${path}: ${error.message}`);
  }
}

async function readGiven({ values }: Arguments): Promise<Given> {
  const answer = values.get("answer"), key = values.get("key");
  const said = answer === undefined ? undefined : saidIn(await readNamed(answer, "answer"));
  if (said === null) {
    throw new UsageError(
      `--answer ${answer} is a stream with more than plain text, or of another dialect than OpenAI's: give the text`,
    );
  }
  if (key === undefined) return { said };
  // A key is no path that anybody has.
  const text = await Deno.readTextFile(key).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return key;
    throw fileProblem(key, error, { option: "key" });
  });
  try {
    return { said, key: await readPublicKey(text) };
  } catch (error) {
    throw new UsageError(`--key ${key}: ${(error as Error).message}`);
  }
}

/** Receipts with the same key are of one way to load the model. */
function loadKey({ kv_format, context_length, model: { weights } }: Receipt): string {
  return JSON.stringify([kv_format, context_length, weights]);
}

interface Group {
  readonly args: Arguments;
  readonly found: readonly FoundReceipt[];
  /** Which of them. */
  readonly indices: readonly number[];
  readonly given: Given;
  /** Of the model. */
  readonly sha256: string;
  readonly parallel: number;
  readonly signal: AbortSignal;
  /** Filled in. */
  readonly verdicts: Verdict[];
}

/** Checks those receipts that want the model loaded in one way. */
async function checkGroup(group: Group): Promise<void> {
  const { args, found, indices, given, sha256, parallel, verdicts, signal } = group;
  const left: number[] = [];
  for (const i of indices) {
    const { receipt } = found[i];
    const verdict = await signatureVerdict(receipt, given.key) ?? otherModel(receipt, group) ??
      preliminary(receipt, receipt, sha256) ?? unknownFormat(receipt);
    if (verdict === undefined) left.push(i);
    else verdicts[i] = verdict;
  }
  if (left.length === 0) return;
  const { kv_format, context_length, model: { weights } } = found[left[0]].receipt;
  await using model = await loadModelWithProgress(args, {
    kvFormat: kv_format as KvFormat,
    contextLength: context_length,
    weights,
    sequencesMax: Math.min(parallel, 512),
  });
  const verifier = new Verifier(model, ENDPOINTS, args.switches.has("lenient"));
  using bar = new ProgressLine("verifying", String);
  let done = 0;
  const next = left.values();
  const check = async () => {
    for (const i of next) {
      verdicts[i] = await verdictOf(found[i], model, verifier, group);
      bar.update(++done, left.length);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, left.length) }, check));
  signal.throwIfAborted();
}

async function verdictOf(
  found: FoundReceipt,
  { info }: Model,
  verifier: Verifier,
  { sha256, given, signal }: Group,
): Promise<Verdict> {
  try {
    return preliminary(found.receipt, info, sha256) ?? await verifier.verify(found, given.said, signal);
  } catch (error) {
    signal.throwIfAborted();
    const isRequests = error instanceof ApiError || error instanceof ReceiptError ||
      error instanceof RangeError;
    if (!isRequests) throw error;
    return different(`the request cannot be the one: ${error.message}`);
  }
}

/** A signature must be right where there is one, and there where a key is given. */
async function signatureVerdict(receipt: Receipt, key?: string): Promise<Verdict | undefined> {
  const { signature } = receipt;
  if (await hasValidSignature(receipt) === false) return different("the signature is not of this receipt");
  if (key === undefined || signature?.key === key) return undefined;
  return different(
    signature === undefined
      ? "the receipt has no signature"
      : `the receipt is signed by another key, ${signature.key}`,
  );
}

/** Where others of the file are of the model, those of another one are of a server with several. */
function otherModel({ model }: Receipt, { found, sha256 }: Group): Verdict | undefined {
  if (model.sha256 === sha256 || !found.some(({ receipt }) => receipt.model.sha256 === sha256)) {
    return undefined;
  }
  return notComparable(`it is of another model, of sha256 ${model.sha256}`);
}

function unknownFormat({ kv_format }: Receipt): Verdict | undefined {
  if ((kvFormatNames as readonly string[]).includes(kv_format)) return undefined;
  return notComparable(`this kumi has no KV cache in ${kv_format}`);
}

/** Prints the verdicts; the exit status. */
function report(args: Arguments, found: readonly FoundReceipt[], verdicts: readonly Verdict[]): number {
  const isJson = args.switches.has("json");
  for (const [i, { outcome, reason, token }] of verdicts.entries()) {
    const { request, signature } = found[i].receipt;
    if (isJson) printLine(JSON.stringify({ outcome, reason, token, request, key: signature?.key }));
    else if (verdicts.length === 1 || outcome !== "same") {
      const place = verdicts.length === 1 ? "" : `receipt ${i + 1}: `;
      printLine(oneLine(`${place}${outcome === "same" ? reason : `${outcome}: ${reason}`}`));
    }
  }
  const count = (outcome: Verdict["outcome"]) => verdicts.filter((each) => each.outcome === outcome).length;
  const different = count("different"), uncompared = count("not comparable");
  if (!isJson && verdicts.length > 1) {
    printLine(
      `${count("same")} of ${verdicts.length} receipts: same bits` +
        (different > 0 ? `; ${different} different` : "") +
        (uncompared > 0 ? `; ${uncompared} not comparable` : ""),
    );
  }
  const unsigned = found.filter(({ receipt }) => receipt.signature === undefined).length;
  const bare = verdicts.filter(({ withoutText }) => withoutText).length;
  if (bare > 0) {
    printNote(`kumi: ${counted(bare, "receipt")} without the text of the answer: give it with --answer`);
  }
  if (unsigned > 0) {
    printNote(`kumi: ${counted(unsigned, "receipt")} without a signature: anybody could have written such`);
  }
  return different > 0 ? EXIT.different : uncompared > 0 ? EXIT["not comparable"] : EXIT.same;
}
