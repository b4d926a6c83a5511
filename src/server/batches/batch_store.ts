/** Batches, and the files of answers that they write while they are under way. @module */

import { ApiError } from "../api_error.ts";
import type { BulkPath } from "../bulk/request_line.ts";
import { type BatchStatus, ENDED, nowSeconds, type RequestCounts, type StoredBatch } from "./objects.ts";
import { ignoreMissing, newStoredId, Records, type TenantFolders } from "./records.ts";

const BATCH_PREFIX = "batch_";
/** What a batch writes: answers, and errors apart from them. */
const OUTPUTS = { answers: ".answers.jsonl", errors: ".errors.jsonl" } as const;
export type Output = keyof typeof OUTPUTS;

/** What a new batch is made of. */
export interface NewBatch {
  readonly endpoint: BulkPath;
  readonly input_file_id: string;
  readonly completion_window: string;
  readonly expires_at: number;
  readonly metadata: StoredBatch["metadata"];
  readonly output_expires_after: StoredBatch["output_expires_after"];
}

const NO_COUNTS: RequestCounts = { total: 0, completed: 0, failed: 0 };

/** The batches of all keys. A key sees its own. */
export class BatchStore {
  readonly #folders: TenantFolders;
  readonly #records: Records<StoredBatch>;
  /** Of those under way: what is on the disk is older. */
  readonly #counts = new Map<string, RequestCounts>();

  constructor(folders: TenantFolders) {
    this.#folders = folders;
    this.#records = new Records(folders, BATCH_PREFIX);
  }

  /** Newest first. */
  all(tenant: string): StoredBatch[] {
    return this.#records.all(tenant).map((batch) => this.#counted(batch));
  }

  /** Throws an ApiError, 404. */
  find(tenant: string, id: string): StoredBatch {
    const batch = this.#records.get(tenant, id);
    if (batch !== undefined) return this.#counted(batch);
    throw new ApiError(404, "There is no batch of this id", { param: "batch_id", code: "batch_not_found" });
  }

  /** Whether a batch that has not ended needs a file. */
  uses(tenant: string, fileId: string): boolean {
    return this.#records.all(tenant).some(({ status, input_file_id: id }) =>
      id === fileId && !ENDED.has(status)
    );
  }

  /** Those that have not ended, oldest first, with whose they are. */
  get open(): { readonly tenant: string; readonly batch: StoredBatch }[] {
    return this.#records.tenants
      .flatMap((tenant) => this.#records.all(tenant).map((batch) => ({ tenant, batch })))
      .filter(({ batch }) => !ENDED.has(batch.status))
      .sort((a, b) => a.batch.id < b.batch.id ? -1 : 1);
  }

  /** Throws an ApiError where there are too many. */
  async create(tenant: string, made: NewBatch, countMax: number): Promise<StoredBatch> {
    if (this.#records.all(tenant).length >= countMax) {
      throw new ApiError(
        400,
        `There is room for ${countMax} batches; those that ended go when they are old`,
        {
          code: "quota_exceeded",
        },
      );
    }
    const batch: StoredBatch = {
      id: newStoredId(BATCH_PREFIX),
      object: "batch",
      errors: null,
      ...made,
      status: "validating",
      output_file_id: null,
      error_file_id: null,
      created_at: nowSeconds(),
      in_progress_at: null,
      finalizing_at: null,
      completed_at: null,
      failed_at: null,
      expired_at: null,
      cancelling_at: null,
      cancelled_at: null,
      request_counts: NO_COUNTS,
    };
    await this.#records.put(tenant, batch);
    return batch;
  }

  /** A batch's next state, and when it came to it. */
  async become(
    tenant: string,
    id: string,
    status: Exclude<BatchStatus, "validating">,
    more: Partial<StoredBatch> = {},
  ): Promise<StoredBatch> {
    const changed = { ...this.find(tenant, id), status, [`${status}_at`]: nowSeconds(), ...more };
    await this.#records.put(tenant, changed);
    if (ENDED.has(status)) this.#counts.delete(id);
    return changed;
  }

  /** Keeps what is known of a batch without another state. */
  async note(tenant: string, id: string, more: Partial<StoredBatch>): Promise<void> {
    await this.#records.put(tenant, { ...this.find(tenant, id), ...more });
  }

  /** How far a batch is, until the next state. */
  count(id: string, counts: RequestCounts): void {
    this.#counts.set(id, counts);
  }

  /** Where a batch writes while it is under way. */
  pathOf(tenant: string, { id }: Pick<StoredBatch, "id">, output: Output): string {
    return this.#folders.path(tenant, id + OUTPUTS[output]);
  }

  /** Removes those that ended before a time, in seconds since 1970. */
  async sweep(before: number): Promise<void> {
    for (const tenant of this.#records.tenants) {
      for (const batch of this.#records.all(tenant)) {
        if (!ENDED.has(batch.status) || batch.created_at >= before) continue;
        await this.#records.remove(tenant, batch.id);
        for (const output of Object.keys(OUTPUTS) as Output[]) {
          await Deno.remove(this.pathOf(tenant, batch, output)).catch(ignoreMissing);
        }
      }
    }
  }

  #counted(batch: StoredBatch): StoredBatch {
    const request_counts = this.#counts.get(batch.id) ?? batch.request_counts;
    return { ...batch, request_counts };
  }
}
