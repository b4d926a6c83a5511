/** Sentences for the meeting, in English. @module */

/** A number with its noun. */
export const many = (count: string, one: string, more = `${one}s`): string =>
  `${count} ${count === "1" ? one : more}`;

export const sentences = {
  title: "Sentences for the meeting",
  intro: "Each is backed by the figure named behind it.",
  carries: (rate: string, share: string) =>
    `One machine of this kind answers ${rate} requests a second, at least ${share} of them within the waiting times that we asked for.`,
  carriesNothing:
    "One machine of this kind does not keep the waiting times that we asked for at any load that was tried.",
  machines: (peak: string, machines: string, utilisation: string) =>
    `For our peak of ${peak} requests a second we need ${
      many(machines, "machine")
    } of this kind, which would then be ${utilisation} busy.`,
  waits: (half: string, most: string) =>
    `Half of our users would see an answer begin within ${half}, 95 of 100 within ${most}.`,
  alternative: (name: string, theirs: string, ours: string) =>
    `Under the same load ${name} begins half of its answers within ${theirs}, this machine within ${ours}.`,
  quality: (name: string, passed: string, graded: string) =>
    `${name} answered ${passed} of ${graded} questions rightly.`,
  qualityNone: "Whether the answers are good enough for our work has not been tested yet.",
  cost: (requests: string, here: string, ours: string, other: string, theirs: string) =>
    `For ${requests} requests a month, “${here}” costs ${ours} and “${other}” ${theirs} a month.`,
  assumed: (name: string) => ` What “${name}” can do is assumed, not measured.`,
  breakEven: (cheap: string, other: string, first: string, always: string) =>
    first === always
      ? `Below ${first} requests a month “${cheap}” is cheaper, above it “${other}”.`
      : `Below ${first} requests a month “${cheap}” is cheaper, from ${always} on “${other}”; in between it depends on how well the machines are filled.`,
  breakEvenNever: (cheap: string, other: string) => `“${cheap}” is cheaper than “${other}” at every volume.`,
  utilisation: (name: string, low: string, lowCost: string, high: string, highCost: string) =>
    `A million tokens of “${name}” cost ${lowCost} when it is ${low} used and ${highCost} when it is ${high} used: how much we use it decides.`,
  sensitivity: (input: string) => `What moves the cost most is: ${input}.`,
  placeholders: "The prices are examples so far; with our own, the amounts will be others.",
  energy: (watts: string, joules: string) =>
    `Under full load the machine draws ${watts} W, ${joules} joules for each token of an answer.`,
  energyEstimated: (watts: string) =>
    `Power under full load is estimated at about ${watts} W; it was not measured.`,
  growth: (load: string, machines: string) =>
    `With ${load} times the load we would need ${many(machines, "machine")}.`,
  noise: (spread: string) => `Repeated measurements differed by ${spread}; smaller differences mean nothing.`,
};
