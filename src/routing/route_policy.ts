/** Where a request goes: here, or to which upstream. @module */

import { type DataLabel, mayGo } from "./data_label.ts";
import { Pace } from "./pace.ts";
import {
  checkRouting,
  HERE,
  type RouteRule,
  ROUTING_DEFAULTS,
  type RoutingRules,
  type UpstreamModel,
} from "./rules.ts";
import { type Reserved, Spending } from "./spending.ts";
import { type SideReason, TrafficSide } from "./traffic_side.ts";
import { type Obstacle, type UpstreamFigures, UpstreamState } from "./upstream_state.ts";

/** A request as far as its place depends on it. */
export interface RouteRequest {
  /** As it names it, or the name of the model that answers those which name none. */
  readonly model: string;
  readonly class: string;
  readonly data: DataLabel;
  /** Tokens of its prompt, about. */
  readonly promptTokens: number;
  /** Most tokens of its answers together, as far as it says. */
  readonly maxTokens?: number;
}

/** What a request would find here. */
export interface HereOutlook {
  /** The model is one of this server's. */
  readonly isServed: boolean;
  /** It takes requests at the moment. */
  readonly isReady?: boolean;
  /** It would refuse this one. */
  readonly refuses?: boolean;
  /** When its first token is to be expected, in ms. Undefined: by what others have waited for. */
  readonly ttftMs?: number;
  /** What its class promises, in ms. */
  readonly ttftSloMs?: number;
}

/**
 * Why a request went where it did. "only-here", "only-there": no other place has its model. "bound": no other place could answer what
 * it asks for, such as a receipt. "rule": it is to go there
 * always. "soon": here is soon enough. "late": its first token would come too late here. "closed": it would be refused
 * here, or the model is not ready. "held": traffic stays where it has moved. "faster", "slower": as first tokens there were.
 * "data", "down", "full", "cap": it would have gone away, but for its label, or upstreams that fail, are busy, or have
 * cost enough. "retry": another place has failed.
 */
export type RouteReason = "only-here" | "only-there" | "bound" | "rule" | "retry" | SideReason | Obstacle;

/** Where to try, the best first; "here" is this server. None: nobody can answer. */
export interface Decision {
  readonly places: readonly string[];
  readonly reason: RouteReason;
}

/** Tokens as they are to be paid. */
interface Tokens {
  readonly promptTokens: number;
  readonly answerTokens: number;
}

/** How a request to an upstream ended. */
export type PassageEnd =
  | { readonly outcome: "answered" } & Tokens
  /** It failed, by itself or after a part of the answer. */
  | { readonly outcome: "failed" } & Partial<Tokens>
  /** It is full, and says when to come again. */
  | { readonly outcome: "busy"; readonly retryAfterMs: number }
  /** The client left, or the request was wrong: that says nothing of the upstream. */
  | { readonly outcome: "dropped" } & Partial<Tokens>;

/** A request that is at an upstream. */
export interface Passage {
  /** Its first token has come. */
  noteFirstToken(now: number): void;
  /** What it has cost. Counts once. */
  end(end: PassageEnd, now: number): number;
}

/** By upstream: how many minutes ago, and how much was spent. */
export type SpentMinutes = Readonly<Record<string, readonly (readonly [ago: number, cost: number])[]>>;

/** So many tokens are answers taken to have that say nothing of it. */
const ANSWER_TOKENS = 256;
/** What an obstacle is worth telling: the operator's own limits before passing trouble. */
const OBSTACLES: readonly Obstacle[] = ["cap", "full", "down", "data"];

/** Decides where requests go, and keeps what that depends on. Pure; `now`: ms of a clock that is not set. */
export class RoutePolicy {
  readonly #rules: RoutingRules;
  readonly #upstreams: readonly UpstreamState[];
  readonly #spending = new Spending();
  readonly #sides = new Map<string, TrafficSide>();
  /** First tokens here, by model and class. */
  readonly #paces = new Map<string, Pace>();

  /** Throws a RangeError for rules that cannot be. */
  constructor(rules: RoutingRules) {
    checkRouting(rules);
    this.#rules = rules;
    this.#upstreams = rules.upstreams.map((each) => new UpstreamState(each));
  }

  /** The models that upstreams have, by the names that requests have for them. */
  get models(): readonly (UpstreamModel & { readonly upstream: string })[] {
    return this.#upstreams.flatMap(({ rules: { name, models } }) =>
      models.map((model) => ({ ...model, upstream: name }))
    );
  }

  /** What an upstream calls a model; undefined where it has none of that name. */
  nameThere(upstream: string, model: string): string | undefined {
    const found = this.#upstreams.find(({ rules }) => rules.name === upstream)?.rules.models
      .find(({ name }) => name === model);
    return found && (found.there ?? found.name);
  }

  /** Where a request is to be tried. */
  decide(request: RouteRequest, here: HereOutlook, now: number): Decision {
    const rule = this.#ruleFor(request);
    const way = rule?.way ?? this.#rules.way ?? ROUTING_DEFAULTS.way;
    const having = this.#upstreams.filter(({ rules }) =>
      rules.models.some(({ name }) => name === request.model) &&
      (rule?.upstreams?.includes(rules.name) ?? true)
    );
    if (!here.isServed) return this.#away(having, request, now, { reason: "only-there", elsewhere: [] });
    if (having.length === 0) return { places: [HERE], reason: "only-here" };
    if (way === "here") return { places: [HERE], reason: "rule" };
    const elsewhere = [HERE];
    if (way === "there") return this.#away(having, request, now, { reason: "rule", elsewhere });
    const usable = this.#usable(having, request, now);
    // Where nobody can take it nothing moves.
    if (usable.length === 0) return { places: elsewhere, reason: this.#obstacle(having, request, now) };
    const ordered = this.#ordered(usable, request, way === "fastest", now);
    const side = this.#sideOf(request);
    const reason = side[way](
      {
        hereMs: here.ttftMs ?? this.#paces.get(trafficOf(request))?.expect(request.promptTokens, now),
        thereMs: ordered[0].pace.expect(request.promptTokens, now),
        isHereClosed: here.isReady === false || here.refuses === true,
      },
      this.#limits(rule, here),
      now,
    );
    const names = ordered.map(({ rules }) => rules.name);
    return { places: side.isAway ? [...names, HERE] : [HERE, ...names], reason };
  }

  /** Whether an upstream takes a request at the moment. */
  takes(name: string, request: RouteRequest, now: number): boolean {
    const upstream = this.#upstreams.find(({ rules }) => rules.name === name);
    return upstream !== undefined && this.#obstacleOf(upstream, request, now) === null;
  }

  /** A request goes to an upstream. */
  begin(name: string, request: RouteRequest, now: number): Passage {
    const upstream = this.#upstreams.find(({ rules }) => rules.name === name);
    if (upstream === undefined) throw new RangeError(`There is no upstream "${name}"`);
    const expected = expectedCost(upstream, request);
    const kept: readonly (readonly [Spending, Reserved])[] = [upstream.spending, this.#spending].map((
      spending,
    ) => [spending, spending.reserve(expected)] as const);
    upstream.running++;
    upstream.breaker.begin(now);
    let isOver = false;
    const beganAt = now;
    return {
      noteFirstToken: (now) => upstream.pace.note(request.promptTokens, now - beganAt, now),
      end: (end, now) => {
        if (isOver) return 0;
        isOver = true;
        upstream.running--;
        this.#tellBreaker(upstream, end, now);
        const { promptTokens = 0, answerTokens = 0 } = end.outcome === "busy" ? {} as Partial<Tokens> : end;
        const cost = upstream.cost(promptTokens, answerTokens);
        for (const [spending, reserved] of kept) spending.settle(reserved, cost, now);
        return cost;
      },
    };
  }

  /** A first token came here, `ttftMs` after its request. */
  noteHere(
    request: Pick<RouteRequest, "model" | "class" | "promptTokens">,
    ttftMs: number,
    now: number,
  ): void {
    const key = trafficOf(request);
    let pace = this.#paces.get(key);
    if (pace === undefined) this.#paces.set(key, pace = new Pace());
    pace.note(request.promptTokens, ttftMs, now);
  }

  /** Whether a look at an upstream's health went well. */
  noteLook(name: string, isWell: boolean): void {
    this.#upstreams.find(({ rules }) => rules.name === name)?.noteLook(isWell);
  }

  /** Ms until one of the upstreams of a model may take requests again, as far as time decides. */
  waitMs(model: string, now: number): number {
    const waits = this.#upstreams.filter(({ rules }) => rules.models.some(({ name }) => name === model))
      .map(({ breaker }) => breaker.waitMs(now));
    return Math.min(...waits, Infinity);
  }

  /** Ms until caps let a request go to one of the upstreams that have its model; Infinity: they never do. */
  capWaitMs(request: RouteRequest, now: number): number {
    const waits = this.#upstreams.filter(({ rules }) =>
      mayGo(request.data, rules.data) && rules.models.some(({ name }) => name === request.model)
    ).map((each) => {
      const cost = expectedCost(each, request);
      return Math.max(
        each.spending.untilAllows(cost, each.rules.caps ?? {}, now),
        this.#spending.untilAllows(cost, this.#rules.caps ?? {}, now),
      );
    });
    return Math.min(...waits, Infinity);
  }

  /** What each upstream has cost in the last day. */
  spentMinutes(now: number): SpentMinutes {
    return Object.fromEntries(
      this.#upstreams.map(({ rules, spending }) => [rules.name, spending.minutes(now)]),
    );
  }

  /** Goes on with what was spent before; also by upstreams that are none any more, as far as all together are capped. */
  restoreSpending(spent: SpentMinutes, now: number): void {
    for (const [name, minutes] of Object.entries(spent)) {
      this.#upstreams.find(({ rules }) => rules.name === name)?.spending.restore(minutes, now);
      this.#spending.restore(minutes, now);
    }
  }

  figures(now: number): UpstreamFigures[] {
    return this.#upstreams.map((each) => each.figures(now));
  }

  #ruleFor(request: RouteRequest): RouteRule | undefined {
    return this.#rules.rules?.find((rule) => {
      const { classes, models, data, promptTokensMin = 0, promptTokensMax = Infinity } = rule;
      return (classes?.includes(request.class) ?? true) && (models?.includes(request.model) ?? true) &&
        (data?.includes(request.data) ?? true) && request.promptTokens >= promptTokensMin &&
        request.promptTokens <= promptTokensMax;
    });
  }

  #away(
    having: readonly UpstreamState[],
    request: RouteRequest,
    now: number,
    { reason, elsewhere }: { reason: RouteReason; elsewhere: readonly string[] },
  ): Decision {
    const usable = this.#usable(having, request, now);
    if (usable.length === 0) return { places: elsewhere, reason: this.#obstacle(having, request, now) };
    const names = this.#ordered(usable, request, false, now).map(({ rules }) => rules.name);
    return { places: [...names, ...elsewhere], reason };
  }

  #usable(having: readonly UpstreamState[], request: RouteRequest, now: number): UpstreamState[] {
    return having.filter((each) => this.#obstacleOf(each, request, now) === null);
  }

  #obstacleOf(upstream: UpstreamState, request: RouteRequest, now: number): Obstacle | null {
    if (!mayGo(request.data, upstream.rules.data)) return "data";
    const cost = expectedCost(upstream, request);
    const obstacle = upstream.obstacle(cost, now);
    if (obstacle !== null) return obstacle;
    return this.#spending.allows(cost, this.#rules.caps ?? {}, now) ? null : "cap";
  }

  /** What keeps a request from all of them, of several things one. */
  #obstacle(having: readonly UpstreamState[], request: RouteRequest, now: number): Obstacle {
    const all = having.map((each) => this.#obstacleOf(each, request, now));
    return OBSTACLES.find((each) => all.includes(each)) ?? "down";
  }

  /** The cheapest first, or the one whose first tokens come soonest. */
  #ordered(
    usable: readonly UpstreamState[],
    request: RouteRequest,
    bySpeed: boolean,
    now: number,
  ): UpstreamState[] {
    const cost = (each: UpstreamState) => expectedCost(each, request);
    const time = (each: UpstreamState) => each.pace.expect(request.promptTokens, now) ?? 0;
    return usable.toSorted((a, b) => {
      const [byCost, byTime] = [cost(a) - cost(b), time(a) - time(b)];
      return bySpeed ? byTime || byCost : byCost || byTime;
    });
  }

  #sideOf(request: RouteRequest): TrafficSide {
    const key = trafficOf(request);
    let side = this.#sides.get(key);
    if (side === undefined) this.#sides.set(key, side = new TrafficSide());
    return side;
  }

  #limits(rule: RouteRule | undefined, { ttftSloMs = Infinity }: HereOutlook) {
    const { margin = ROUTING_DEFAULTS.margin, holdMs = ROUTING_DEFAULTS.holdMs } = this.#rules;
    const waitMs = rule?.waitMs ?? this.#rules.waitMs ?? ROUTING_DEFAULTS.waitShare * ttftSloMs;
    return { waitMs, margin, holdMs };
  }

  #tellBreaker({ breaker }: UpstreamState, end: PassageEnd, now: number): void {
    if (end.outcome === "answered") breaker.succeed();
    else if (end.outcome === "failed") breaker.fail(now);
    else if (end.outcome === "busy") breaker.beBusy(end.retryAfterMs, now);
    else breaker.forget();
  }
}

/** What goes one way: requests of a class for a model. */
function trafficOf({ model, class: name }: Pick<RouteRequest, "model" | "class">): string {
  return JSON.stringify([model, name]);
}

function expectedCost(
  upstream: UpstreamState,
  { promptTokens, maxTokens = ANSWER_TOKENS }: RouteRequest,
): number {
  return upstream.cost(promptTokens, maxTokens);
}
