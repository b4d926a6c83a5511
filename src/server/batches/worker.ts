/** Does the work of batches: as many keys' at a time as there is sense in, one batch of each. @module */

import { printFault, printNote } from "../../process/print.ts";
import { AnswerFile, AnswerFileError } from "../bulk/answer_file.ts";
import type { BulkError } from "../bulk/answer_line.ts";
import { type BulkAsker, EngineGoneError } from "../bulk/asker.ts";
import { indexRequests, type RequestFile } from "../bulk/request_file.ts";
import { runBulk } from "../bulk/run.ts";
import type { BatchStore } from "./batch_store.ts";
import { type FileStore, newFileId } from "./file_store.ts";
import { type BatchFault, ENDED, nowSeconds, type StoredBatch } from "./objects.ts";

/** What the engine has for batches. */
export interface BatchPower {
  /** Name of the latency class. */
  readonly class: string;
  /** Requests that it computes together. */
  readonly parallel: number;
  /** Tokens of KV cache. */
  readonly tokensMax: number;
}

export interface BatchWorkerOptions {
  readonly files: FileStore;
  readonly batches: BatchStore;
  readonly asker: Pick<BulkAsker, "ask">;
  /** Longest line of a file. */
  readonly lineBytesMax: number;
  /** null where the engine takes no requests. */
  readonly power: () => BatchPower | null;
  /** Told of each batch that ended. */
  readonly onEnd?: (batch: StoredBatch) => void;
  /** Told of each request that has a line. */
  readonly onRequest?: (outcome: "completed" | "failed") => void;
}

/** Keys whose batches are computed at the same time. */
const TENANTS_MAX = 4;
/** As OpenAI has it. */
const REQUESTS_MAX = 50_000;
/** Faults of a file that are told. */
const FAULTS_MAX = 100;
/** Until a batch that could not go on is tried again, in ms. */
const RETRY_MS = 15_000;

const STOPPED = new DOMException("The server is shutting down", "AbortError");
const CANCELLED = new DOMException("The batch was cancelled", "AbortError");

interface Running {
  readonly id: string;
  readonly abort: AbortController;
  readonly done: Promise<void>;
}

/** Goes on with what is not done until it is stopped. */
export class BatchWorker {
  readonly #options: BatchWorkerOptions;
  /** By tenant. */
  readonly #running = new Map<string, Running>();
  #retry: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(options: BatchWorkerOptions) {
    this.#options = options;
  }

  /** Batches that are being computed. */
  get running(): number {
    return this.#running.size;
  }

  /** Begins what can be begun. */
  wake(): void {
    if (this.#isStopped) return;
    for (const { tenant, batch } of this.#options.batches.open) {
      if (this.#running.size >= TENANTS_MAX) return;
      if (!this.#running.has(tenant)) this.#begin(tenant, batch.id);
    }
  }

  /** Ends a batch that is to be cancelled, with the answers that it has. */
  async cancel(tenant: string, id: string): Promise<void> {
    const running = this.#running.get(tenant);
    if (running?.id === id) running.abort.abort(CANCELLED);
    else await this.#finish(tenant, this.#options.batches.find(tenant, id));
  }

  /** Ends what is under way, so that another server can go on with it. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    for (const { abort } of this.#running.values()) abort.abort(STOPPED);
    await Promise.all(this.#running.values().map(({ done }) => done));
  }

  #begin(tenant: string, id: string): void {
    const abort = new AbortController();
    const done = this.#work(tenant, id, abort.signal).catch((error) => this.#failed(tenant, id, error))
      .finally(() => {
        this.#running.delete(tenant);
        // What could not go on is not begun again at once.
        if (ENDED.has(this.#options.batches.find(tenant, id).status)) this.wake();
        else this.#wakeLater();
      });
    this.#running.set(tenant, { id, abort, done });
  }

  #wakeLater(): void {
    if (this.#isStopped || this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.wake();
    }, RETRY_MS);
  }

  async #failed(tenant: string, id: string, error: unknown): Promise<void> {
    if (error === STOPPED || this.#isStopped) return;
    if (error instanceof EngineGoneError || error instanceof AnswerFileError) {
      return printNote(`kumi: ${id} waits: ${error.message}`);
    }
    printFault(`kumi: ${id} failed:`, error);
    const fault = {
      code: "internal_error",
      message: "The batch failed inside the server",
      param: null,
      line: null,
    };
    await this.#end(tenant, this.#options.batches.find(tenant, id), "failed", [fault]).catch(() => {});
  }

  async #work(tenant: string, id: string, signal: AbortSignal): Promise<void> {
    const { batches } = this.#options;
    const batch = batches.find(tenant, id);
    if (batch.status === "validating" || batch.status === "in_progress") {
      const requests = await this.#requestsOf(tenant, batch);
      if ("faults" in requests) return await this.#end(tenant, batch, "failed", requests.faults);
      try {
        await this.#run(tenant, id, requests, signal);
      } catch (error) {
        if (error !== CANCELLED) throw error;
      }
    }
    await this.#finish(tenant, batches.find(tenant, id));
  }

  /** What a batch asks, or why it cannot be asked. */
  async #requestsOf(tenant: string, batch: StoredBatch): Promise<RequestFile | { faults: BatchFault[] }> {
    const { files, lineBytesMax } = this.#options;
    const { input_file_id: id, endpoint } = batch;
    let requests: RequestFile;
    try {
      requests = await indexRequests(files.pathOf(tenant, { id }), { lineBytesMax });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      return { faults: [{ code: "file_not_found", message: "The file is gone", param: null, line: null }] };
    }
    const { entries, problems } = requests;
    const faults: BatchFault[] = [
      ...problems.map(({ line, code, message, param }) => ({ line, code, message, param })),
      ...entries.filter(({ path }) => path !== endpoint).map(({ line }) => ({
        line,
        code: "mismatched_url",
        message: `"url" must be the batch's endpoint, "${endpoint}"`,
        param: "url",
      })),
    ].sort((a, b) => a.line - b.line).slice(0, FAULTS_MAX);
    if (faults.length > 0) return { faults };
    const wrongCount = entries.length === 0
      ? "The file has no requests"
      : entries.length > REQUESTS_MAX
      ? `A file has at most ${REQUESTS_MAX} requests, this one has ${entries.length}`
      : null;
    if (wrongCount === null) return requests;
    return { faults: [{ code: "invalid_file", message: wrongCount, param: null, line: null }] };
  }

  async #run(tenant: string, id: string, requests: RequestFile, signal: AbortSignal): Promise<void> {
    const { files, batches, asker, power, onRequest } = this.#options;
    const available = power();
    if (available === null) throw new EngineGoneError("the model takes no requests");
    const { class: name, parallel, tokensMax } = available;
    signal.throwIfAborted();
    const total = requests.entries.length;
    const batch = batches.find(tenant, id);
    if (batch.status === "validating") await batches.become(tenant, id, "in_progress");
    await using answers = await AnswerFile.open(batches.pathOf(tenant, batch, "answers"));
    await using errors = await AnswerFile.open(batches.pathOf(tenant, batch, "errors"));
    const held = new Held(files, tenant);
    using _ = held;
    const count = () => {
      held.hold(answers.bytes + errors.bytes);
      const { answered: completed } = answers.counts;
      batches.count(id, { total, completed, failed: errors.counts.failed });
    };
    count();
    await runBulk({
      path: files.pathOf(tenant, { id: batch.input_file_id }),
      requests,
      files: { answers, errors },
      asker,
      tenant,
      class: name,
      signal,
      parallel,
      tokensMax,
      refusal: () => refusalOf(batch, files.room(tenant)),
      onLine: (line) => {
        onRequest?.(line.response?.status_code === 200 ? "completed" : "failed");
        count();
      },
    });
  }

  /** All has been asked: what was written becomes files. May be begun again where it was ended. */
  async #finish(tenant: string, batch: StoredBatch): Promise<void> {
    const { batches } = this.#options;
    if (batch.status === "cancelling") return await this.#end(tenant, batch, "cancelled");
    const isLate = nowSeconds() >= batch.expires_at &&
      await hasText(batches.pathOf(tenant, batch, "errors"), EXPIRED.code);
    const finalizing = batch.status === "finalizing"
      ? batch
      : await batches.become(tenant, batch.id, "finalizing", {
        request_counts: batch.request_counts,
        // Says what it will be.
        ...isLate ? { expired_at: nowSeconds() } : {},
      });
    await this.#end(tenant, finalizing, finalizing.expired_at === null ? "completed" : "expired");
  }

  /** Ids of files are noted before there are files, so that no answers are lost or told twice. */
  async #end(
    tenant: string,
    batch: StoredBatch,
    status: "completed" | "expired" | "cancelled" | "failed",
    faults?: readonly BatchFault[],
  ): Promise<void> {
    const { batches, onEnd } = this.#options;
    const [output_file_id, error_file_id] = [
      await this.#outputOf(tenant, batch, "answers", batch.output_file_id),
      await this.#outputOf(tenant, batch, "errors", batch.error_file_id),
    ];
    const ended = await batches.become(tenant, batch.id, status, {
      output_file_id,
      error_file_id,
      request_counts: batch.request_counts,
      ...faults === undefined ? {} : { errors: { object: "list", data: faults } },
    });
    onEnd?.(ended);
  }

  async #outputOf(
    tenant: string,
    batch: StoredBatch,
    output: "answers" | "errors",
    noted: string | null,
  ): Promise<string | null> {
    const { files, batches } = this.#options;
    const path = batches.pathOf(tenant, batch, output);
    const { size } = await Deno.stat(path).catch(() => ({ size: 0 }));
    if (noted !== null && size === 0) return noted;
    if (size === 0) {
      await Deno.remove(path).catch(() => {});
      return null;
    }
    const id = noted ?? newFileId();
    const field = output === "answers" ? "output_file_id" : "error_file_id";
    if (noted === null) await batches.note(tenant, batch.id, { [field]: id });
    const filename = `${batch.id}_${output === "answers" ? "output" : "error"}.jsonl`;
    const ageSeconds = batch.output_expires_after?.seconds;
    await files.adopt(tenant, path, size, { id, filename, purpose: "batch_output", ageSeconds });
    return id;
  }
}

const EXPIRED = {
  code: "batch_expired",
  message: "This request was not done before the batch's completion window had passed",
};

/** Why nothing more of a batch is asked. */
function refusalOf(batch: StoredBatch, room: number): BulkError | undefined {
  if (nowSeconds() >= batch.expires_at) return EXPIRED;
  if (room > 0) return undefined;
  return { code: "quota_exceeded", message: "There is no room for more answers: delete some files" };
}

async function hasText(path: string, text: string): Promise<boolean> {
  const content = await Deno.readTextFile(path).catch(() => "");
  return content.includes(`"code":"${text}"`);
}

/** Bytes of answers that are no files yet. */
class Held implements Disposable {
  readonly #files: FileStore;
  readonly #tenant: string;
  #bytes = 0;

  constructor(files: FileStore, tenant: string) {
    this.#files = files;
    this.#tenant = tenant;
  }

  hold(bytes: number): void {
    this.#files.reserve(this.#tenant, bytes - this.#bytes);
    this.#bytes = bytes;
  }

  [Symbol.dispose](): void {
    this.hold(0);
  }
}
