/** Requests that come again and again, and whether their answers are what they were. @module */

/** What is asked. */
export interface Asked {
  /** Different requests. */
  readonly requests: number;
  /** Tokens of each answer. */
  readonly tokens: number;
}

/** What became of requests. */
export interface Tally {
  readonly sent: number;
  /** Answered, each token with its probability as it should be, none missing, none twice. */
  readonly right: number;
  readonly wrong: number;
  /** Not answered. */
  readonly failed: number;
  /** The longest time between two parts of a stream, in ms. */
  readonly pauseMsMax: number;
  /** What the first of them that was not right said. */
  readonly problem?: string;
}

/** Choices of `/v1/completions`, whole or as a part of a stream. */
interface Choice {
  readonly text: string;
  readonly finish_reason: string | null;
  readonly logprobs: { readonly tokens: string[]; readonly token_logprobs: number[] } | null;
}

/** The answers of all requests, asked so many at a time. Throws an Error where one is not answered. */
export async function askAll(url: string, asked: Asked, streams: number): Promise<string[]> {
  const answers: string[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: streams }, async () => {
    while (next < asked.requests) {
      const i = next++;
      answers[i] = await ask(url, asked, i, i % 2 === 0);
    }
  }));
  return answers;
}

/** Asks until a moment of `performance.now()`, and compares. Every second request is a stream. */
export async function askUntil(
  url: string,
  asked: Asked,
  streams: number,
  endMs: number,
  expected: readonly string[],
): Promise<Tally> {
  let sent = 0, right = 0, wrong = 0, failed = 0, pauseMsMax = 0;
  let problem: string | undefined;
  await Promise.all(Array.from({ length: streams }, async () => {
    while (performance.now() < endMs) {
      const number = sent++;
      const i = number % asked.requests;
      try {
        // Whether it is a stream changes nothing of the answer.
        const isStream = Math.floor(number / asked.requests) % 2 === i % 2;
        const answer = await ask(url, asked, i, isStream, (ms) => pauseMsMax = Math.max(pauseMsMax, ms));
        if (answer === expected[i]) right++;
        else {
          wrong++;
          problem ??= `request ${i}: ${answer} instead of ${expected[i]}`;
        }
      } catch (error) {
        failed++;
        problem ??= `request ${i}: ${error}`;
      }
    }
  }));
  return { sent, right, wrong, failed, pauseMsMax: Math.round(pauseMsMax), problem };
}

/** Asks once: everything that belongs to the answer, as a text to compare. */
async function ask(
  url: string,
  { tokens }: Asked,
  i: number,
  isStream: boolean,
  onPause: (ms: number) => void = () => {},
): Promise<string> {
  const body = {
    prompt: `${"Once upon a time there was a number. ".repeat(1 + i % 7)}It was called ${i}, and`,
    ...{ max_tokens: tokens, ignore_eos: true, seed: i, temperature: 0.9, logprobs: 1 },
  };
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(
      isStream ? { ...body, stream: true, stream_options: { include_usage: true } } : body,
    ),
  });
  if (!response.ok) throw new Error(`status ${response.status}: ${await response.text()}`);
  if (!isStream) {
    const { choices, usage } = await response.json();
    return gist(choices, usage.completion_tokens);
  }
  const choices: Choice[] = [];
  let used = 0, isWhole = false;
  for await (const data of eventsOf(response, onPause)) {
    if (data === "[DONE]") {
      isWhole = true;
      continue;
    }
    const event = JSON.parse(data);
    if (event.error !== undefined) throw new Error(JSON.stringify(event.error));
    choices.push(...event.choices ?? []);
    used = event.usage?.completion_tokens ?? used;
  }
  if (!isWhole) throw new Error("the stream was cut off");
  return gist(choices, used);
}

/** Texts of tokens, their log-probabilities to the bit, and how many there were. */
function gist(choices: readonly Choice[], used: number): string {
  return JSON.stringify({
    text: choices.map(({ text }) => text).join(""),
    tokens: choices.flatMap(({ logprobs }) => logprobs?.tokens ?? []),
    logprobs: choices.flatMap(({ logprobs }) => logprobs?.token_logprobs ?? []),
    finish: choices.map(({ finish_reason }) => finish_reason).filter((reason) => reason !== null),
    used,
  });
}

async function* eventsOf(response: Response, onPause: (ms: number) => void): AsyncGenerator<string> {
  let rest = "", at = performance.now();
  for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
    onPause(performance.now() - at);
    at = performance.now();
    const events = (rest + text).split("\n\n");
    rest = events.pop()!;
    for (const event of events) if (event.startsWith("data: ")) yield event.slice("data: ".length);
  }
}
