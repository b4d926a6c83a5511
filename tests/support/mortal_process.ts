// An engine's process whose thread ends with an error when it is about to report the step whose number it is given.
import { runEngineProcess } from "../../src/engine/process.ts";

await runEngineProcess(new URL(`./mortal_process_worker.ts?steps=${Deno.args[0]}`, import.meta.url));
