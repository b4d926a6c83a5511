import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { assessCost } from "./assess.ts";
import { COST_FORMULAS } from "./formulas.ts";
import { moneyFormat } from "./money.ts";
import { hardwarePerMonth, monthlyCost } from "./monthly.ts";
import { parsePrices, PricesError } from "./prices.ts";
import { ASSUMED_UTILISATION, type Measured, resolvePrices } from "./resolve.ts";
import type { ApiOption, OwnOption, RentedOption } from "./inputs.ts";

const read = (name: string) =>
  Deno.readTextFile(new URL(`../../examples/prices/${name}.json`, import.meta.url));
const EXAMPLE = await read("example");
const IN_YEN = await read("example-jpy");

const measured: Measured = {
  mix: { promptTokens: 700, cachedTokens: 100, answerTokens: 150 },
  requestsPerSecond: 1.5,
  power: { idleWatts: 80, busyWatts: 210, basis: "measured", isWholeMachine: true },
  volume: null,
};

/** The example with changes. */
// deno-lint-ignore no-explicit-any -- a test writes files that are wrong, too
function changed(change: (file: any) => void): string {
  const file = JSON.parse(EXAMPLE);
  change(file);
  return JSON.stringify(file);
}

Deno.test("the example of prices is right, dates each figure, and says which ones stand in for others", () => {
  const inputs = resolvePrices(parsePrices(EXAMPLE), measured);
  assertEquals(inputs.options.map(({ kind }) => kind), ["own", "cloud-cpu", "rented-gpu", "api"]);
  assertEquals(inputs.leftOut, []);
  assertEquals(inputs.sources.length, 21);
  for (const { placeholder, source, date } of inputs.sources) {
    assertEquals(placeholder, source.startsWith("placeholder: "), source);
    assertEquals(/^20\d\d-\d\d-\d\d$/.test(date), true);
  }
  assertEquals(inputs.sources.filter(({ placeholder }) => !placeholder).length, 7);
  assertEquals(inputs.volume, {
    requestsPerMonth: ASSUMED_UTILISATION * 1.5 * 730 * 3600,
    peakToMean: 3,
    basis: "assumed",
  });
  // A placeholder does not overrule the traffic.
  const volume = { requestsPerMonth: 5e5, peakToMean: 1.5, basis: "traffic" } as const;
  assertEquals(resolvePrices(parsePrices(EXAMPLE), { ...measured, volume }).volume, volume);
  const given = changed((file) => file.volume.peakToMean.placeholder = false);
  assertEquals(resolvePrices(parsePrices(given), { ...measured, volume }).volume, {
    ...volume,
    peakToMean: 3,
  });
});

Deno.test("parsePrices() names the place and the value of what is wrong", () => {
  const message = (text: string) => assertThrows(() => parsePrices(text), PricesError).message;
  const of = (change: Parameters<typeof changed>[0]) => message(changed(change));
  assertEquals(message("{").startsWith("the prices are no JSON: "), true);
  assertEquals(
    of((file) => delete file.site.pue.date).includes("site.pue.date:"),
    true,
  );
  const lines = of((file) => {
    file.options[0].price.value = -1;
    file.options[1].pricePerHour.date = "17.6.2026";
    file.options[3].inputPerMillion.source = " ";
    file.options[2].id = "own-cpu";
  });
  assertEquals(/options\[0\]\.price\.value: .*current value is -1/.test(lines), true, lines);
  assertEquals(
    lines.includes('options[1].pricePerHour.date: is a day as YYYY-MM-DD, current value is "17.6.2026"'),
    true,
    lines,
  );
  assertEquals(lines.includes("options[3].inputPerMillion.source: must not be empty"), true, lines);
  assertEquals(
    of((file) => file.options[2].id = "own-cpu").includes('options[2].id: "own-cpu" is there twice'),
    true,
  );
  assertEquals(of((file) => file.options[0].colour = "red").includes("colour"), true);
  assertEquals(of((file) => file.kumiPrices = 2).includes("kumiPrices: is 1"), true);
  assertEquals(of((file) => file.options[0].kind = "magic").includes("options[0].kind"), true);
});

Deno.test("resolvePrices() changes currencies by the file's rates, and refuses one without a rate", () => {
  const yen = changed((file) => {
    file.exchange.JPY = { value: 0.0065, date: "2026-11-30", source: "bank" };
    file.options[0].price = { value: 1_500_000, currency: "JPY", date: "2026-11-30", source: "offer" };
  });
  const inputs = resolvePrices(parsePrices(yen), measured);
  assertAlmostEquals((inputs.options[0] as OwnOption).price, 9750, 1e-9);
  assertEquals(inputs.sources.filter(({ path }) => path === "exchange.JPY").length, 1);
  assertEquals(inputs.sources.find(({ path }) => path === "options[0].price")?.currency, "JPY");
  const franc = changed((file) => file.options[0].price.currency = "CHF");
  assertThrows(
    () => parsePrices(franc),
    PricesError,
    "options[0].price: is in CHF, and exchange has no rate from it to USD",
  );
});

Deno.test("the example in yen is the same in another currency: its dollars are changed", () => {
  const inputs = resolvePrices(parsePrices(IN_YEN), measured);
  const dollars = resolvePrices(parsePrices(EXAMPLE), measured);
  assertEquals(inputs.currency, "JPY");
  assertEquals(inputs.options.map(({ id }) => id), dollars.options.map(({ id }) => id));
  const [, cloud, , api] = inputs.options;
  const [, cloudInDollars, , apiInDollars] = dollars.options;
  assertAlmostEquals(
    (cloud as RentedOption).pricePerHour,
    155 * (cloudInDollars as RentedOption).pricePerHour,
    1e-9,
  );
  assertAlmostEquals(
    (api as ApiOption).outputPerMillion,
    155 * (apiInDollars as ApiOption).outputPerMillion,
    1e-9,
  );
  for (const { placeholder, source } of inputs.sources) {
    assertEquals(placeholder, source.startsWith("placeholder: "));
  }
});

Deno.test("an own machine without watts in the file takes the trial's, where they are of the whole machine", () => {
  const file = parsePrices(changed((file) => delete file.options[0].power));
  const powerOf = (text: string, power: Measured["power"]) =>
    (resolvePrices(parsePrices(text), { ...measured, power }).options[0] as OwnOption).power;
  const watts = { idleWatts: 80, busyWatts: 210, basis: "measured" } as const;
  assertEquals(powerOf(JSON.stringify(file), measured.power), watts);
  const without = resolvePrices(file, { ...measured, power: null });
  assertEquals(without.options.map(({ id }) => id), ["cloud-cpu", "rented-gpu", "api"]);
  assertEquals(without.leftOut.map(({ name }) => name), ["Own server"]);
  // Counters of processors and memory are no socket: the file has to say what the rest of the machine takes.
  const counters = { ...watts, isWholeMachine: false };
  assertEquals(resolvePrices(file, { ...measured, power: counters }).options.length, 3);
  const factor = { timesTrial: { value: 1.5, date: "2026-11-30", source: "a meter, once" } };
  assertEquals(powerOf(changed((file) => file.options[0].power = factor), counters), {
    ...watts,
    idleWatts: 120,
    busyWatts: 315,
  });
});

Deno.test("a machine that keeps the objectives at no load has no cost, a service still has", () => {
  const file = parsePrices(changed((file) => {
    file.volume.requestsPerMonth = { value: 1000, date: "2026-11-30", source: "the log" };
  }));
  const inputs = resolvePrices(file, { ...measured, requestsPerSecond: 0 });
  assertEquals(inputs.options.map(({ id }) => id), ["api"]);
  assertEquals(assessCost(inputs).sensitivity, null);
});

Deno.test("hardwarePerMonth() with interest is the annuity whose payments are worth the price", () => {
  const [own] = resolvePrices(parsePrices(EXAMPLE), measured).options as OwnOption[];
  const option = { ...own, price: 10_000, lifeYears: 3, residualShare: 0.2, interestPerYear: 0.06 };
  const monthly = hardwarePerMonth(option);
  let worth = 0.2 * 10_000 / 1.005 ** 36;
  for (let month = 1; month <= 36; month++) worth += monthly / 1.005 ** month;
  assertAlmostEquals(worth, 10_000, 1e-6);
  // And a rate near nothing gives what none gives.
  const none = hardwarePerMonth({ ...option, interestPerYear: 0 });
  assertAlmostEquals(hardwarePerMonth({ ...option, interestPerYear: 1e-6 }), none, 1e-2);
});

Deno.test("monthlyCost() adds up to its total, for each kind of option", () => {
  const inputs = resolvePrices(parsePrices(EXAMPLE), measured);
  for (const option of inputs.options) {
    for (const requestsPerMonth of [1, 1e5, 1e7, 1e9]) {
      const month = monthlyCost(option, inputs, { ...inputs.volume, requestsPerMonth });
      const { machines: _, total, ...parts } = month;
      const sum = Object.values(parts).reduce((all, part) => all + part, 0);
      assertAlmostEquals(sum, total, 1e-9 * total);
    }
  }
});

Deno.test("assessCost() gives break-evens at which both options cost the same", () => {
  const inputs = resolvePrices(parsePrices(EXAMPLE), measured);
  const { breakEvens, options } = assessCost(inputs);
  assertEquals(breakEvens.length, 6);
  assertEquals(options.map(({ perMillion }) => perMillion.map(({ utilisation }) => utilisation)), [
    [0.1, 0.3, 0.7],
    [0.1, 0.3, 0.7],
    [0.1, 0.3, 0.7],
    [0.1, 0.3, 0.7],
  ]);
  let crossings = 0;
  for (const { cheapAtFirst, other, firstRequests } of breakEvens) {
    if (firstRequests === null) continue;
    const at = (id: string, requestsPerMonth: number) =>
      monthlyCost(inputs.options.find((option) => option.id === id)!, inputs, {
        ...inputs.volume,
        requestsPerMonth,
      }).total;
    const before = firstRequests * (1 - 1e-6);
    const behind = firstRequests * (1 + 1e-6);
    assertEquals(at(cheapAtFirst, before) <= at(other, before), true);
    assertEquals(at(cheapAtFirst, behind) >= at(other, behind), true);
    crossings++;
  }
  assertEquals(crossings > 0, true);
});

Deno.test("assessCost() refuses inputs that mean nothing", () => {
  const inputs = resolvePrices(parsePrices(EXAMPLE), measured);
  const refused = (change: Partial<typeof inputs>, message: string) =>
    assertThrows(() => assessCost({ ...inputs, ...change }), RangeError, message);
  refused({ volume: { ...inputs.volume, requestsPerMonth: 0 } }, "requests a month");
  refused(
    { volume: { ...inputs.volume, peakToMean: 0.5 } },
    "peakToMean must be at least 1, current value is 0.5",
  );
  refused({ mix: { ...inputs.mix, cachedTokens: 701 } }, "cached tokens are part of the prompt's 700");
  refused({ spareMachines: 0.5 }, "spareMachines");
  refused({ options: [...inputs.options, inputs.options[0]] }, 'two options have the id "own-cpu"');
});

Deno.test("moneyFormat() writes amounts as the language and the currency have them", () => {
  const written = (locale: string, currency: string) =>
    [12_345.6, 12.345, 0.123456, 0].map(moneyFormat(locale, currency)).map((text) =>
      text.replaceAll("\u00a0", " ")
    );
  assertEquals(written("en", "USD"), ["$12,346", "$12.35", "$0.123", "$0.00"]);
  assertEquals(written("ja", "JPY"), ["￥12,346", "￥12", "￥0.123", "￥0"]);
  assertEquals(written("de", "EUR"), ["12.346 €", "12,35 €", "0,123 €", "0,00 €"]);
});

Deno.test("docs/cost.md has every formula", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/cost.md", import.meta.url));
  assertEquals(COST_FORMULAS.filter(({ formula }) => !page.includes(formula)), []);
});
