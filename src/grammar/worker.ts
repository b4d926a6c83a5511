// The Web Worker that compiles grammars: whatever a schema costs, nobody else waits for it.
import { breakOffAfter, TooLongError } from "./error.ts";
import type { FromCompiler, ToCompiler } from "./lane.ts";
import { compileGrammar, GrammarError } from "./mod.ts";
import { giveWay, standBack } from "../ffi/thread.ts";

const scope = self as unknown as {
  postMessage(message: FromCompiler, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent<ToCompiler>) => void) | null;
};

scope.onmessage = ({ data }) => {
  if ("quickMs" in data) begin(data.quickMs);
  else compile(data);
};

let quickMs: number | null = null;
/** Code that has not run yet takes several times as long. */
let coldness = 4;

/** Those who generate have the processor first: a schema may wait some ms, a token should not. What is long has what they leave. */
function begin(ms: number | null): void {
  quickMs = ms;
  if (ms === null) standBack();
  else giveWay();
}

function compile({ source }: Extract<ToCompiler, { source: unknown }>): void {
  breakOffAfter(quickMs === null ? Infinity : quickMs * coldness);
  coldness = 1;
  try {
    const words = compileGrammar(source);
    scope.postMessage({ words }, [words.buffer]);
  } catch (error) {
    if (error instanceof TooLongError) return scope.postMessage({ isLong: true });
    const tooDeep = error instanceof RangeError; // a stack that a schema's depth has filled
    const known = error instanceof GrammarError || tooDeep;
    const message = tooDeep
      ? "The schema is nested too deep"
      : error instanceof Error
      ? error.message
      : String(error);
    scope.postMessage({ message, known });
  }
}
