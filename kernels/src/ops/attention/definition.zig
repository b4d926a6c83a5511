//! What attention is by definition, one element after the other: a plain reference in f64, and the formulas at the top of
//! attention.zig bit for bit.

const std = @import("std");
const activations = @import("../../quant/activations.zig");
const attention = @import("attention.zig");
const arena = @import("../../kv/arena.zig");
const batch = @import("../../kv/batch.zig");
const chunk_tokens = @import("blocks.zig").chunk_tokens;
const elements = @import("../../kv/elements.zig");
const math = @import("../math.zig");
const softCap = @import("../cap_logits.zig").softCap;
const simd = @import("../../isa/simd.zig");

/// softmax(q·K·scale)·V in f64 for one row, reading K and V element by element, with q as it is multiplied.
pub fn reference(args: *const attention.Args, seq: batch.Seq, token: usize, head: usize, out: []f64) void {
    const view = args.view;
    const kv_head = head / (args.heads / view.kv_heads);
    var values: [arena.head_dim_max]f64 = undefined;
    const q = values[0..view.key_dim];
    const given = args.q[((seq.token_first + token) * args.heads + head) * view.key_dim ..][0..view.key_dim];
    for (q, given) |*value, exactly| value.* = exactly;
    if (view.format.hasScales()) {
        const rounded = quantized(given);
        for (q, 0..) |*value, d| value.* = @as(f64, @floatFromInt(rounded.q[d])) * rounded.scales[d / arena.scale_group];
    }
    const count = seq.position_first + token + 1;
    const seen_first = count -| view.window;
    var max = -std.math.inf(f64);
    for (0..2) |pass| {
        var sum: f64 = 0;
        if (pass == 1) @memset(out, 0);
        for (seen_first..count) |position| {
            const slot = slotOf(args, seq, position);
            var score: f64 = 0;
            for (q, 0..) |value, d| score += value * elements.readKey(view, kv_head, slot, d).value();
            score *= args.scale;
            if (args.softcap > 0) score = args.softcap * std.math.tanh(score / args.softcap);
            if (pass == 0) max = @max(max, score);
            if (pass == 0) continue;
            const p = @exp(score - max);
            sum += p;
            for (out, 0..) |*value, d| value.* += p * elements.readValue(view, kv_head, slot, d).value();
        }
        if (pass == 1) {
            if (args.sinks) |sinks| sum += @exp(sinks[head] - max);
            for (out) |*value| value.* /= sum;
        }
    }
}

/// q as int8, for K with scales.
fn quantized(q: []const f32) activations.Group32 {
    var result: activations.Group32 align(64) = undefined;
    activations.quantizeColumn(.per32, q, std.mem.asBytes(&result));
    return result;
}

/// The definition at the top of attention.zig, one element after the other, for one row.
pub fn exact(args: *const attention.Args, seq: batch.Seq, token: usize, head: usize, out: []f32) void {
    const row: Exact = .init(args, seq, token, head);
    const count = seq.position_first + token + 1;
    const is_integer = args.view.format.hasScales();
    var max = -std.math.inf(f32);
    var sum: f32 = 0;
    @memset(out, 0);
    var first: usize = count -| args.view.window;
    while (first < count) : (first = (first / chunk_tokens + 1) * chunk_tokens) {
        const tokens = @min(chunk_tokens - first % chunk_tokens, count - first);
        var buffer: [chunk_tokens]f32 = undefined;
        const weights = buffer[0..tokens];
        var top = -std.math.inf(f32);
        for (weights, first..) |*score, position| {
            score.* = if (is_integer) row.integerScore(position) else row.score(position);
            top = @max(top, score.*);
        }
        var lanes: [16]f32 = @splat(0);
        for (weights, first..) |*weight, position| {
            weight.* = if (is_integer) math.exp2BelowZero(weight.* - top) else math.expBelowZero(weight.* - top);
            lanes[position % 16] += weight.*;
        }
        if (is_integer) top *= std.math.ln2;
        const max_next = @max(max, top);
        const a = math.exp(max - max_next);
        const b = math.exp(top - max_next);
        sum = simd.fma(sum, a, simd.reduceAdd(lanes) * b);
        max = max_next;
        for (out, 0..) |*total, d| {
            const value = if (is_integer) row.integerSum(weights, first, d) else row.weightedSum(weights, first, d);
            total.* = simd.fma(total.*, a, value * b);
        }
    }
    const sinks = args.sinks orelse {
        for (out) |*value| value.* /= sum;
        return;
    };
    const max_last = @max(max, sinks[head]);
    const a = math.exp(max - max_last);
    const whole = simd.fma(sum, a, math.exp(sinks[head] - max_last));
    for (out) |*value| value.* = value.* * a / whole;
}

/// Scores and sums of one row by definition.
const Exact = struct {
    args: *const attention.Args,
    seq: batch.Seq,
    kv_head: usize,
    q: []const f32,

    fn init(args: *const attention.Args, seq: batch.Seq, token: usize, head: usize) Exact {
        const dim = args.view.key_dim;
        return .{
            .args = args,
            .seq = seq,
            .kv_head = head / (args.heads / args.view.kv_heads),
            .q = args.q[((seq.token_first + token) * args.heads + head) * dim ..][0..dim],
        };
    }

    fn key(row: Exact, position: usize, d: usize) elements.Stored {
        return elements.readKey(row.args.view, row.kv_head, slotOf(row.args, row.seq, position), d);
    }

    fn value(row: Exact, position: usize, d: usize) elements.Stored {
        return elements.readValue(row.args.view, row.kv_head, slotOf(row.args, row.seq, position), d);
    }

    fn score(row: Exact, position: usize) f32 {
        var chain: f32 = 0;
        for (row.q, 0..) |each, d| chain = simd.fma(each, row.key(position, d).number, chain);
        chain *= row.args.scale;
        return if (row.args.softcap > 0) softCap(chain, row.args.softcap) else chain;
    }

    fn integerScore(row: Exact, position: usize) f32 {
        const log2e: f32 = std.math.log2e;
        const is_capped = row.args.softcap > 0;
        const factor = if (is_capped) row.args.scale else row.args.scale * log2e;
        const rounded = quantized(row.q);
        var chain: f32 = 0;
        for (0..row.q.len / arena.scale_group) |g| {
            var products: f64 = 0;
            for (g * arena.scale_group..(g + 1) * arena.scale_group) |d| {
                products += @as(f64, @floatFromInt(rounded.q[d])) * row.key(position, d).number;
            }
            const scale = row.key(position, g * arena.scale_group).scale * (rounded.scales[g] * factor);
            chain = simd.fma(@as(f32, @floatCast(products)), scale, chain);
        }
        return if (is_capped) softCap(chain, row.args.softcap) * log2e else chain;
    }

    fn weightedSum(row: Exact, weights: []const f32, first: usize, d: usize) f32 {
        var chain: f32 = 0;
        for (weights, first..) |weight, position| {
            chain = simd.fma(weight, row.value(position, d).number, chain);
        }
        return chain;
    }

    fn integerSum(row: Exact, weights: []const f32, first: usize, d: usize) f32 {
        var largest: f32 = 0;
        for (0..weights.len) |j| largest = @max(largest, row.value(first + j, d).scale);
        const factor = 32639.0 / largest;
        var sum: i64 = 0;
        for (weights, first..) |p, position| {
            const v = row.value(position, d);
            const weight: i64 = @trunc(roundHalfToEven(@as(f64, p) * (v.scale * factor)));
            sum += weight * @as(i64, @trunc(v.number));
        }
        return @as(f32, @floatFromInt(sum)) * (largest / 32639.0);
    }
};

/// x ≥ 0.
fn roundHalfToEven(x: f64) f64 {
    const below = @floor(x);
    const rest = x - below;
    if (rest != 0.5) return if (rest < 0.5) below else below + 1;
    return if (@mod(below, 2) == 0) below else below + 1;
}

fn slotOf(args: *const attention.Args, seq: batch.Seq, position: usize) usize {
    var rest = position - seq.kv_first;
    for (args.extents[seq.extent_first..][0..seq.extent_count]) |extent| {
        if (rest < extent.token_count) return extent.slot_first + rest;
        rest -= extent.token_count;
    }
    unreachable;
}
