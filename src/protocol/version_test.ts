import { assertEquals } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { VERSION } from "./version.ts";

Deno.test("VERSION is the manifest's", () => assertEquals(VERSION, manifest.version));
