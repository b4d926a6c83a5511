/** What `kumi trial` was asked for. @module */

import { resolve } from "node:path";
import { baseUrlOf } from "../../loadtest/target.ts";
import { parseObjectives } from "../../trial/objectives.ts";
import { type EvalQuestion, parseEvalSet } from "../../trial/grade.ts";
import { type LoadLimits, type LoadSource, profileSource, recordedSource } from "../../trial/load_source.ts";
import { objectivesOf } from "../../trial/objectives.ts";
import { PROFILE_NAMES, type ProfileName, PROFILES } from "../../trial/profiles.ts";
import { playTraffic } from "../../traffic/play.ts";
import { readTraffic } from "../../traffic/read.ts";
import { parsePrices, type PricesFile } from "../../cost/mod.ts";
import type { TrialObjectives } from "../../trial/report_data.ts";
import { meterColumns } from "../../energy/meter.ts";
import { readNamed } from "../named_file.ts";
import { type Arguments, choiceOption, numberOption, UsageError } from "../command.ts";

/** The options, checked: what is wrong with one is said before anything is measured. */
export interface TrialWish {
  readonly model: string;
  readonly traffic: { readonly path: string; readonly text: string } | null;
  readonly profile: ProfileName;
  readonly budgetMinutes: number;
  readonly share: number;
  readonly slo: string | null;
  readonly rate: number | null;
  readonly users: number | null;
  readonly seed: number;
  readonly out: string;
  readonly fresh: boolean;
  readonly against: {
    readonly baseUrl: string;
    readonly model: string | null;
    readonly tokensMax: number;
    readonly apiKey: string | undefined;
  } | null;
  readonly evaluation: { readonly path: string; readonly questions: readonly EvalQuestion[] } | null;
  readonly judge: boolean;
  readonly prices: { readonly path: string; readonly file: PricesFile } | null;
  readonly tdpWatts: number | null;
  /** File that a meter writes meanwhile. */
  readonly meter: string | null;
  readonly lang: "en" | "ja";
}

/** Reads the options and the files that they name. Throws a UsageError. */
export async function readTrialWish(args: Arguments): Promise<TrialWish> {
  const number = (name: string, min: number, max: number, integer = false) =>
    numberOption(args, name, { min, max, integer }) ?? null;
  const path = args.values.get("traffic");
  if (path !== undefined && args.values.has("profile")) {
    throw new UsageError("--traffic and --profile exclude each other: a trial has one kind of traffic");
  }
  if (args.values.has("rate") && args.values.has("users")) {
    throw new UsageError("--rate and --users say the same thing in two ways: give one of them");
  }
  const against = args.values.get("against");
  if (args.switches.has("judge") && (against === undefined || !args.values.has("eval"))) {
    throw new UsageError("--judge needs --eval and --against: the other model judges");
  }
  const profile = (choiceOption(args, "profile", PROFILE_NAMES) ?? "chat").toLowerCase() as ProfileName;
  const evalPath = args.values.get("eval");
  const pricesPath = args.values.get("prices");
  return {
    model: args.values.get("model")!,
    traffic: path === undefined ? null : { path, text: await readNamed(path, "traffic") },
    profile,
    budgetMinutes: number("budget-minutes", 0.1, 10_000)!,
    share: number("share", 0.01, 1)!,
    slo: args.values.get("slo") ?? null,
    rate: number("rate", 1e-6, 1e6),
    users: number("users", 1, 1e9),
    seed: number("seed", 0, 2 ** 31, true)!,
    out: resolve(args.values.get("out")!),
    fresh: args.switches.has("fresh"),
    against: against === undefined ? null : {
      baseUrl: usage(() => baseUrlOf(against)),
      model: args.values.get("against-model") ?? null,
      tokensMax: number("against-tokens", 1, 1e12, true)!,
      apiKey: Deno.env.get("KUMI_AGAINST_KEY") || undefined,
    },
    evaluation: evalPath === undefined ? null : {
      path: evalPath,
      questions: await readWith(evalPath, "eval", parseEvalSet),
    },
    judge: args.switches.has("judge"),
    prices: pricesPath === undefined ? null : {
      path: pricesPath,
      file: await readWith(pricesPath, "prices", parsePrices),
    },
    tdpWatts: number("tdp", 1, 100_000),
    meter: await meterOf(args.values.get("meter")),
    lang: (choiceOption(args, "lang", ["en", "ja"]) ?? "en").toLowerCase() as "en" | "ja",
  };
}

/** The path of a meter's file, which must have begun: what is wrong with it is no news after the trial. */
async function meterOf(path: string | undefined): Promise<string | null> {
  if (path !== undefined) await readWith(path, "meter", meterColumns);
  return path ?? null;
}

/** The traffic and its objectives. Throws a UsageError. */
export function trafficOf(
  wish: TrialWish,
  limits: LoadLimits,
): { source: LoadSource; objectives: TrialObjectives } {
  return usage(() => {
    const profile = PROFILES[wish.profile];
    const source = wish.traffic === null ? profileSource(wish.profile, profile, limits) : recordedSource(
      wish.traffic.path.replace(/.*[/\\]/, ""),
      playTraffic(readTraffic(wish.traffic.text), {
        classes: [{ name: "interactive", share: 1 }],
        seed: 1,
      }),
      limits,
    );
    const objectives = objectivesOf(source.classes, {
      given: wish.slo === null ? [] : parseObjectives(wish.slo),
      defaults: wish.traffic === null ? profile.objectives : [],
      share: wish.share,
    });
    return { source, objectives };
  });
}

async function readWith<T>(path: string, option: string, parse: (text: string) => T): Promise<T> {
  const text = await readNamed(path, option);
  try {
    return parse(text);
  } catch (error) {
    throw new UsageError(`${path}: ${(error as Error).message}`);
  }
}

function usage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
