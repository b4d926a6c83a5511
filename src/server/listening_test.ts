import { assertEquals, assertThrows } from "@std/assert";
import { listen } from "./listening.ts";

Deno.test("listen() says where it cannot listen, and what to do", () => {
  using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = other.addr;
  const handle = () => new Response();
  for (const gate of [{}, false] as const) {
    const taken = assertThrows(
      () => listen({ hostname: "127.0.0.1", port }, gate, handle),
      Deno.errors.AddrInUse,
    );
    assertEquals(
      taken.message,
      `cannot listen on 127.0.0.1:${port}: another program listens there: end it, or choose another port (--port)`,
    );
    // An address for documentation, which no machine has.
    assertThrows(
      () => listen({ hostname: "2001:db8::1", port: 0 }, gate, handle),
      Error,
      "cannot listen on [2001:db8::1]:0: ",
    );
  }
});
