/** What a good answer keeps, by class. @module */

import type { RequestRecord } from "../loadtest/send.ts";
import { isGood } from "../loadtest/summary.ts";
import type { TrialObjective, TrialObjectives } from "./report_data.ts";

/** What people who wait expect where nobody says anything: see profiles.ts. */
const WAITING = { ttftMs: 5000, itlMs: 200, itlStat: "mean" } as const;
/** Classes that nobody waits for, by their usual names. */
const PATIENT = new Set(["batch", "bulk", "background", "night"]);

/** `--slo`, read. Without a class it is for all that have none of their own. */
export type GivenObjective = Partial<Omit<TrialObjective, "from">>;

/**
 * Reads "ttft=2000,itl=150" or "interactive:ttft=2s,itl-p95=200"; "none" for neither. Times are ms, or
 * seconds with an s behind. Throws a RangeError that names what cannot be.
 */
export function parseObjective(text: string): GivenObjective {
  const match = /^(?:([\w.-]+):)?(.*)$/.exec(text.trim())!;
  const [, name, rest] = match;
  const given: { class?: string; ttftMs?: number | null; itlMs?: number | null; itlStat?: "mean" | "p95" } =
    name === undefined ? {} : { class: name };
  if (rest === "none") return { ...given, ttftMs: null, itlMs: null, itlStat: "mean" };
  for (const part of rest.split(",")) {
    const field = /^(ttft|itl|itl-p95)=(\d*\.?\d+)(ms|s)?$/.exec(part.trim());
    if (field === null) {
      throw new RangeError(
        `An objective is like ttft=2000,itl=150 or interactive:ttft=2s,itl-p95=200, current value is ${text}`,
      );
    }
    const ms = Number(field[2]) * (field[3] === "s" ? 1000 : 1);
    if (!(ms > 0)) throw new RangeError(`An objective must be above 0, current value is ${text}`);
    if (field[1] === "ttft") given.ttftMs = ms;
    else {
      given.itlMs = ms;
      given.itlStat = field[1] === "itl" ? "mean" : "p95";
    }
  }
  return given;
}

/**
 * `--slo` with several of them: they are separated by ";", or by a comma before a class's name, which is how
 * the command line joins an option that was given several times.
 */
export function parseObjectives(text: string): GivenObjective[] {
  return text.split(/;|,(?=\s*[\w.-]+:|\s*none\b)/).map(parseObjective);
}

/**
 * The objectives of these classes. What was given counts first, for the class, then for all; then the
 * profile's; then what people expect, or nothing of a class that by its name can wait. Throws a RangeError
 * for an objective of a class that there is not.
 */
export function objectivesOf(
  classes: readonly string[],
  { given, defaults, share }: {
    readonly given: readonly GivenObjective[];
    readonly defaults: readonly Omit<TrialObjective, "from">[];
    readonly share: number;
  },
): TrialObjectives {
  for (const { class: name } of given) {
    if (name !== undefined && !classes.includes(name)) {
      throw new RangeError(`--slo names the class ${name}, but the traffic has ${classes.join(", ")}`);
    }
  }
  const forAll = given.filter((each) => each.class === undefined);
  return {
    share,
    classes: classes.map((name) => {
      const own = given.filter((each) => each.class === name);
      const base = defaults.find((each) => each.class === name) ??
        (PATIENT.has(name)
          ? { class: name, ttftMs: null, itlMs: null, itlStat: "mean" as const }
          : { class: name, ...WAITING });
      // For all means all who wait.
      const isPatient = base.ttftMs === null && base.itlMs === null;
      const said = [...isPatient && own.length === 0 ? [] : forAll, ...own];
      return Object.assign({ ...base }, ...said, {
        class: name,
        from: said.length > 0 ? "given" : "default",
      }) as TrialObjective;
    }),
  };
}

/** Whether an answer has kept the objectives of its class. */
export function keptObjectives(record: RequestRecord, { classes }: TrialObjectives): boolean {
  const own = classes.find((each) => each.class === record.class);
  return isGood(record, {
    ttftMs: own?.ttftMs ?? undefined,
    itlMs: own?.itlMs ?? undefined,
    itlStat: own?.itlStat ?? "mean",
  });
}

/** Whether nobody waits for a class. */
export function isPatient({ ttftMs, itlMs }: Pick<TrialObjective, "ttftMs" | "itlMs">): boolean {
  return ttftMs === null && itlMs === null;
}
