//! What linear attention gives, normed and gated: y = x / √(mean(x²) + eps) · w · silu(gate) over each head (Yang, Kautz &
//! Hatamizadeh 2024), or with x · silu(gate) in place of x and no gate behind (Mamba-2: Dao & Gu 2024).

const std = @import("std");
const simd = @import("../isa/simd.zig");
const math = @import("math.zig");
const activations = @import("../quant/activations.zig");
const Job = @import("../system/job.zig").Job;
const epilogue = @import("epilogue.zig");
const rms_norm = @import("rms_norm.zig");

pub const Order = enum(u32) { norm_then_gate, gate_then_norm };

/// Elements of a head at most: it is taken whole.
pub const head_max = 8192;

/// x, gate: [n, k]; w: [k] where `shared` is 0, or [head] for all heads; y: [n, k] in the forms that are wanted, not aliased;
/// k a multiple of `head`.
pub const Args = extern struct {
    x: [*]const f32,
    gate: [*]const f32,
    w: [*]const f32,
    y: activations.Activation,
    k: u32,
    n: u32,
    head: u32,
    shared: u32,
    eps: f32,
    order: Order,
};

/// One head; w: its weights.
pub fn reference(order: Order, x: []const f32, gate: []const f32, w: []const f32, y: []f32, eps: f32) void {
    var sum: f64 = 0;
    for (x, gate) |value, g| {
        const u = if (order == .gate_then_norm) value * silu(g) else value;
        sum += u * u;
    }
    const scale = 1.0 / @sqrt(sum / @as(f64, @floatFromInt(x.len)) + eps);
    for (x, gate, w, y) |value, g, weight, *out| out.* = @floatCast(value * silu(g) * scale * weight);
}

fn silu(x: f64) f64 {
    return x / (1.0 + @exp(-x));
}

/// Members share spans of rows, which are whole heads and whole units of what is handed on.
pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    const span: u32 = if (args.head % epilogue.unit == 0) args.head else if (epilogue.unit % args.head == 0) epilogue.unit else args.k;
    const spans = std.math.divCeil(u32, args.k, span) catch unreachable;
    const together = @max(1, claim_values / span);
    while (job.claim(args.n * spans, together)) |claimed| for (claimed.first..claimed.end) |i| {
        const first = i % spans * span;
        normSpan(args, i / spans, first, @min(first + span, args.k));
    };
}

/// About a microsecond of work.
const claim_values = 1024;

fn normSpan(args: *const Args, row: usize, first: usize, end: usize) void {
    const sink: epilogue.Sink = .{ .y = args.y, .k = args.k };
    var values: [epilogue.unit]f32 = undefined;
    var scale: f32 = 0;
    var at = first;
    while (at < end) {
        const unit = at - at % epilogue.unit;
        const stop = @min(end, unit + epilogue.unit, (at / args.head + 1) * args.head);
        if (at % args.head == 0) scale = scaleOf(args, row * args.k + at);
        const out = values[at - unit .. stop - unit];
        const w = args.w + (if (args.shared == 1) at % args.head else at);
        multiply(args.x[row * args.k + at ..][0..out.len], args.gate + row * args.k + at, out);
        rms_norm.scaleRow(out, w[0..out.len], out, scale);
        at = stop;
        if (at == end or at % epilogue.unit == 0) sink.put(row, unit, values[0 .. at - unit]);
    }
}

/// 1 / √(mean + eps) of the head that begins at `start`.
fn scaleOf(args: *const Args, start: usize) f32 {
    const head = args.x[start..][0..args.head];
    if (args.order == .norm_then_gate) return rms_norm.inverseRms(head, args.eps);
    var gated: [head_max]f32 = undefined;
    multiply(head, args.gate + start, gated[0..head.len]);
    return rms_norm.inverseRms(gated[0..head.len], args.eps);
}

/// out = x · silu(gate).
fn multiply(x: []const f32, gate: [*]const f32, out: []f32) void {
    var i: usize = 0;
    while (i + simd.lanes <= x.len) : (i += simd.lanes) {
        simd.store(out[i..].ptr, simd.load(x[i..].ptr) * math.silu(simd.load(gate + i)));
    }
    if (i == x.len) return;
    const rest = x.len - i;
    simd.storePartial(out[i..].ptr, simd.loadPartial(x[i..].ptr, rest) * math.silu(simd.loadPartial(gate + i, rest)), rest);
}

const testing = @import("../testing/testing.zig");

test "gated_norm is the reference for any heads, order and member count" {
    var rng: testing.Rng = .init(77);
    for ([_][2]u32{ .{ 16, 1 }, .{ 32, 5 }, .{ 96, 6 }, .{ 128, 4 }, .{ 256, 2 }, .{ 640, 2 } }) |size| for (std.enums.values(Order)) |order| for ([_]u32{ 0, 1 }) |shared| {
        const head, const heads = size;
        const k = head * heads;
        const n = 3;
        var x = try testing.guarded(f32, n * k);
        defer x.deinit();
        var gate = try testing.guarded(f32, n * k);
        defer gate.deinit();
        var w = try testing.guarded(f32, if (shared == 1) head else k);
        defer w.deinit();
        for ([_]*testing.GuardedBuffer{ &x, &gate, &w }) |buffer| rng.fill(buffer.slice(f32), 3);
        const expected = try std.testing.allocator.alloc(f32, n * k);
        defer std.testing.allocator.free(expected);
        for (0..n * heads) |i| {
            const at = i * head;
            const weights = w.slice(f32)[if (shared == 1) 0 else at % k..][0..head];
            reference(order, x.slice(f32)[at..][0..head], gate.slice(f32)[at..][0..head], weights, expected[at..][0..head], 1e-5);
        }
        var first: epilogue.TestSinks = try .init(n, k);
        defer first.deinit();
        for (1..4) |parts| {
            var sinks: epilogue.TestSinks = try .init(n, k);
            defer sinks.deinit();
            testing.runParts(run, &Args{
                .x = x.slice(f32).ptr,
                .gate = gate.slice(f32).ptr,
                .w = w.slice(f32).ptr,
                .y = sinks.activation(),
                .k = k,
                .n = n,
                .head = head,
                .shared = shared,
                .eps = 1e-5,
                .order = order,
            }, @intCast(parts));
            try testing.expectClose(expected, sinks.y.slice(f32), 1e-6, 5e-6);
            try sinks.check();
            if (parts == 1) @memcpy(first.y.bytes, sinks.y.bytes);
            try testing.expectBitwise(first.y.slice(f32), sinks.y.slice(f32));
        }
    };
}
