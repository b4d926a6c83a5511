import { assertEquals } from "@std/assert";
import { fetchReason, hopelessReason } from "./fetch_reason.ts";

const CONNECT = "error sending request for url (https://hub.example/a): client error (Connect): ";
/** What systems say, and whether a later attempt is hopeless. */
const REASONS: readonly (readonly [text: string, hopeless: string | null])[] = [
  ["dns error: failed to lookup address information: Name or service not known", "there is no such name"],
  [
    "dns error: failed to lookup address information: nodename nor servname provided, or not known",
    "there is no such name",
  ],
  ["dns error: No such host is known. (os error 11001)", "there is no such name"],
  ["dns error: failed to lookup address information: Temporary failure in name resolution", null],
  ["tcp connect error: Connection refused (os error 111)", "connection refused"],
  [
    "tcp connect error: No connection could be made because the target machine actively refused it. (os error 10061)",
    "connection refused",
  ],
  ["tcp connect error: Network is unreachable (os error 101)", null],
  ["tcp connect error: Connection timed out (os error 110)", null],
  ["invalid peer certificate: UnknownIssuer", "its certificate is not accepted"],
];

Deno.test("fetchReason() is the innermost error without the address, hopelessReason() knows what stays", () => {
  for (const [text, hopeless] of REASONS) {
    const error = new TypeError("fetch failed", { cause: new Error(CONNECT + text) });
    assertEquals(fetchReason(error), text);
    assertEquals([text, hopelessReason(text)], [text, hopeless]);
  }
  assertEquals([fetchReason("x"), fetchReason(new Error("y"))], ["x", "y"]);
});

Deno.test("fetchReason() and hopelessReason() know a refused connection", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const failed = (url: string) => fetch(url).then(() => "", fetchReason);
  assertEquals(hopelessReason(await failed(`http://127.0.0.1:${port}/`)), "connection refused");
});
