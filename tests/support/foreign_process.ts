// An engine's process of another version.
import { writeFrame } from "../../src/engine/process_output.ts";
import { cloneFrame, FromProcess } from "../../src/protocol/process_messages.ts";

writeFrame(cloneFrame(FromProcess.hello, { version: "0.0.0-other", clock: Date.now() }));
setInterval(() => {}, 1000);
