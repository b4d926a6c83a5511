import type {
  BlockAllocator,
  PrefixCache,
  PrefixCacheOptions,
  SchedulerOptions,
  SchedulerRequest,
  StateSlots,
} from "../../scheduler/mod.ts";

/** Where a planted bug gets in. What is absent works as it should. */
export interface Sabotage {
  allocator?(inner: BlockAllocator): BlockAllocator;
  cache?(allocator: BlockAllocator, options: PrefixCacheOptions): PrefixCache;
  states?(allocator: BlockAllocator, slotBlocks: number): StateSlots;
  options?(options: SchedulerOptions): SchedulerOptions;
  request?(request: SchedulerRequest): SchedulerRequest;
  /** Most deaths before a request is quarantined. */
  deathsMax?: number;
  /** Clients that go away are not noticed. */
  ignoresCancel?: boolean;
  /** Requests of a dead worker are forgotten. */
  losesReplays?: boolean;
  /** Requests of a dead worker begin again from their prompt. */
  forgetsEmitted?: boolean;
  /** A worker that was given up is listened to. */
  ignoresOwner?: boolean;
  /** Completions are passed on although the scheduler does not know the step. */
  passesDuplicates?: boolean;
  /** What was guessed is taken without a look at what the model chose. */
  trustsGuesses?: boolean;
  /** An interrupted step leaves something else in the states that it was to read. */
  spoilsStates?: boolean;
  /** Nobody looks again after an empty plan. */
  ignoresWait?: boolean;
}
