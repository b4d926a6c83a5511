/** Whose and how urgent a request is: what all dialects have in common. @module */

import { createHash } from "node:crypto";
import type { ChatOptions } from "../../protocol/options/generation.ts";
import { GENERATION } from "../../protocol/options/generation.ts";
import { docOf } from "../../protocol/options/option.ts";
import { text } from "../schema/fields.ts";
import { fieldOf } from "../schema/of_option.ts";
import { readValue } from "../schema/read.ts";
import type { Asked } from "./dialect.ts";

/** How urgent a request is. */
export const URGENCY_FIELDS = {
  class: text(GENERATION.class.kind.max, {
    min: 1,
    help:
      'Latency class; also as the header x-kumi-class. Default: "interactive", or the highest where there is none of that name.',
  }),
  deadline_ms: fieldOf(GENERATION.deadlineMs, {
    help: `${docOf(GENERATION.deadlineMs, "client").slice(0, -1)}; also as x-kumi-deadline-ms.`,
  }),
  priority: fieldOf(GENERATION.priority),
};

/** What a body may say of it. */
export interface Urgency {
  readonly class?: string;
  readonly deadline_ms?: number;
  readonly priority?: number;
  readonly cache_salt?: string;
}

/** What a request's fields, or else its headers, say for all of its works. Throws an ApiError, 400. */
export function urgencyOf(fields: Urgency, { headers, tenant, model, waitedMs = 0 }: Asked) {
  const { cache_salt } = fields;
  const { class: name = model.info.defaultClass, deadlineMs } = urgencyBefore(fields, headers);
  return {
    class: name,
    // What was waited for the model is gone.
    deadlineMs: deadlineMs === undefined ? undefined : Math.max(1, deadlineMs - Math.round(waitedMs)),
    priority: fields.priority,
    tenant: cache_salt === undefined ? tenant : saltedTenant(tenant, cache_salt),
  } satisfies ChatOptions;
}

/** What is known before there is a model: of a body's fields, or else of headers. Throws an ApiError, 400. */
export function urgencyBefore(fields: Urgency, headers: Headers): { class?: string; deadlineMs?: number } {
  return {
    class: fields.class ?? headerClass(headers),
    deadlineMs: fields.deadline_ms ?? headerDeadline(headers),
  };
}

/** A key never makes another tenant's name with it: the salt is hashed together with it. */
function saltedTenant(tenant: string, salt: string): string {
  return createHash("sha256").update(`kumi salt\0${tenant}\0${salt}`).digest("hex");
}

function headerClass(headers: Headers): string | undefined {
  const name = "x-kumi-class";
  const given = headers.get(name);
  return given === null ? undefined : readValue(URGENCY_FIELDS.class, given, name);
}

function headerDeadline(headers: Headers): number | undefined {
  const name = "x-kumi-deadline-ms";
  const given = headers.get(name);
  return given === null ? undefined : readValue(URGENCY_FIELDS.deadline_ms, Number(given), name);
}
