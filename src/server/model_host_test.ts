import { assertEquals, assertThrows } from "@std/assert";
import { EngineError, RefusedError } from "../protocol/errors.ts";
import type { GenerationOptions } from "../protocol/options/generation.ts";
import type { Model } from "../client/model.ts";
import { ApiError } from "./api_error.ts";
import { ModelHost } from "./model_host.ts";

/** A model whose answer to the canary a test decides. */
class FakeModel {
  isHealthy = true;
  logprob = -1;
  error: Error | null = null;
  asked = 0;
  /** Until the next worker is started. */
  restartInMs?: number;

  stats() {
    return Promise.resolve({ workers: [{ classes: [{ name: "urgent" }, { name: "bulk" }] }] });
  }

  health() {
    const { restartInMs } = this;
    return { ready: this.isHealthy, workers: [{ state: "ready", silentMs: 0, restartInMs }] };
  }

  generate(_prompt: string, options: GenerationOptions) {
    this.asked++;
    options.onTokens?.([1, 2, 3, 4]);
    const logprobs = Array.from({ length: 4 }, () => ({ logprob: this.logprob }));
    return { result: this.error === null ? Promise.resolve({ logprobs }) : Promise.reject(this.error) };
  }
}

async function hostOf(model: FakeModel, canaryMs = 0): Promise<ModelHost> {
  const host = new ModelHost(model as unknown as Model, canaryMs);
  await host.settled;
  return host;
}

/** Until the canary was asked so many times more, and has answered. */
async function asked(model: FakeModel, times: number): Promise<void> {
  const target = model.asked + times;
  while (model.asked < target) await new Promise((resolve) => setTimeout(resolve, 1));
  await new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("ModelHost is ready once the model has answered right, until it drains", async () => {
  const host = new ModelHost(Promise.resolve(new FakeModel() as unknown as Model), 0);
  assertEquals(host.readiness().state, "loading");
  assertEquals(assertThrows(() => host.model, ApiError).code, "loading");
  await host.settled;
  assertEquals(host.readiness(), { ready: true, state: "ready" });
  assertEquals([host.hasClass("bulk"), host.hasClass("other")], [true, false]);
  host.drain();
  assertEquals(host.readiness().state, "draining");
  assertEquals(assertThrows(() => host.model, ApiError).status, 503);
});

Deno.test("ModelHost says when an engine that ends again and again is started next, and takes nothing until then", async () => {
  const model = new FakeModel();
  const host = await hostOf(model);
  model.isHealthy = false;
  assertEquals(host.readiness().reason, "no engine worker is ready");
  // One that is being started may be waited for.
  assertEquals(host.model as unknown, model);
  model.restartInMs = 7800;
  assertEquals(host.readiness().reason, "the engine ends again and again; it is started next in 8 s");
  const error = assertThrows(() => host.model, ApiError);
  assertEquals([error.status, error.code, error.headers["retry-after"]], [503, "engine_restarting", "8"]);
});

Deno.test("ModelHost is not ready where an answer is not right", async () => {
  const wrong = new FakeModel();
  wrong.logprob = NaN;
  assertEquals((await hostOf(wrong)).readiness().state, "unhealthy");
  const gone = new FakeModel();
  gone.error = new EngineError("gone");
  assertEquals((await hostOf(gone)).readiness().ready, false);
  const ill = new FakeModel();
  const host = await hostOf(ill);
  ill.isHealthy = false;
  assertEquals(host.readiness().reason, "no engine worker is ready");
});

Deno.test("ModelHost asks again, and any other answer than the first is wrong", async () => {
  const model = new FakeModel();
  const host = await hostOf(model, 1);
  await asked(model, 2);
  assertEquals(host.readiness().ready, true);
  model.error = new RefusedError("full", "queue-full", 1);
  await asked(model, 2);
  assertEquals(host.readiness().ready, true, "a full queue is no illness");
  model.error = null;
  model.logprob = -1.0000001;
  await asked(model, 2);
  assertEquals(host.readiness().state, "unhealthy");
  model.logprob = -1;
  await asked(model, 2);
  assertEquals(host.readiness().ready, true);
  host.close();
});

Deno.test("ModelHost says that a model could not be loaded", async () => {
  const host = new ModelHost(Promise.reject(new Error("no such file /secret")), 0);
  await host.settled;
  assertEquals(host.readiness(), { ready: false, state: "failed", reason: "the model could not be loaded" });
  assertEquals(assertThrows(() => host.model, ApiError).status, 503);
});
