// The Web Worker that compiles grammars: whatever a schema costs, nobody else waits for it.
import { compileGrammar, GrammarError, type GrammarSource } from "./mod.ts";
import type { FromCompiler } from "./apart.ts";
import { giveWay } from "../ffi/thread.ts";

const scope = self as unknown as {
  postMessage(message: FromCompiler, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<GrammarSource>) => void) | null;
};

// Those who generate have the processor first: a schema may wait some ms, a token should not.
giveWay();

scope.onmessage = ({ data }) => {
  try {
    const words = compileGrammar(data);
    scope.postMessage({ words }, [words.buffer]);
  } catch (error) {
    const tooDeep = error instanceof RangeError; // a stack that a schema's depth has filled
    const known = error instanceof GrammarError || tooDeep;
    const message = tooDeep
      ? "The schema is nested too deep"
      : error instanceof Error
      ? error.message
      : String(error);
    scope.postMessage({ message, known }, []);
  }
};
