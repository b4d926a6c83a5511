/**
 * What an engine in a process of its own and the one that started it send each other: the messages of a worker as
 * they are, written as structured clones are, and what a worker has shared memory for.
 * @module
 */

import { nodeV8 } from "../process/node.ts";
import { frameOf } from "./frames.ts";

/** What frames to the engine hold. */
export const ToProcess = {
  /** A message. */
  message: 1,
  /** The step under way should end early. */
  interrupt: 2,
} as const;

/** What frames from the engine hold. */
export const FromProcess = {
  /** Who it is: the first frame. */
  hello: 1,
  /** A message. */
  message: 2,
  /** The same, and the step under way has ended. */
  messageAfterStep: 3,
  /** A step begins, or ends with no id: the ids of its requests. */
  step: 4,
  /** A sign of life. */
  beat: 5,
  /** Its thread has ended with an error: the error's message. */
  died: 6,
} as const;

/** What a process says of itself. */
export interface Hello {
  /** Of kumi. */
  readonly version: string;
  /** Its {@linkcode wallClock} at that moment. */
  readonly clock: number;
}

/** To be called before the first {@linkcode cloneFrame} and {@linkcode readClone}, where nothing is under way. */
export function prepareClones(): void {
  nodeV8();
}

/** A frame of anything that can be cloned. Throws a DataCloneError for what cannot, RangeError for what is too long. */
export function cloneFrame(kind: number, value: unknown): Uint8Array<ArrayBuffer> {
  return frameOf(kind, nodeV8().serialize(value));
}

/** What {@linkcode cloneFrame} was given. */
export function readClone(payload: Uint8Array): unknown {
  return nodeV8().deserialize(payload);
}

/** A frame of ids of requests, each below 2⁵³. */
export function idsFrame(kind: number, ids: readonly number[]): Uint8Array<ArrayBuffer> {
  return frameOf(kind, new Uint8Array(Float64Array.from(ids).buffer));
}

/** What {@linkcode idsFrame} was given. */
export function readIds(payload: Uint8Array<ArrayBuffer>): number[] {
  const { buffer, byteOffset, byteLength } = payload;
  return [...new Float64Array(buffer, byteOffset, byteLength / Float64Array.BYTES_PER_ELEMENT)];
}
