//! A short causal convolution of each channel over the tokens of a sequence, with what stands around it in layers with a state:
//!
//!     u = before · x
//!     c[t] = f(bias + Σⱼ w[j] · u[t − taps + 1 + j])     one FMA a tap, j ascending; f: SiLU or nothing
//!     y[t] = after · c[t]
//!
//! and, for queries and keys of the delta rule, each head of the first channels divided by its length, √(Σc² + eps), queries
//! multiplied by a scale as well. Inputs before a step's first token are the state: the last taps − 1 of them, oldest first;
//! at position 0 they are zeros. Dauphin et al. 2017 (gates), Poli et al. 2023 and Yang et al. 2024 (short convolutions).

const std = @import("std");
const simd = @import("../isa/simd.zig");
const math = @import("math.zig");
const activations = @import("../quant/activations.zig");
const Seq = @import("../kv/batch.zig").Seq;
const View = @import("../kv/states.zig").View;
const Job = @import("../system/job.zig").Job;
const epilogue = @import("epilogue.zig");

pub const taps_max = 8;
const unit = epilogue.unit;

/// x, and before and after where there are any: [n, stride], of which the first `channels` of a row are read, a multiple of 16;
/// w: [channels, taps], 2 to `taps_max`; bias: [channels] or null; y: [n, channels] in the forms that are wanted, not aliased;
/// the state: [taps − 1, channels]. head: elements of a head, a divisor of 256 and multiple of 16; the first `query_heads` are
/// normed and scaled, `key_heads` behind them normed.
pub const Args = extern struct {
    x: [*]const f32,
    before: ?[*]const f32,
    after: ?[*]const f32,
    w: [*]const f32,
    bias: ?[*]const f32,
    y: activations.Activation,
    seqs: [*]const Seq,
    states: View,
    seq_count: u32,
    channels: u32,
    stride: u32,
    taps: u32,
    silu: u32,
    head: u32,
    query_heads: u32,
    key_heads: u32,
    scale: f32,
    eps: f32,
};

/// y: [n, channels].
pub fn reference(args: *const Args, y: []f32) void {
    const channels: usize = args.channels;
    const kept: usize = args.taps - 1;
    for (args.seqs[0..args.seq_count], 0..) |seq, index| for (0..channels) |c| {
        var inputs: [taps_max]f64 = @splat(0);
        if (seq.position_first > 0) for (inputs[0..kept], 0..) |*input, j| {
            input.* = args.states.before(index)[j * channels + c];
        };
        for (seq.token_first..seq.token_first + seq.token_count) |token| {
            const at = token * args.stride + c;
            inputs[kept] = @as(f32, if (args.before) |factors| factors[at] * args.x[at] else args.x[at]);
            var sum: f64 = if (args.bias) |bias| bias[c] else 0;
            for (inputs[0..args.taps], args.w[c * args.taps ..]) |input, weight| sum += input * weight;
            if (args.silu == 1) sum = sum / (1.0 + @exp(-sum));
            if (args.after) |factors| sum *= factors[at];
            y[token * channels + c] = @floatCast(sum);
            for (0..kept) |j| inputs[j] = inputs[j + 1];
        }
        for (inputs[0..kept], 0..) |input, j| args.states.after(index)[j * channels + c] = @floatCast(input);
    };
    for (args.seqs[0..args.seq_count]) |seq| for (seq.token_first..seq.token_first + seq.token_count) |token| {
        for (0..args.query_heads + args.key_heads) |head| {
            const values = y[token * channels + head * args.head ..][0..args.head];
            var squares: f64 = args.eps;
            for (values) |value| squares += @as(f64, value) * value;
            const factor = @as(f64, if (head < args.query_heads) args.scale else 1) / @sqrt(squares);
            for (values) |*value| value.* = @floatCast(value.* * factor);
        }
    };
}

/// Members share sequences in units of 256 channels, which go through all tokens of the step.
pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    std.debug.assert(args.taps >= 2 and args.taps <= taps_max and args.channels % simd.lanes == 0);
    const units: u32 = std.math.divCeil(u32, args.channels, unit) catch unreachable;
    while (job.claim(args.seq_count * units, 1)) |claimed| {
        const first = @as(usize, claimed.first % units) * unit;
        convolve(args, claimed.first / units, first, @min(unit, args.channels - first));
    }
}

/// Rows of a unit's channels.
const Rows = [taps_max][unit]f32;

fn convolve(args: *const Args, index: usize, first: usize, count: usize) void {
    const seq = args.seqs[index];
    const taps: usize = args.taps;
    const sink: epilogue.Sink = .{ .y = args.y, .k = args.channels };
    // By tap, so that channels are lanes.
    var w: Rows = undefined;
    for (0..count) |c| for (0..taps) |j| {
        w[j][c] = args.w[(first + c) * taps + j];
    };
    // A ring: the row of the token `t` of this step is (t + taps − 1) mod taps.
    var inputs: Rows = undefined;
    for (0..taps - 1) |j| {
        const row = inputs[j][0..count];
        if (seq.position_first == 0) @memset(row, 0) else @memcpy(row, args.states.before(index)[j * args.channels + first ..]);
    }
    for (0..seq.token_count) |t| {
        const token = seq.token_first + t;
        const at = token * args.stride + first;
        takeInput(args, at, inputs[(t + taps - 1) % taps][0..count]);
        var values: [unit]f32 = undefined;
        var i: usize = 0;
        while (i < count) : (i += simd.lanes) {
            var sum = if (args.bias) |bias| simd.load(bias + first + i) else simd.splat(0);
            for (0..taps) |j| sum = simd.fma(simd.load(w[j][i..].ptr), simd.load(inputs[(t + j) % taps][i..].ptr), sum);
            if (args.silu == 1) sum = math.silu(sum);
            if (args.after) |factors| sum *= simd.load(factors + at + i);
            simd.store(values[i..].ptr, sum);
        }
        normHeads(args, first, values[0..count]);
        sink.put(token, first, values[0..count]);
    }
    for (0..taps - 1) |j| {
        @memcpy(args.states.after(index)[j * args.channels + first ..], inputs[(seq.token_count + j) % taps][0..count]);
    }
}

inline fn takeInput(args: *const Args, at: usize, row: []f32) void {
    const factors = args.before orelse return @memcpy(row, args.x[at..]);
    var i: usize = 0;
    while (i < row.len) : (i += simd.lanes) {
        simd.store(row[i..].ptr, simd.load(factors + at + i) * simd.load(args.x + at + i));
    }
}

/// The heads of a unit that are normed: squares summed in 16 lanes by FMA and joined by the fixed tree.
fn normHeads(args: *const Args, first: usize, values: []f32) void {
    const head: usize = args.head;
    const normed = (args.query_heads + args.key_heads) * head;
    var at: usize = 0;
    while (at < values.len and first + at < normed) : (at += head) {
        const part = values[at..][0..head];
        var squares = simd.splat(0);
        var i: usize = 0;
        while (i < head) : (i += simd.lanes) squares = simd.fma(simd.load(part[i..].ptr), simd.load(part[i..].ptr), squares);
        const factor = 1.0 / @sqrt(simd.reduceAdd(squares) + args.eps);
        const scale = if (first + at < args.query_heads * head) factor * args.scale else factor;
        i = 0;
        while (i < head) : (i += simd.lanes) simd.store(part[i..].ptr, simd.load(part[i..].ptr) * simd.splat(scale));
    }
}

const testing = @import("../testing/testing.zig");
const state_steps = @import("state_steps.zig");

const Case = struct { channels: u32, taps: u32, stride: u32, head: u32 = 16, query_heads: u32 = 0, key_heads: u32 = 0, gates: bool = false, bias: bool = false, silu: u32 = 0 };

const cases = [_]Case{
    .{ .channels = 16, .taps = 2, .stride = 16 },
    .{ .channels = 272, .taps = 3, .stride = 3 * 272, .gates = true },
    .{ .channels = 512, .taps = 4, .stride = 530, .silu = 1, .bias = true },
    .{ .channels = 336, .taps = 4, .stride = 336, .silu = 1, .head = 32, .query_heads = 3, .key_heads = 3 },
    .{ .channels = 1040, .taps = 8, .stride = 1040, .silu = 1, .head = 256, .query_heads = 1, .key_heads = 2 },
};

test "short_conv is the reference, whatever steps and members its tokens come in" {
    for (cases, 0..) |case, i| try checkCase(case, i);
}

/// Tensors of a case, for as many tokens as all sequences have.
const World = struct {
    case: Case,
    buffers: [5]testing.GuardedBuffer,

    fn init(case: Case, seed: u64) !World {
        var rng: testing.Rng = .init(300 + seed);
        // The last row has no more than what is read of it.
        const rows = (state_steps.tokens_all - 1) * case.stride + case.channels;
        var world: World = .{ .case = case, .buffers = undefined };
        for (&world.buffers, [_]usize{ rows, rows, rows, case.channels * case.taps, case.channels }) |*buffer, count| {
            buffer.* = try testing.guarded(f32, count);
            rng.fill(buffer.slice(f32), 1);
        }
        return world;
    }

    fn deinit(world: *World) void {
        for (&world.buffers) |*buffer| buffer.deinit();
    }

    fn args(world: *const World, step: state_steps.Step, states: View, y: activations.Activation) Args {
        const case = world.case;
        return .{
            .x = world.buffers[0].slice(f32).ptr,
            .before = if (case.gates) world.buffers[1].slice(f32).ptr else null,
            .after = if (case.gates) world.buffers[2].slice(f32).ptr else null,
            .w = world.buffers[3].slice(f32).ptr,
            .bias = if (case.bias) world.buffers[4].slice(f32).ptr else null,
            .y = y,
            .seqs = step.seqs.ptr,
            .states = states,
            .seq_count = @intCast(step.seqs.len),
            .channels = case.channels,
            .stride = case.stride,
            .taps = case.taps,
            .silu = case.silu,
            .head = case.head,
            .query_heads = case.query_heads,
            .key_heads = case.key_heads,
            .scale = 0.25,
            .eps = 1e-6,
        };
    }
};

fn checkCase(case: Case, seed: u64) !void {
    var world: World = try .init(case, seed);
    defer world.deinit();
    const state_len = (case.taps - 1) * case.channels;
    const expected = try std.testing.allocator.alloc(f32, state_steps.tokens_all * case.channels);
    defer std.testing.allocator.free(expected);
    var exact: state_steps.Run = try .init(state_len);
    defer exact.deinit();
    for (state_steps.manners[0]) |step| reference(&world.args(step, exact.view(step), .{}), expected);
    var first: epilogue.TestSinks = try .init(state_steps.tokens_all, case.channels);
    defer first.deinit();
    for (state_steps.manners, 1..) |steps, parts| {
        var sinks: epilogue.TestSinks = try .init(state_steps.tokens_all, case.channels);
        defer sinks.deinit();
        var ends: state_steps.Run = try .init(state_len);
        defer ends.deinit();
        for (steps) |step| testing.runParts(run, &world.args(step, ends.view(step), sinks.activation()), @intCast(parts));
        try sinks.check();
        try testing.expectClose(expected, sinks.y.slice(f32), 2e-6, 1e-5);
        // What is kept of inputs is what they were.
        try testing.expectBitwise(exact.ends(), ends.ends());
        if (parts == 1) @memcpy(first.y.bytes, sinks.y.bytes);
        try testing.expectBitwise(first.y.slice(f32), sinks.y.slice(f32));
    }
}
