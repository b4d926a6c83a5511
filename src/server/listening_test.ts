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

Deno.test("cut() lets a server end beside a client that reads nothing", async () => {
  for (const gate of [{}, false] as const) {
    let isCancelled = false;
    const server = listen({ hostname: "127.0.0.1", port: 0 }, gate, () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(1 << 16)),
          cancel: () => void (isCancelled = true),
        }),
      ));
    const client = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
    await client.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    await client.read(new Uint8Array(1));
    const ended = server.shutdown();
    let hasEnded = false;
    void ended.then(() => hasEnded = true);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals(hasEnded, false);
    server.cut();
    await ended;
    // Without a gate the connection ends with its client.
    client.close();
    while (!isCancelled) await new Promise((resolve) => setTimeout(resolve, 5));
  }
});
