import { defaultClass } from "../../scheduler/mod.ts";
import { LIBRARY_CLASSES } from "../protocol/classes.ts";
import type { ChatMessage, ChatTemplate } from "../tokenizer/chat_template.ts";
import { TemplateError } from "../tokenizer/error.ts";
import { thoughtFormatOf } from "../grammar/thoughts/format.ts";
import { kvFormatNames } from "../gguf/kv_format.ts";
import { freeContext } from "../ffi/context.ts";
import { loadModelRunner, type ModelRunner } from "../runner/model_runner.ts";
import { LOGITS_ROWS_DEFAULT } from "../runner/sizes.ts";
import { readGapTokens } from "../tokenizer/gap_tokens.ts";
import { readRerankPrompt } from "../tokenizer/rerank_prompt.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { Constraints } from "./constraints.ts";
import { Engine } from "./engine.ts";
import { wallClock } from "../protocol/clock.ts";
import type { EngineStats } from "../protocol/stats.ts";
import { type KvMemory, KvPool } from "./kv_pool.ts";
import { EngineError, toWireError } from "../protocol/errors.ts";
import { machineReply } from "./machine_reply.ts";
import { stateBytesOf } from "../layers/state_shape.ts";
import { loadNotes, named, readModel } from "../runner/model_file.ts";
import { describeModel, instructionsOf, thoughtsOf, toolCallsOf } from "./model_info.ts";
import {
  CONTROL_STEP_IDS,
  CONTROL_STEP_IDS_MAX,
  CONTROL_WORDS,
  ControlWord,
  type FromEngine,
  type ToEngine,
} from "../protocol/messages.ts";
import { type EngineOptions, wantsPredictor } from "../protocol/engine_options.ts";
import { isEmbedding, type RenderedChat } from "../protocol/request.ts";
import { nodeCrypto } from "../process/node.ts";
import { openDraft } from "./open_draft.ts";
import { openWeights } from "./open_weights.ts";
import { openPrefixStore } from "./prefix_store/open.ts";
import type { GgufFile } from "../gguf/mod.ts";
import { BLOCK_TOKENS } from "../runner/batch.ts";
import { ModelFiles } from "../safetensors/model_hash.ts";

type LoadMessage = Extract<ToEngine, { type: "load" }>;
type WorkMessage = Extract<ToEngine, { type: "work" }>;

interface LoadedParts {
  tokenizer: Tokenizer;
  engine: Engine;
  chatTemplate: Renders;
}

/** A chat template, or what stands for the lack of one. */
type Renders = Pick<ChatTemplate, "encode" | "render">;

/**
 * Turns of the event loop within which a message that was sent arrives. A loop that is never idle looks for
 * what other threads have sent only every few dozen turns; with one turn for each step that would be seconds.
 */
const DELIVERY_TURNS = 128;
/** Ms after which is looked again whether nobody waits for a step. */
const BUSY_MS = 200;

/** What new requests have to expect is worked out no more often than this, in ms. */
const OUTLOOK_MS = 10;

/** Progress messages are sent when this much of the whole has been added. */
const PROGRESS_STEP = 0.005;

/** Hears what is otherwise only in the words that both sides see. Called very often: must not throw, nor take long. */
export interface EngineSigns {
  /** Native code begins to compute for these requests; none: it has ended. */
  step(ids: readonly number[]): void;
  /** A sign of life. */
  beat(): void;
}

/**
 * The engine's side of the messages: loads the model, runs steps while there is work, and answers. It blocks
 * its thread during a step and lets messages in between two steps.
 */
export class EngineHost {
  readonly #post: (message: FromEngine) => void;
  readonly #signs: EngineSigns | null;
  readonly #loadAbort = new AbortController();
  #control: Int32Array = new Int32Array(CONTROL_WORDS);
  #runner: ModelRunner | null = null;
  #draft: ModelRunner | undefined;
  #tokenizer: Tokenizer | null = null;
  #engine: Engine | null = null;
  #chatTemplate: Renders | null = null;
  /** Why which class refused when that was last said. */
  #refusing = "";
  /** When it was last told what new requests have to expect. */
  #toldAt = -Infinity;
  /** Messages so far. */
  #received = 0;
  #looping = false;
  /** Set while the only thing to do is to wait. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #preparing: ReturnType<typeof setTimeout> | undefined;
  #loading = false;
  #closing = false;
  /**
   * Whether the last step was interrupted: then the next one runs to its end, so that aborts cannot starve
   * it.
   */
  #wasInterrupted = false;

  /** `signs`: for a caller's side that shares no memory with this one. */
  constructor(post: (message: FromEngine) => void, signs: EngineSigns | null = null) {
    this.#post = post;
    this.#signs = signs;
  }

  /** Takes one message. Never throws. */
  receive(message: ToEngine): void {
    this.#received++;
    this.#beat();
    switch (message.type) {
      case "load":
        if (message.control !== undefined) this.#control = new Int32Array(message.control);
        void this.#load(message);
        break;
      case "work":
        this.#add(message);
        break;
      case "abort":
        this.#engine?.abort(message.id);
        this.#run();
        break;
      case "refused":
        this.#engine?.noteRefusal(message.class);
        break;
      case "tokenize":
        this.#reply(message.id, ({ tokenizer }) => {
          const { addSpecial, parseSpecial } = message;
          return tokenizer.encode(message.text, { addSpecial, parseSpecial });
        });
        break;
      case "detokenize":
        this.#reply(
          message.id,
          ({ tokenizer }) => tokenizer.decode(message.tokens, { special: message.special }),
        );
        break;
      case "render":
        this.#reply(message.id, ({ chatTemplate }) => {
          // Any other role is refused by the template.
          const messages = message.messages as ChatMessage[];
          const options = { ...message.shape, now: new Date(message.shape.now ?? wallClock()) };
          return {
            text: chatTemplate.render(messages, options),
            tokens: chatTemplate.encode(messages, options),
          };
        });
        break;
      case "machine":
        this.#post(machineReply(message.libraryPath));
        break;
      case "stats":
        this.#reply(message.id, ({ engine }) => engine.stats(message.view));
        break;
      case "ping":
        break;
      case "close":
        this.#close();
        break;
    }
  }

  #add({ id, request, aborted }: WorkMessage): void {
    if (this.#engine === null) {
      const error = toWireError(new EngineError("The model is not loaded"));
      this.#post({ type: "step", events: [{ id, tokens: [], text: "", error }] });
      return;
    }
    if (!isEmbedding(request) && request.receipt === true) nodeCrypto(); // before anything is under way
    // Its grammar, or its prompt, may be what native code dies of.
    this.#noteStep([id]);
    this.#engine.add(id, request);
    if (aborted) this.#engine.abort(id);
    this.#noteStep([]);
    // Whoever asked learns now whether it was taken, and not after a long step.
    this.#postEvents(this.#engine);
    this.#run();
  }

  async #load({ path, options, shareFrom, orphans = [] }: LoadMessage): Promise<void> {
    this.#loading = true;
    try {
      const { signal } = this.#loadAbort;
      const { prefixStore } = options;
      if (prefixStore !== undefined && options.prefixCache === false) {
        throw new RangeError('Option "prefixStore" needs the prefix cache, and "prefixCache" is false');
      }
      const files = prefixStore && await ModelFiles.look(path);
      using opened = await openWeights(path, options, signal);
      const { file, warnings } = opened;
      // Another thread hashes what the model is known by, while this one goes on. Who needs it is told of errors.
      file.digest().catch(() => {});
      const checked = readModel(file, wantsPredictor(options));
      const { tokenizer, chatTemplate, hyperparameters: { layers } } = checked;
      if (prefixStore !== undefined && stateBytesOf(layers) > 0) {
        throw new RangeError(
          'Option "prefixStore": states, which layers of this model keep, cannot be stored',
        );
      }
      const { sequencesMax = 0, logitsRowsMax = Math.max(LOGITS_ROWS_DEFAULT, sequencesMax) } = options;
      const runner = await loadModelRunner(file, {
        ...options,
        checked,
        logitsRowsMax,
        signal,
        shareFrom,
        interrupts: this.#control,
        progress: this.#progress(),
        onContext: (id) => Atomics.store(this.#control, ControlWord.context, id),
      });
      for (const id of orphans) freeContext(id, options.libraryPath);
      this.#runner = runner;
      this.#tokenizer = tokenizer;
      const { draftPath } = options;
      const draft = draftPath === undefined
        ? undefined
        : await openDraft(draftPath, options, { runner, tokenizer }, {
          signal,
          onContext: (id) => Atomics.store(this.#control, ControlWord.draftContext, id),
        });
      this.#draft = draft;
      const allocator = createKvPool(runner, options);
      const { classes = LIBRARY_CLASSES, ageingMs, prefixCache, prefixHashKey, speculation } = options;
      if (prefixHashKey !== undefined) nodeCrypto();
      this.#chatTemplate = chatTemplate instanceof TemplateError
        ? new NoChatTemplate(chatTemplate)
        : chatTemplate;
      const kv = {
        allocator,
        memory: runner.kvArena,
        windows: runner.kvWindows,
        blockTokens: BLOCK_TOKENS,
      };
      const store = files &&
        await openPrefixStore(prefixStore!, files, storeModel(file, runner, options), kv, () => {
          this.#beat();
          signal.throwIfAborted();
        });
      const constraints = new Constraints(runner.kernels, tokenizer);
      const template = chatTemplate instanceof TemplateError ? "" : chatTemplate.source;
      this.#engine = new Engine({
        runner,
        tokenizer,
        chatTemplate: this.#chatTemplate,
        allocator,
        constraints,
        thoughts: thoughtFormatOf(template),
        sequencesMax: options.sequencesMax,
        classes,
        ageingMs,
        prefixCache,
        prefixHashKey,
        speculation: speculation === "off" ? undefined : {},
        draft: draft && { runner: draft, allocator: createKvPool(draft, options) },
        prefixStore: store,
        onRestored: () => this.#restored(),
        onStep: (ids) => this.#noteStep(ids),
      });
      this.#post({
        type: "loaded",
        info: await describeModel(file, runner, {
          defaultClass: defaultClass(classes),
          hasChatTemplate: !(chatTemplate instanceof TemplateError),
          toolCalls: toolCallsOf(template, tokenizer),
          thoughts: thoughtsOf(template, tokenizer),
          bosToken: tokenizer.bos === undefined ? undefined : tokenizer.tokenText(tokenizer.bos),
          eosToken: tokenizer.eos === undefined ? undefined : tokenizer.tokenText(tokenizer.eos),
          gap: readGapTokens(file.metadata, tokenizer),
          rerankPrompt: readRerankPrompt(file.metadata, tokenizer),
          notes: [...warnings, ...loadNotes(file, runner.hyperparameters, runner, options)],
          kvFormat: options.kvFormat ?? kvFormatNames[0],
        }),
        weights: runner.sharedWeights(),
      });
      this.#prepare(constraints);
    } catch (error) {
      this.#post({ type: "failed", error: toWireError(named(path, error)) });
    } finally {
      this.#loading = false;
      if (this.#closing) this.#close();
    }
  }

  /** Readies what grammars need while nobody waits for anything else. At first a while later: whoever loads a model has a request for it. */
  #prepare(constraints: Constraints, ms = BUSY_MS): void {
    this.#preparing = setTimeout(() => {
      const isIdle = this.#engine?.busy === false;
      try {
        if (this.#closing || isIdle && constraints.prepare()) return;
      } catch {
        return; // the first grammar will tell
      }
      this.#prepare(constraints, isIdle ? 0 : BUSY_MS);
    }, ms);
  }

  #progress(): (doneBytes: number, totalBytes: number) => void {
    let shown = 0;
    return (doneBytes, totalBytes) => {
      this.#beat();
      if (doneBytes < totalBytes && doneBytes - shown < totalBytes * PROGRESS_STEP) return;
      shown = doneBytes;
      this.#post({ type: "progress", doneBytes, totalBytes });
    };
  }

  #reply(id: number, answer: (parts: LoadedParts) => number[] | string | RenderedChat | EngineStats): void {
    try {
      const tokenizer = this.#tokenizer, engine = this.#engine, chatTemplate = this.#chatTemplate;
      if (tokenizer === null || engine === null || chatTemplate === null) {
        throw new EngineError("The model is not loaded");
      }
      this.#post({ type: "reply", id, value: answer({ tokenizer, engine, chatTemplate }) });
    } catch (error) {
      this.#post({ type: "reply", id, error: toWireError(error) });
    }
  }

  /** A request was taken, or refused, without a message that came now. */
  #restored(): void {
    if (this.#engine === null || this.#closing) return;
    this.#postEvents(this.#engine);
    this.#run();
  }

  /** Runs steps until there is nothing left to do, one turn of the event loop for each. */
  #run(): void {
    clearTimeout(this.#timer);
    if (this.#looping) return;
    this.#looping = true;
    this.#schedule(0);
  }

  /** Runs the next step, once the messages that were sent have arrived. */
  #schedule(turns: number): void {
    setImmediate(() => {
      const underWay = Atomics.load(this.#control, ControlWord.posted) - this.#received | 0;
      if (underWay > 0 && turns < DELIVERY_TURNS) this.#schedule(turns + 1);
      else this.#turn();
    });
  }

  #turn(): void {
    this.#looping = false;
    const engine = this.#engine;
    if (engine === null || this.#closing) return;
    const waitMs = this.#step(engine);
    if (!engine.busy) return;
    if (waitMs === 0) {
      this.#looping = true;
      this.#schedule(0);
    } else if (waitMs !== undefined) {
      this.#timer = setTimeout(() => this.#run(), waitMs);
    }
  }

  /** Computes a step. Returns ms until there may be another, undefined where only a message can bring one. */
  #step(engine: Engine): number | undefined {
    let waitMs: number | undefined = 0;
    try {
      const before = Atomics.load(this.#control, ControlWord.interrupts);
      const mayStop = !this.#wasInterrupted;
      this.#wasInterrupted = false;
      const interrupted = () => {
        this.#beat();
        this.#wasInterrupted = mayStop && Atomics.load(this.#control, ControlWord.interrupts) !== before;
        return this.#wasInterrupted;
      };
      const outcome = engine.step({ interrupted, expected: mayStop ? before : null });
      if (!outcome.hasComputed) waitMs = outcome.waitMs;
    } catch (error) {
      engine.failAll(error);
    }
    this.#postEvents(engine);
    if (!engine.busy) engine.trim();
    this.#beat();
    return waitMs;
  }

  #postEvents(engine: Engine): void {
    const events = engine.takeEvents();
    // Until then what was said last holds, with what was sent since. Who has nothing more to do says so at
    // once.
    if (engine.busy && performance.now() - this.#toldAt < OUTLOOK_MS) {
      if (events.length > 0) this.#post({ type: "step", events });
      return;
    }
    this.#toldAt = performance.now();
    const outlook = engine.outlook();
    const refusing = outlook.map(({ refusal }) => refusal?.reason ?? "").join();
    if (events.length > 0 || refusing !== this.#refusing) this.#post({ type: "step", events, outlook });
    this.#refusing = refusing;
  }

  #noteStep(ids: readonly number[]): void {
    const count = Math.min(ids.length, CONTROL_STEP_IDS_MAX);
    for (let i = 0; i < count; i++) this.#control[CONTROL_STEP_IDS + i] = ids[i];
    Atomics.store(this.#control, ControlWord.stepRequests, count);
    this.#signs?.step(ids);
  }

  #beat(): void {
    Atomics.add(this.#control, ControlWord.heartbeat, 1);
    this.#signs?.beat();
  }

  #close(): void {
    this.#closing = true;
    clearTimeout(this.#preparing);
    clearTimeout(this.#timer);
    this.#loadAbort.abort();
    // A load that is under way ends at its next part and comes back here.
    if (this.#loading) return;
    this.#engine?.close();
    this.#engine = null;
    this.#tokenizer = null;
    this.#runner?.close();
    this.#draft?.close();
    this.#runner = null;
    this.#post({ type: "closed" });
  }
}

/** Stands in for a chat template that is missing or unusable: the model still continues texts. */
class NoChatTemplate {
  readonly #error: TemplateError;

  constructor(error: TemplateError) {
    this.#error = error;
  }

  encode(): never {
    throw this.#error;
  }

  render(): never {
    throw this.#error;
  }
}

/** On what the bytes of the cache depend. */
function storeModel(file: GgufFile, runner: ModelRunner, { weights, kvFormat }: EngineOptions) {
  const { kvArena, kvWindows, contextLength, kernels: { isa } } = runner;
  return {
    weights,
    kvFormat: kvFormat ?? kvFormatNames[0],
    instructions: instructionsOf(file, isa),
    contextLength,
    blockBytes: kvWindows.map((_, group) => kvArena.blockBytes(group)),
    blockTokens: BLOCK_TOKENS,
  };
}

function createKvPool(runner: ModelRunner, { kv = {} }: EngineOptions): KvPool {
  const giveBackBlocks = kv.giveBackBlocks ?? (kv.prefault === true ? Infinity : undefined);
  return new KvPool(runner.kvBlocks, { giveBackBlocks, memory: memoryOf(runner) });
}

/** The memory of blocks and states. */
function memoryOf({ kvArena, states }: ModelRunner): KvMemory {
  if (states === undefined) return kvArena;
  return {
    giveBack: (slotFirst, slotCount) => kvArena.giveBack(slotFirst, slotCount),
    giveBackState: (slot) => states.giveBack(slot),
    residentBytes: () => {
      const blocks = kvArena.residentBytes(), others = states.residentBytes();
      return blocks === undefined || others === undefined ? undefined : blocks + others;
    },
  };
}
