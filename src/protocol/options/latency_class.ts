/** What a latency class is made of, for the library's check and the server's configuration file. @module */

import type { LatencyClass } from "../../../scheduler/mod.ts";
import {
  boolean,
  type FieldOfKind,
  integer,
  list,
  type ListKind,
  number,
  object,
  type ObjectKind,
  open,
  text,
} from "./kind.ts";

const DAY_MS = 86_400_000;
const ms = (min: number) => open(number(min, DAY_MS));

/** Numbers are judged by the scheduler; the bounds are the configuration file's. */
const FIELDS = {
  name: { kind: text(1, 64), required: true },
  priority: { kind: open(number(-1e6, 1e6)), required: true },
  maxBatch: { kind: open(integer(1, 65_536)), required: true },
  maxWaitMs: { kind: ms(0), required: true },
  ttftSloMs: { kind: ms(1) },
  itlSloMs: { kind: ms(1) },
  queueLimit: {
    kind: object<LatencyClass["queueLimit"]>({
      requests: { kind: open(integer(1, 2 ** 20)), required: true },
      tokens: { kind: open(integer(1, 2 ** 40)), required: true },
    }),
    required: true,
  },
  preemptible: { kind: boolean, required: true },
} as const satisfies Record<keyof LatencyClass, FieldOfKind>;

export const latencyClasses: ListKind<ObjectKind<LatencyClass>> = list(
  object<LatencyClass>(FIELDS),
  1,
  16,
  "a list of latency classes",
);
