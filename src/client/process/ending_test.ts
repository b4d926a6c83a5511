import { assertEquals } from "@std/assert";
import { judgeEnd } from "./ending.ts";

Deno.test("judgeEnd() accuses for faults, and for nothing that comes from outside", () => {
  const blamed = (signal: string) => judgeEnd({ code: 128, signal }).blame;
  for (const signal of ["SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT"]) {
    assertEquals(blamed(signal), "step", signal);
  }
  for (const signal of ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGPIPE"]) {
    assertEquals(blamed(signal), "nobody", signal);
  }
});

Deno.test("judgeEnd() takes an exit by itself for an error unless it was in order, and knows Windows' faults", () => {
  assertEquals(judgeEnd({ code: 0, signal: null }).blame, "nobody");
  assertEquals(judgeEnd({ code: 101, signal: null }), {
    reason: "its process ended with status 101",
    blame: "step",
  });
  assertEquals(judgeEnd({ code: 0xc0000005 | 0, signal: null }), {
    reason: "its process crashed (0xc0000005)",
    blame: "step",
  });
});
