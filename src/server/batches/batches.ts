/** Work in bulk for a server's clients: files of requests, batches of them, and who does the work. @module */

import { DEFAULT_CLASSES, type LatencyClass } from "../../../scheduler/mod.ts";
import type { Endpoint } from "../dialects/dialect.ts";
import type { Models } from "../models.ts";
import type { Service } from "../service.ts";
import { printFault } from "../../process/print.ts";
import { BatchStore } from "./batch_store.ts";
import { BATCH_DEFAULTS } from "./defaults.ts";
import { FileStore } from "./file_store.ts";
import { type BatchStatus, nowSeconds } from "./objects.ts";
import { TenantFolders } from "./records.ts";
import type { BatchPower, BatchWorker } from "./worker.ts";

/** Where a server keeps files and batches, and how much. */
export interface BatchOptions {
  /** A folder of this server's own; it is made if it is not there. */
  readonly dir: string;
  /** Most bytes of files that each key keeps. Default 1 GiB. */
  readonly bytesMax?: number;
  /** Most files, and most batches, that each key keeps. Default 1000. */
  readonly filesMax?: number;
  /** Days after which files, and batches that have ended, are removed. Default 30. */
  readonly days?: number;
}

/** Figures for the metrics. */
export interface BatchFigures {
  readonly waiting: number;
  readonly running: number;
  readonly files: number;
  readonly bytes: number;
  /** Batches that ended, by how. */
  readonly ended: ReadonlyMap<BatchStatus, number>;
  /** Requests that have a line, by what it is. */
  readonly requests: ReadonlyMap<string, number>;
}

const DAY_SECONDS = 86_400;
const SWEEP_MS = 600_000;
const CLASS = "batch";

/** Files and batches of a server, while it is there. */
export class Batches {
  readonly files: FileStore;
  readonly batches: BatchStore;
  /** Comes with the packages that requests are read with. */
  readonly #loading: Promise<BatchWorker>;
  #worker: BatchWorker | null = null;
  readonly #lock: Deno.FsFile;
  readonly #service: Service;
  /** Name of the latency class of all their requests. */
  readonly className: string;
  readonly #ageSeconds: number;
  readonly #ended = new Map<BatchStatus, number>();
  readonly #requests = new Map<string, number>();
  readonly #sweeping: ReturnType<typeof setInterval>;
  #isClosed = false;

  /**
   * Opens the folder. Throws Deno's errors, and an Error where another server has it. Goes on with what an earlier
   * server did not end as soon as the model is there.
   */
  constructor(
    options: BatchOptions,
    service: Service,
    { endpoints, classes, settled }: {
      readonly endpoints: readonly Endpoint[];
      readonly classes?: readonly LatencyClass[];
      /** Resolves when there is a model to begin with. */
      readonly settled: Promise<void>;
    },
  ) {
    const { dir, bytesMax, filesMax, days } = { ...BATCH_DEFAULTS, ...options };
    const folders = new TenantFolders(dir);
    this.#lock = lock(dir);
    this.#ageSeconds = days * DAY_SECONDS;
    this.files = new FileStore(folders, { bytesMax, filesMax, ageMax: this.#ageSeconds });
    this.batches = new BatchStore(folders);
    this.#loading = this.#load(service, endpoints, classes);
    this.#loading.catch((error) => printFault("kumi: batches cannot be done:", error));
    this.#service = service;
    this.className = classOf(classes).name;
    settled.then(() => this.wake()).catch(() => {});
    this.#sweeping = setInterval(() => this.sweep(), SWEEP_MS);
    Deno.unrefTimer(this.#sweeping);
    this.sweep();
  }

  get figures(): BatchFigures {
    const running = this.#worker?.running ?? 0;
    return {
      running,
      waiting: Math.max(0, this.batches.open.length - running),
      ...this.files.figures,
      ended: this.#ended,
      requests: this.#requests,
    };
  }

  /** Begins what can be begun. */
  async wake(): Promise<void> {
    const worker = await this.#loading;
    if (!this.#isClosed && powerOf(this.#service) !== null) worker.wake();
  }

  /** Ends a batch that is to be cancelled. */
  async cancel(tenant: string, id: string): Promise<void> {
    await (await this.#loading).cancel(tenant, id);
  }

  async #load(
    service: Service,
    endpoints: readonly Endpoint[],
    classes?: readonly LatencyClass[],
  ): Promise<BatchWorker> {
    const [{ BatchWorker }, { BulkAsker }] = await Promise.all([
      import("./worker.ts"),
      import("../bulk/asker.ts"),
    ]);
    const { files, batches } = this;
    return this.#worker = new BatchWorker({
      files,
      batches,
      asker: new BulkAsker(service, endpoints),
      lineBytesMax: service.bodies.bytesMax,
      power: () => powerOf(service, classes),
      onEnd: ({ status }) => add(this.#ended, status),
      onRequest: (outcome) => add(this.#requests, outcome),
    });
  }

  /** Removes what is too old. */
  async sweep(): Promise<void> {
    await this.files.sweep((tenant, { id }) => this.batches.uses(tenant, id)).catch(() => {});
    await this.batches.sweep(nowSeconds() - this.#ageSeconds).catch(() => {});
  }

  /** Stops working. What is not done is gone on with by the next server. */
  async stop(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#sweeping);
    await (await this.#loading.catch(() => null))?.stop();
    this.#lock.close();
  }
}

function add<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** The class of the name "batch", or the least urgent one where there is none. */
function classOf(classes: readonly LatencyClass[] = DEFAULT_CLASSES): LatencyClass {
  const least = classes.toSorted((a, b) => a.priority - b.priority)[0];
  return classes.find(({ name }) => name === CLASS) ?? least;
}

function powerOf({ models }: Service, classes?: readonly LatencyClass[]): BatchPower | null {
  const room = roomOf(models);
  if (room === null) return null;
  const { name, maxBatch } = classOf(classes);
  return { class: name, parallel: maxBatch * room.workers, tokensMax: room.kvTokens * room.workers };
}

/** Of a model that was not loaded yet. */
const UNKNOWN_ROOM = { workers: 1, kvTokens: 16_384 };

/** What the first model that is in memory computes at the same time; null where no requests are taken. */
function roomOf(models: Models): { readonly workers: number; readonly kvTokens: number } | null {
  try {
    models.throwIfNone();
  } catch {
    return null;
  }
  const model = models.list().find(({ host }) => host?.takesRequests)?.host?.model;
  if (model === undefined) return UNKNOWN_ROOM;
  return { workers: model.health().workers.length, kvTokens: model.info.kvTokens };
}

/** Throws an Error where another process has the folder. */
function lock(dir: string): Deno.FsFile {
  const file = Deno.openSync(`${dir}/lock`, { create: true, write: true, mode: 0o600 });
  if (file.tryLockSync(true)) return file;
  file.close();
  throw new Error(`${dir} is in use by another server: each needs a folder of its own for batches`);
}
