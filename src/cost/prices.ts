/**
 * The file with prices that a company fills in: JSON, in which each figure has the day on which it was so and
 * where it was read. kumi has no price of its own.
 * @module
 */

import * as z from "zod";

/** Version of the file's schema, under its key `kumiPrices`. */
export const PRICES_VERSION = 1;

const date = z.iso.date("is a day as YYYY-MM-DD");
const name = z.string().trim().min(1, "must not be empty");
const currency = z.string().regex(/^[A-Z]{3}$/, "is a code of ISO 4217, such as EUR");

/** A number with its day and its source; `placeholder` marks one that the reader has to replace. */
const figure = (min: number, max = Infinity) =>
  z.strictObject({
    value: z.number().min(min).max(max),
    date,
    source: name,
    placeholder: z.boolean().default(false),
  });

/** An amount of money; `currency` where it is not the file's. */
const money = z.strictObject({
  value: z.number().min(0),
  currency: currency.optional(),
  date,
  source: name,
  placeholder: z.boolean().default(false),
});

/** What a machine can do: as a multiple of the machine of the trial, or as a rate. */
const capacity = z.union([
  z.strictObject({ timesThisMachine: figure(Number.MIN_VALUE) }),
  z.strictObject({ requestsPerSecond: figure(Number.MIN_VALUE) }),
], "is { timesThisMachine } or { requestsPerSecond }, each a figure above 0");

const named = {
  id: z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "is made of small letters, digits and hyphens"),
  name,
  /** Model name of the endpoint given to `--against`, if this is what it is. */
  alternative: name.optional(),
};
const staffHoursPerMonth = figure(0);

const own = z.strictObject({
  kind: z.literal("own"),
  ...named,
  /** Left out: this is the machine of the trial. */
  capacity: capacity.optional(),
  price: money,
  lifeYears: figure(0.1),
  residualShare: figure(0, 1).optional(),
  interestPerYear: figure(0, 1).optional(),
  maintenancePerYear: figure(0, 1).optional(),
  /**
   * Watts at the wall socket, or by how much the trial's must be multiplied, whose counters see processors and
   * memory alone. Left out: the trial's, where a meter at the socket measured them.
   */
  power: z.union([
    z.strictObject({ idleWatts: figure(0), busyWatts: figure(0) }),
    z.strictObject({ timesTrial: figure(Number.MIN_VALUE) }),
  ], "is { idleWatts, busyWatts } or { timesTrial }").optional(),
  rackUnits: figure(0),
  staffHoursPerMonth,
});

const rented = z.strictObject({
  kind: z.enum(["cloud-cpu", "rented-gpu"]),
  ...named,
  capacity: capacity.optional(),
  pricePerHour: money,
  hoursPerMonth: figure(0, 744).optional(),
  extrasPerMonth: money.optional(),
  staffHoursPerMonth,
});

const api = z.strictObject({
  kind: z.literal("api"),
  ...named,
  inputPerMillion: money,
  /** Left out: as other input. */
  cachedInputPerMillion: money.optional(),
  outputPerMillion: money,
  fixedPerMonth: money.optional(),
});

const pricesFile = z.strictObject({
  kumiPrices: z.literal(PRICES_VERSION, `is ${PRICES_VERSION}, the version that this kumi reads`),
  currency,
  date,
  /** By currency: what one unit of it is in the file's. */
  exchange: z.record(currency, figure(Number.MIN_VALUE)).default({}),
  site: z.strictObject({
    powerPricePerKwh: money,
    pue: figure(1, 10),
    rackUnitPerMonth: money,
    staffPerHour: money,
  }),
  /** What the traffic does not tell, or tells of one day alone. */
  volume: z.strictObject({
    requestsPerMonth: figure(Number.MIN_VALUE).optional(),
    peakToMean: figure(1).optional(),
  }).default({}),
  spareMachines: z.int().min(0).max(1000).default(0),
  /** The first is the machine of the trial. */
  options: z.array(z.discriminatedUnion("kind", [own, rented, api], "is own, cloud-cpu, rented-gpu or api"))
    .min(1),
}).superRefine((file, context) => {
  const ids = file.options.map(({ id }) => id);
  ids.forEach((id, i) => {
    if (ids.indexOf(id) < i) {
      context.addIssue({ code: "custom", path: ["options", i, "id"], message: `"${id}" is there twice` });
    }
  });
  for (const { path, code } of currenciesIn(file)) {
    if (code === file.currency || Object.hasOwn(file.exchange, code)) continue;
    const message = `is in ${code}, and exchange has no rate from it to ${file.currency}`;
    context.addIssue({ code: "custom", path, message });
  }
});

/** The amounts of a part of the file that name a currency. */
function* currenciesIn(
  value: unknown,
  path: readonly (string | number)[] = [],
): Iterable<{ path: (string | number)[]; code: string }> {
  if (value === null || typeof value !== "object") return;
  for (const [key, each] of Object.entries(value)) {
    const place = Array.isArray(value) ? Number(key) : key;
    if (key === "currency" && path.length > 0) yield { path: [...path], code: String(each) };
    else yield* currenciesIn(each, [...path, place]);
  }
}

/** A prices file whose schema was checked. */
export type PricesFile = z.output<typeof pricesFile>;
export type PricedOption = PricesFile["options"][number];
export type Figure = z.output<ReturnType<typeof figure>>;
export type Money = z.output<typeof money>;

/** Something is wrong with a prices file; the message names each place. */
export class PricesError extends Error {
  override name = "PricesError";
}

/** Mistakes that are told at once. */
const PROBLEMS_MAX = 10;

/** Checks a prices file. Throws a PricesError that names the places and their values. */
export function parsePrices(text: string): PricesFile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new PricesError(`the prices are no JSON: ${(error as Error).message}`);
  }
  const found = pricesFile.safeParse(json, { reportInput: true });
  if (found.success) return found.data;
  const problems = found.error.issues.slice(0, PROBLEMS_MAX).map((issue) => {
    const isShort = issue.input === null || typeof issue.input !== "object";
    const value = issue.input === undefined || !isShort
      ? ""
      : `, current value is ${JSON.stringify(issue.input)?.slice(0, 80)}`;
    return `${pathText(issue.path)}: ${issue.message}${value}`;
  });
  const more = found.error.issues.length - problems.length;
  if (more > 0) problems.push(`… and ${more} more`);
  throw new PricesError(`the prices cannot be used:\n  ${problems.join("\n  ")}`);
}

/** `options[0].price`, as a programmer would write it. */
export function pathText(path: readonly PropertyKey[]): string {
  const text = path.map((part) => typeof part === "number" ? `[${part}]` : `.${String(part)}`).join("");
  return text.replace(/^\./, "") || "the file";
}
