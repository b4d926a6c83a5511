//! Which experts a token's feed-forward takes, and how much each of them counts.
//!
//! Of a token's router logits come scores, one for each expert: their softmax (Shazeer et al. 2017; Fedus et al. 2022),
//! their sigmoid (DeepSeek-AI 2024), or the logits themselves. The `used` experts with the largest score + bias are chosen,
//! of equal ones that with the lower index; the bias counts for nothing else. With groups only experts of the `groups_used`
//! best groups are looked at, a group being as good as its two best experts together. A chosen expert's weight is its
//! score, of logits the softmax over the chosen ones; with `normalise` it is divided by the sum of the chosen ones' scores,
//! at least 2⁻¹⁴; then it is multiplied by `scale`.
//!
//! Chosen experts are listed by ascending index, and sums over them go in that order. A token's result depends on its
//! logits alone.

const std = @import("std");
const simd = @import("../isa/simd.zig");
const math = @import("math.zig");
const Job = @import("../system/job.zig").Job;

pub const Scoring = enum(u32) { softmax, sigmoid, logits };

pub const experts_max = 1024;
pub const used_max = 64;
const sum_min: f32 = 0x1p-14;

/// logits: [n, experts]; bias: [experts]; chosen, weights: [n, used]. 0 < used ≤ experts; `groups` divides `experts`, and the
/// `groups_used` of them have `used` experts at least.
pub const Args = extern struct {
    logits: [*]const f32,
    bias: ?[*]const f32,
    chosen: [*]u32,
    weights: [*]f32,
    n: u32,
    experts: u32,
    used: u32,
    groups: u32,
    groups_used: u32,
    scoring: Scoring,
    normalise: u32,
    scale: f32,

    fn logitsOf(args: *const Args, token: usize) []const f32 {
        return args.logits[token * args.experts ..][0..args.experts];
    }

    fn chosenOf(args: *const Args, token: usize) []u32 {
        return args.chosen[token * args.used ..][0..args.used];
    }

    fn weightsOf(args: *const Args, token: usize) []f32 {
        return args.weights[token * args.used ..][0..args.used];
    }
};

/// Tokens that a member claims at once: some microseconds of work.
const claim_tokens = 8;

pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    std.debug.assert(args.experts <= experts_max and args.used <= @min(used_max, args.experts));
    while (job.claim(args.n, claim_tokens)) |tokens| {
        for (tokens.first..tokens.end) |token| route(args, token);
    }
}

fn route(args: *const Args, token: usize) void {
    var scores: [experts_max]f32 align(64) = undefined;
    fillScores(args.scoring, args.logitsOf(token), &scores);
    var keys: [experts_max]f32 = undefined;
    for (keys[0..args.experts], scores[0..args.experts], 0..) |*value, score, i| value.* = if (args.bias) |bias| score + bias[i] else score;
    if (args.groups > 1) leaveGroups(args, keys[0..args.experts]);
    const chosen = args.chosenOf(token);
    largest(keys[0..args.experts], chosen);
    std.mem.sort(u32, chosen, {}, std.sort.asc(u32));
    weigh(args, &scores, chosen, args.weightsOf(token));
}

fn fillScores(scoring: Scoring, logits: []const f32, scores: *align(64) [experts_max]f32) void {
    const vectors = (logits.len + simd.lanes - 1) / simd.lanes;
    var top = simd.splat(-std.math.inf(f32));
    for (0..vectors) |v| {
        const at = v * simd.lanes;
        const count = @min(simd.lanes, logits.len - at);
        var values: [simd.lanes]f32 = @splat(-std.math.inf(f32));
        @memcpy(values[0..count], logits[at..][0..count]);
        top = simd.max(@as(simd.F32x16, values), top);
        simd.store(scores[at..].ptr, if (scoring == .sigmoid) math.sigmoid(@as(simd.F32x16, values)) else values);
    }
    if (scoring != .softmax) return;
    const max = simd.splat(simd.reduceMax(top));
    var sums = simd.splat(0);
    for (0..vectors) |v| {
        const p = math.exp(simd.load(scores[v * simd.lanes ..].ptr) - max);
        simd.store(scores[v * simd.lanes ..].ptr, p);
        sums += p;
    }
    const sum = simd.splat(simd.reduceAdd(sums));
    for (0..vectors) |v| simd.store(scores[v * simd.lanes ..].ptr, simd.load(scores[v * simd.lanes ..].ptr) / sum);
}

/// Indices of the largest keys, descending; of equal ones the lower index comes first. A NaN is never larger.
fn largest(keys: []const f32, best: []u32) void {
    std.debug.assert(best.len > 0 and best.len <= keys.len);
    var count: usize = 0;
    for (keys, 0..) |key, i| {
        if (count == best.len and !(key > keys[best[count - 1]])) continue;
        if (count < best.len) count += 1;
        var at = count - 1;
        while (at > 0 and key > keys[best[at - 1]]) : (at -= 1) best[at] = best[at - 1];
        best[at] = @intCast(i);
    }
}

/// Makes the keys of all groups but the best ones −inf.
fn leaveGroups(args: *const Args, keys: []f32) void {
    const len = args.experts / args.groups;
    var values: [experts_max]f32 = undefined;
    for (values[0..args.groups], 0..) |*value, g| {
        var two: [2]u32 = undefined;
        const group = keys[g * len ..][0..len];
        largest(group, two[0..@min(2, len)]);
        value.* = group[two[0]] + if (len > 1) group[two[1]] else 0;
    }
    var best: [experts_max]u32 = undefined;
    largest(values[0..args.groups], best[0..args.groups_used]);
    var kept: [experts_max]bool = @splat(false);
    for (best[0..args.groups_used]) |group| kept[group] = true;
    for (0..args.groups) |g| if (!kept[g]) @memset(keys[g * len ..][0..len], -std.math.inf(f32));
}

fn weigh(args: *const Args, scores: *const [experts_max]f32, chosen: []const u32, weights: []f32) void {
    for (weights, chosen) |*weight, expert| weight.* = scores[expert];
    if (args.scoring == .logits) {
        var max = weights[0];
        for (weights[1..]) |weight| max = simd.max(weight, max);
        for (weights) |*weight| weight.* = math.exp(weight.* - max);
    }
    var sum: f32 = 0;
    for (weights) |weight| sum += weight;
    if (args.scoring == .logits) {
        for (weights) |*weight| weight.* /= sum;
    } else if (args.normalise == 1) {
        const divisor = if (sum < sum_min) sum_min else sum;
        for (weights) |*weight| weight.* /= divisor;
    }
    for (weights) |*weight| weight.* *= args.scale;
}

/// The rule above, a token at a time, in f64, with the choice by going through all experts `used` times.
pub fn reference(args: *const Args) void {
    for (0..args.n) |token| referenceToken(args, token);
}

fn referenceToken(args: *const Args, token: usize) void {
    const logits = args.logitsOf(token);
    var scores: [experts_max]f64 = undefined;
    var top: f64 = -std.math.inf(f64);
    for (logits) |logit| top = @max(top, logit);
    var total: f64 = 0;
    for (logits) |logit| total += @exp(logit - top);
    for (scores[0..logits.len], logits) |*score, logit| score.* = switch (args.scoring) {
        .softmax => @exp(logit - top) / total,
        .sigmoid => 1.0 / (1.0 + @exp(-@as(f64, logit))),
        .logits => logit,
    };
    var open: [experts_max]bool = @splat(true);
    referenceGroups(args, &scores, &open);
    const chosen = args.chosenOf(token);
    for (chosen) |*place| {
        place.* = args.experts;
        for (0..args.experts) |i| {
            if (open[i] and (place.* == args.experts or keyOf(args, &scores, i) > keyOf(args, &scores, place.*))) place.* = @intCast(i);
        }
        open[place.*] = false;
    }
    std.mem.sort(u32, chosen, {}, std.sort.asc(u32));
    var sum: f64 = 0;
    for (chosen) |expert| sum += if (args.scoring == .logits) @exp(scores[expert] - top) else scores[expert];
    for (args.weightsOf(token), chosen) |*weight, expert| {
        const share = if (args.scoring == .logits) @exp(scores[expert] - top) / sum else scores[expert];
        const isDivided = args.scoring != .logits and args.normalise == 1;
        weight.* = @floatCast(share / (if (isDivided) @max(sum, sum_min) else 1) * args.scale);
    }
}

fn keyOf(args: *const Args, scores: *const [experts_max]f64, i: usize) f64 {
    return scores[i] + if (args.bias) |bias| @as(f64, bias[i]) else 0;
}

fn referenceGroups(args: *const Args, scores: *const [experts_max]f64, open: *[experts_max]bool) void {
    if (args.groups <= 1) return;
    const len = args.experts / args.groups;
    var values: [experts_max]f64 = undefined;
    for (0..args.groups) |g| {
        var two: [2]f64 = @splat(-std.math.inf(f64));
        for (g * len..(g + 1) * len) |i| {
            const value = keyOf(args, scores, i);
            two[1] = @max(two[1], @min(two[0], value));
            two[0] = @max(two[0], value);
        }
        values[g] = if (len > 1) two[0] + two[1] else two[0];
    }
    @memset(open[0..args.experts], false);
    for (0..args.groups_used) |_| {
        var best: usize = args.groups;
        for (0..args.groups) |g| {
            if (!open[g * len] and (best == args.groups or values[g] > values[best])) best = g;
        }
        @memset(open[best * len ..][0..len], true);
    }
}

const testing = @import("../testing/testing.zig");

/// Results of an op and of its reference, for some shape.
const Case = struct {
    args: Args,
    logits: testing.GuardedBuffer,
    bias: testing.GuardedBuffer,
    chosen: testing.GuardedBuffer,
    weights: testing.GuardedBuffer,

    fn init(rng: *testing.Rng, shape: Args) !Case {
        var case: Case = .{
            .args = shape,
            .logits = try testing.guarded(f32, shape.n * shape.experts),
            .bias = try testing.guarded(f32, shape.experts),
            .chosen = try testing.guarded(u32, shape.n * shape.used),
            .weights = try testing.guarded(f32, shape.n * shape.used),
        };
        rng.fill(case.logits.slice(f32), 3);
        rng.fill(case.bias.slice(f32), 0.5);
        case.args.logits = case.logits.slice(f32).ptr;
        if (rng.between(u32, 0, 1) == 1) case.args.bias = case.bias.slice(f32).ptr;
        case.args.chosen = case.chosen.slice(u32).ptr;
        case.args.weights = case.weights.slice(f32).ptr;
        return case;
    }

    fn deinit(case: *Case) void {
        inline for (.{ "logits", "bias", "chosen", "weights" }) |name| @field(case, name).deinit();
    }
};

fn shapeOf(scoring: Scoring, n: u32, experts: u32, used: u32) Args {
    return .{
        .logits = undefined,
        .bias = null,
        .chosen = undefined,
        .weights = undefined,
        .n = n,
        .experts = experts,
        .used = used,
        .groups = 1,
        .groups_used = 1,
        .scoring = scoring,
        .normalise = 0,
        .scale = 1,
    };
}

test "route chooses and weighs as the reference does, in any number of parts" {
    var rng: testing.Rng = .init(71);
    for (std.enums.values(Scoring)) |scoring| {
        for ([_][4]u32{ .{ 8, 2, 1, 1 }, .{ 5, 5, 1, 1 }, .{ 32, 4, 1, 1 }, .{ 60, 4, 1, 1 }, .{ 128, 8, 8, 4 }, .{ 250, 6, 5, 1 }, .{ 16, 2, 16, 2 } }) |sizes| {
            for ([_]u32{ 1, 19 }) |n| {
                var shape = shapeOf(scoring, n, sizes[0], sizes[1]);
                shape.groups = sizes[2];
                shape.groups_used = sizes[3];
                shape.normalise = rng.between(u32, 0, 1);
                shape.scale = if (rng.between(u32, 0, 1) == 1) 2.5 else 1;
                var case: Case = try .init(&rng, shape);
                defer case.deinit();
                reference(&case.args);
                const chosen = try std.testing.allocator.dupe(u32, case.chosen.slice(u32));
                defer std.testing.allocator.free(chosen);
                const weights = try std.testing.allocator.dupe(f32, case.weights.slice(f32));
                defer std.testing.allocator.free(weights);
                for (1..4) |parts| {
                    @memset(case.chosen.bytes, 0xff);
                    @memset(case.weights.bytes, 0xff);
                    testing.runParts(run, &case.args, @intCast(parts));
                    try std.testing.expectEqualSlices(u32, chosen, case.chosen.slice(u32));
                    try testing.expectClose(weights, case.weights.slice(f32), 1e-7, 1e-5);
                }
            }
        }
    }
}

test "of equal experts route chooses those with the lower index, whatever the bias of others" {
    const logits = [_]f32{ 1, 2, 2, 1, 2, 2 };
    var chosen: [3]u32 = undefined;
    var weights: [3]f32 = undefined;
    var args = shapeOf(.softmax, 1, 6, 3);
    args.logits = &logits;
    args.chosen = &chosen;
    args.weights = &weights;
    args.normalise = 1;
    testing.runParts(run, &args, 1);
    try std.testing.expectEqualSlices(u32, &.{ 1, 2, 4 }, &chosen);
    for (weights) |weight| try std.testing.expectApproxEqAbs(1.0 / 3.0, weight, 1e-6);
    // A bias decides who is chosen and not what they count for.
    const bias = [_]f32{ 9, 0, 0, 9, 0, 0 };
    args.bias = &bias;
    args.scoring = .sigmoid;
    testing.runParts(run, &args, 1);
    try std.testing.expectEqualSlices(u32, &.{ 0, 1, 3 }, &chosen);
    try std.testing.expect(weights[1] > weights[0] and weights[0] == weights[2]);
}

test "logits that are no numbers choose as many experts as others" {
    const logits: [6]f32 = @splat(std.math.nan(f32));
    var chosen: [2]u32 = undefined;
    var weights: [2]f32 = undefined;
    for (std.enums.values(Scoring)) |scoring| {
        var args = shapeOf(scoring, 1, 6, 2);
        args.logits = &logits;
        args.chosen = &chosen;
        args.weights = &weights;
        testing.runParts(run, &args, 1);
        try std.testing.expectEqualSlices(u32, &.{ 0, 1 }, &chosen);
        for (weights) |weight| try std.testing.expect(std.math.isNan(weight));
    }
}
