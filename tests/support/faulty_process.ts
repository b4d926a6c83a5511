// An engine's process in which a request of a certain seed ends the process in the middle of its step.
import { runEngineProcess } from "../../src/engine/process.ts";

await runEngineProcess(new URL("./faulty_process_worker.ts", import.meta.url));
