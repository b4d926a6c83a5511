/** A mixture of experts, as `kumi_experts` takes it. @module */

import { encodeCall } from "./call.ts";
import { idOf, type Vector, type Weights } from "./objects.ts";
import { type Activation, NONE, type Region } from "./params.ts";
import { ActivationFunction, ExpertScoring, GateFunction, structs } from "./symbols.ts";

/** Which experts a token takes, and how much each of them counts: kernels/src/ops/route.zig has the rule. */
export interface ExpertRouting {
  readonly experts: number;
  /** Experts of a token. */
  readonly used: number;
  /** What becomes of a router's logits; of "logits" the chosen ones' softmax. */
  readonly scoring: keyof typeof ExpertScoring;
  /** Whether the weights of the chosen ones are divided by their sum. */
  readonly normalise: boolean;
  /** Multiplies the weights. */
  readonly scale: number;
  /** Experts are in so many groups, of which the best `groupsUsed` are looked at. */
  readonly groups: number;
  readonly groupsUsed: number;
}

/** A matrix of all experts, one after another, and what is added to its products. */
export interface ExpertMatrices {
  readonly weights: Weights;
  readonly bias?: Vector;
}

/** What an expert does to its gate, or without a gate to its products. */
export type ExpertFunction = keyof typeof GateFunction | PlainFunction;
type PlainFunction = Exclude<keyof typeof ActivationFunction, "xielu">;

/** What a layer's experts are, and the regions in which they work; a row is one token's with one of its experts. */
export interface ExpertsParams {
  readonly routing: ExpertRouting;
  /** Added to scores where experts are chosen: [experts]. */
  readonly choiceBias?: Vector;
  /** [experts · ffn, hidden]; ffn and hidden are multiples of 16. Default: experts have no gate. */
  readonly gate?: ExpertMatrices;
  readonly up: ExpertMatrices;
  /** [experts · hidden, ffn] */
  readonly down: ExpertMatrices;
  /** Of the gate, or of the products where there is none. */
  readonly function: ExpertFunction;
  /** [tokens, hidden], in the forms that gate and up read and perhaps others. */
  readonly x: Activation;
  /** [tokens, experts] f32: the router's. */
  readonly logits: Region;
  /** What a shared expert gives, [tokens, hidden] f32, and its factor before the sigmoid, [tokens] f32; default 1. */
  readonly shared?: { readonly region: Region; readonly gate?: Region };
  /** [tokens, used] u32 and f32: the chosen experts in ascending order, and their weights. */
  readonly chosen: Region;
  readonly weights: Region;
  /** [rows, hidden] in the forms that gate and up read. */
  readonly gathered: Region;
  /** [rows, ffn] f32 each. */
  readonly gateProducts: Region;
  readonly upProducts: Region;
  /** [rows, ffn] */
  readonly gated: Activation;
  /** [rows, hidden] f32; it may begin where `gateProducts` does. */
  readonly products: Region;
  /** [tokens, hidden] f32: what the experts' results are added to. */
  readonly y: Region;
}

/** A call of {@linkcode Kernels.experts}, made once for a layer. */
export class ExpertsCall {
  readonly params: ExpertsParams;
  readonly encoded: Uint8Array<ArrayBuffer>;

  constructor(params: ExpertsParams) {
    this.params = params;
    this.encoded = encode(params);
  }
}

/** The function of a gate. Throws RangeError where gates have no such one. */
export function gateFunction(name: ExpertFunction): keyof typeof GateFunction {
  if (name in GateFunction) return name as keyof typeof GateFunction;
  throw new RangeError(`Experts with a gate have no function ${name}`);
}

/** The function of an expert without a gate. Throws RangeError where those have no such one. */
export function plainFunction(name: ExpertFunction): PlainFunction {
  if (name in ActivationFunction) return name as PlainFunction;
  throw new RangeError(`Experts without a gate have no function ${name}`);
}

function encode(params: ExpertsParams): Uint8Array<ArrayBuffer> {
  const { routing, choiceBias, gate, up, down, x, shared, gated } = params;
  return encodeCall(structs.ExpertsCall, {
    x: x.region,
    xForms: x.forms,
    logits: params.logits,
    choiceBias: idOf(choiceBias),
    experts: routing.experts,
    used: routing.used,
    groups: routing.groups,
    groupsUsed: routing.groupsUsed,
    scoring: ExpertScoring[routing.scoring],
    normalise: routing.normalise ? 1 : 0,
    gate: idOf(gate?.weights),
    gateBias: idOf(gate?.bias),
    up: up.weights.id,
    upBias: idOf(up.bias),
    down: down.weights.id,
    downBias: idOf(down.bias),
    function: gate === undefined
      ? ActivationFunction[plainFunction(params.function)]
      : GateFunction[gateFunction(params.function)],
    shared: shared?.region ?? NONE,
    sharedGate: shared?.gate ?? NONE,
    chosen: params.chosen,
    weights: params.weights,
    gathered: params.gathered,
    gateProducts: params.gateProducts,
    upProducts: params.upProducts,
    gated: gated.region,
    gatedForms: gated.forms,
    products: params.products,
    y: params.y,
  }, { scale: routing.scale });
}
