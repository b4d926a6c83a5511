// A worker that ends itself without a word when it is asked to load.
const scope = self as unknown as { onmessage: () => void; close(): void };
scope.onmessage = () => scope.close();
