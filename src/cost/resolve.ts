import type { Capacity, CostInputs, CostOption, Power, SourcedFigure, TokenMix, Volume } from "./inputs.ts";
import { HOURS_PER_MONTH } from "./monthly.ts";
import { type Figure, type Money, type PricedOption, type PricesFile } from "./prices.ts";

/** What a trial tells the cost model. */
export interface Measured {
  readonly mix: TokenMix;
  /** Requests a second that the machine of the trial answered within the objectives. */
  readonly requestsPerSecond: number;
  /** Null where the trial can say nothing of it. */
  readonly power: Power & { readonly isWholeMachine: boolean } | null;
  /** What the traffic says; null where it has no rate of its own. */
  readonly volume: Volume | null;
}

/** Share of the machine's capacity that is reckoned with where nobody knows the volume. */
export const ASSUMED_UTILISATION = 0.3;

/**
 * Puts prices and measurements together: amounts in one currency, capacities as rates. An option for which
 * something is missing is left out with the reason.
 */
export function resolvePrices(file: PricesFile, measured: Measured): CostInputs {
  const sources: SourcedFigure[] = [];
  const plain = (path: string, figure: Figure) => {
    const { value, date, source, placeholder } = figure;
    sources.push({ path, value, currency: null, date, source, placeholder });
    return value;
  };
  const rates = new Map<string, number>();
  const rateOf = (currency: string) => {
    if (currency === file.currency) return 1;
    if (!rates.has(currency)) rates.set(currency, plain(`exchange.${currency}`, file.exchange[currency]));
    return rates.get(currency)!;
  };
  const amount = (path: string, { value, currency = file.currency, date, source, placeholder }: Money) => {
    const rate = rateOf(currency);
    sources.push({ path, value, currency, date, source, placeholder });
    return value * rate;
  };
  const read: Read = { plain, amount };
  const site = {
    powerPricePerKwh: amount("site.powerPricePerKwh", file.site.powerPricePerKwh),
    pue: plain("site.pue", file.site.pue),
    rackUnitPerMonth: amount("site.rackUnitPerMonth", file.site.rackUnitPerMonth),
    staffPerHour: amount("site.staffPerHour", file.site.staffPerHour),
  };
  const options: CostOption[] = [];
  const leftOut: { name: string; reason: string }[] = [];
  file.options.forEach((option, i) => {
    const found = resolveOption(option, `options[${i}]`, read, site, measured);
    if (typeof found === "string") leftOut.push({ name: option.name, reason: found });
    else options.push(found);
  });
  return {
    currency: file.currency,
    date: file.date,
    mix: measured.mix,
    volume: volumeOf(file, measured, plain),
    spareMachines: file.spareMachines,
    options,
    leftOut,
    sources,
  };
}

interface Read {
  readonly plain: (path: string, figure: Figure) => number;
  readonly amount: (path: string, money: Money) => number;
}

interface Site {
  readonly powerPricePerKwh: number;
  readonly pue: number;
  readonly rackUnitPerMonth: number;
  readonly staffPerHour: number;
}

/** The option in numbers, or why it cannot be reckoned. */
function resolveOption(
  option: PricedOption,
  path: string,
  { plain, amount }: Read,
  site: Site,
  measured: Measured,
): CostOption | string {
  const { id, name, alternative } = option;
  const named = { id, name, ...alternative === undefined ? {} : { alternative } };
  if (option.kind === "api") {
    const inputPerMillion = amount(`${path}.inputPerMillion`, option.inputPerMillion);
    return {
      kind: "api",
      ...named,
      inputPerMillion,
      cachedInputPerMillion: option.cachedInputPerMillion === undefined
        ? inputPerMillion
        : amount(`${path}.cachedInputPerMillion`, option.cachedInputPerMillion),
      outputPerMillion: amount(`${path}.outputPerMillion`, option.outputPerMillion),
      fixedPerMonth: option.fixedPerMonth === undefined
        ? 0
        : amount(`${path}.fixedPerMonth`, option.fixedPerMonth),
    };
  }
  if (option.kind === "own") {
    const problem = powerProblem(option.power, measured);
    if (problem !== null) return problem;
  }
  if (!(measured.requestsPerSecond > 0) && !(option.capacity && "requestsPerSecond" in option.capacity)) {
    return "the machine of the trial kept the objectives at no load, so that it has no capacity to reckon with";
  }
  const capacity = capacityOf(option.capacity, `${path}.capacity`, plain, measured);
  const staff = {
    staffHoursPerMonth: plain(`${path}.staffHoursPerMonth`, option.staffHoursPerMonth),
    staffPerHour: site.staffPerHour,
  };
  if (option.kind !== "own") {
    return {
      kind: option.kind,
      ...named,
      capacity,
      ...staff,
      pricePerHour: amount(`${path}.pricePerHour`, option.pricePerHour),
      hoursPerMonth: option.hoursPerMonth === undefined
        ? HOURS_PER_MONTH
        : plain(`${path}.hoursPerMonth`, option.hoursPerMonth),
      extrasPerMonth: option.extrasPerMonth === undefined
        ? 0
        : amount(`${path}.extrasPerMonth`, option.extrasPerMonth),
    };
  }
  const optional = (key: "residualShare" | "interestPerYear" | "maintenancePerYear") =>
    option[key] === undefined ? 0 : plain(`${path}.${key}`, option[key]);
  return {
    kind: "own",
    ...named,
    capacity,
    ...staff,
    price: amount(`${path}.price`, option.price),
    lifeYears: plain(`${path}.lifeYears`, option.lifeYears),
    residualShare: optional("residualShare"),
    interestPerYear: optional("interestPerYear"),
    maintenancePerYear: optional("maintenancePerYear"),
    power: powerOf(option.power, `${path}.power`, plain, measured),
    powerPricePerKwh: site.powerPricePerKwh,
    pue: site.pue,
    rackUnits: plain(`${path}.rackUnits`, option.rackUnits),
    rackUnitPerMonth: site.rackUnitPerMonth,
  };
}

type GivenPower = Extract<PricedOption, { kind: "own" }>["power"];

function powerProblem(given: GivenPower, { power }: Measured): string | null {
  if (given !== undefined && "idleWatts" in given) return null;
  if (power === null) return "the trial knows nothing of the machine's power, and the prices have no watts";
  return given !== undefined || power.isWholeMachine
    ? null
    : "the trial knows the power of processors and memory alone: the prices need `power` with watts or `timesTrial`";
}

function powerOf(given: GivenPower, path: string, plain: Read["plain"], { power }: Measured): Power {
  if (given !== undefined && "idleWatts" in given) {
    return {
      idleWatts: plain(`${path}.idleWatts`, given.idleWatts),
      busyWatts: plain(`${path}.busyWatts`, given.busyWatts),
      basis: "given",
    };
  }
  const { idleWatts, busyWatts, basis } = power!;
  const times = given === undefined ? 1 : plain(`${path}.timesTrial`, given.timesTrial);
  return { idleWatts: idleWatts * times, busyWatts: busyWatts * times, basis };
}

function capacityOf(
  given: Exclude<PricedOption, { kind: "api" }>["capacity"],
  path: string,
  plain: Read["plain"],
  { requestsPerSecond }: Measured,
): Capacity {
  if (given === undefined) return { requestsPerSecond, basis: "measured" };
  if ("requestsPerSecond" in given) {
    return {
      requestsPerSecond: plain(`${path}.requestsPerSecond`, given.requestsPerSecond),
      basis: "assumed",
    };
  }
  const times = plain(`${path}.timesThisMachine`, given.timesThisMachine);
  return { requestsPerSecond: times * requestsPerSecond, basis: "assumed" };
}

/** The file's word counts before the traffic's, which may be of one busy hour; a placeholder's does not. */
function volumeOf({ volume }: PricesFile, measured: Measured, plain: Read["plain"]): Volume {
  const choose = (key: "requestsPerMonth" | "peakToMean") => {
    const [given, traffic] = [volume[key], measured.volume?.[key]];
    if (given === undefined || given.placeholder && traffic !== undefined) {
      return { value: traffic, isGiven: false };
    }
    return { value: plain(`volume.${key}`, given), isGiven: true };
  };
  const requests = choose("requestsPerMonth");
  const assumed = ASSUMED_UTILISATION * measured.requestsPerSecond * HOURS_PER_MONTH * 3600;
  return {
    requestsPerMonth: requests.value ?? assumed,
    peakToMean: choose("peakToMean").value ?? 1,
    basis: requests.isGiven ? "prices" : measured.volume ? "traffic" : "assumed",
  };
}
