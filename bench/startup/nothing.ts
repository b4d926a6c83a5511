// Nothing: what Deno itself takes to start and end.
export {};
