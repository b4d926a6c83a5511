/**
 * Decides what a language model's engine computes next, from plain data: latency classes, continuous
 * batching, KV blocks, shared prefixes. Nothing here computes, waits, reads a clock or draws a random number.
 * @module
 */

export type { Admission, RefusalReason } from "./admission.ts";
export {
  type ClassOutlook,
  type CountedOutlook,
  KnownOutlook,
  type Refusal,
  type UnseenRequest,
} from "./known_outlook.ts";
export { type BlockAllocator, roomBlocks } from "./block_allocator.ts";
export { type BlockRun, blocksIn, BlockTable } from "./block_table.ts";
export { blocksAtOnce, firstSeen, type KvWindows, NO_WINDOWS } from "./kv_window.ts";
export {
  checkClasses,
  DEFAULT_CLASSES,
  defaultClass,
  type LatencyClass,
  type QueueLimit,
} from "./latency_class.ts";
export { MemoryAllocator } from "./memory_allocator.ts";
export { PrefixCache, type PrefixCacheOptions } from "./prefix_cache.ts";
export { type ClassStats, Scheduler, type SchedulerOptions, type StepPlan } from "./scheduler.ts";
export type { StepResult } from "./step_result.ts";
export { type StoredStretch, StorePolicy, type StorePolicyOptions, toEvict } from "./store_policy.ts";
export { AnswerLengths, PromptLengths } from "./request_lengths.ts";
export { KvLedger } from "./kv_ledger.ts";
export { type SchedulerRequest, Sequence, type StepItem } from "./sequence.ts";
export { type DraftSource, SPECULATING_MAX, type SpeculationOptions } from "./speculator.ts";
export { attendedKv, StepCost, type StepLoad, type StepTimes } from "./step_cost.ts";
export { SNAPSHOT_POLICY, type SnapshotPolicy } from "./snapshot_policy.ts";
export type { StateFigures } from "./state_ledger.ts";
export { StateSlots } from "./state_slots.ts";
export { StepTimeModel } from "./step_time_model.ts";
export {
  type ResidentAction,
  Residents,
  type ResidentsOptions,
  type ResidentState,
  type RoomReport,
  type UnloadReason,
} from "./residents.ts";
export { type RoutedRequest, Router, type RouterOptions, type WorkerLoss } from "./router.ts";
