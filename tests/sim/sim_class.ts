import type { LatencyClass } from "../../scheduler/mod.ts";
import type { Client } from "./client.ts";

/** Class and client of a request. */
export interface SimClass {
  readonly client: Client;
  readonly config: LatencyClass;
}
