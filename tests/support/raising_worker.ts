/**
 * A worker that adds to word 0 of the shared memory it is sent, about once in a millisecond, until word 1 is
 * set.
 */
const scope = self as unknown as {
  onmessage: (event: MessageEvent<Int32Array>) => void;
  postMessage(message: string): void;
};

scope.onmessage = ({ data: words }) => {
  while (Atomics.load(words, 1) === 0) {
    Atomics.add(words, 0, 1);
    Atomics.wait(words, 1, 0, 1);
  }
  scope.postMessage("done");
};
