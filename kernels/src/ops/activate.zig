//! y = f(x), f one of `Function`: what a feed-forward without a gate does to its products.

const std = @import("std");
const simd = @import("../isa/simd.zig");
const math = @import("math.zig");
const Job = @import("../system/job.zig").Job;
const activations = @import("../quant/activations.zig");
const epilogue = @import("epilogue.zig");

/// gelu in its form with tanh, gelu_exact with the normal distribution (Hendrycks & Gimpel 2016); relu_squared: max(x, 0)² (So
/// et al. 2021); silu(x) = x / (1 + e⁻ˣ); xielu (Huang & Schlag 2025):
///
///     positive · x² + slope · x                              for x > 0
///     negative · (e^min(x, bound) − 1 − x) + slope · x       else
pub const Function = enum(u32) { gelu, gelu_exact, relu_squared, silu, xielu };

/// xielu's; bound ≤ 0. All are finite.
pub const Parameters = extern struct {
    positive: f32 = 0,
    negative: f32 = 0,
    slope: f32 = 0,
    bound: f32 = 0,
};

/// x: [n, k]; y: [n, k] in the forms that are wanted; as f32 it may alias x.
pub const Args = extern struct {
    x: [*]const f32,
    y: activations.Activation,
    k: u32,
    n: u32,
    function: Function,
    parameters: Parameters = .{},
};

pub fn reference(function: Function, parameters: Parameters, x: []const f32, y: []f32) void {
    for (x, y) |value, *out| out.* = @floatCast(exact(function, parameters, value));
}

fn exact(function: Function, parameters: Parameters, x: f64) f64 {
    return switch (function) {
        .gelu => 0.5 * x * (1.0 + std.math.tanh(@sqrt(2.0 / std.math.pi) * (x + 0.044715 * x * x * x))),
        .gelu_exact => x * normal(x),
        .relu_squared => if (x > 0) x * x else 0,
        .silu => x / (1.0 + @exp(-x)),
        .xielu => xielu: {
            if (x > 0) break :xielu parameters.positive * x * x + parameters.slope * x;
            break :xielu parameters.negative * (std.math.expm1(@min(x, parameters.bound)) - x) + parameters.slope * x;
        },
    };
}

/// The normal distribution: by its series (Marsaglia 2004) below 3, by its continued fraction (Laplace) beyond.
pub fn normal(x: f64) f64 {
    const a = @abs(x);
    const density = @exp(-a * a / 2) / @sqrt(2.0 * std.math.pi);
    var below: f64 = 0;
    if (a < 3) {
        var term: f64 = a;
        var sum: f64 = a;
        var n: f64 = 1;
        while (n < 120) : (n += 1) {
            term *= a * a / (2 * n + 1);
            sum += term;
        }
        below = 0.5 - density * sum;
    } else {
        var fraction: f64 = a;
        var n: f64 = 200;
        while (n > 0) : (n -= 1) fraction = a + n / fraction;
        below = density / fraction;
    }
    return if (x < 0) below else 1 - below;
}

inline fn apply(comptime function: Function, parameters: Parameters, x: simd.F32x16) simd.F32x16 {
    const zero = simd.splat(0);
    return switch (function) {
        .gelu => math.gelu(x),
        .gelu_exact => math.geluExact(x),
        .relu_squared => relu_squared: {
            const positive = @select(f32, x < zero, zero, x);
            break :relu_squared positive * positive;
        },
        .silu => math.silu(x),
        .xielu => xielu: {
            const linear = x * simd.splat(parameters.slope);
            const above = simd.fma(x * x, simd.splat(parameters.positive), linear);
            const bound = simd.splat(parameters.bound);
            const below = math.expm1BelowZero(@select(f32, x > bound, bound, x)) - x;
            break :xielu @select(f32, x > zero, above, simd.fma(below, simd.splat(parameters.negative), linear));
        },
    };
}

pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    const k: usize = args.k;
    const sink: epilogue.Sink = .{ .y = args.y, .k = k };
    var share: epilogue.Share = .init(job, args.n, k);
    while (share.next()) |part| {
        var values: [epilogue.unit]f32 = undefined;
        const x = args.x[part.row * k + part.first ..][0..part.len];
        switch (args.function) {
            inline else => |function| unitOf(function, args.parameters, x, values[0..part.len]),
        }
        sink.put(part.row, part.first, values[0..part.len]);
    }
}

fn unitOf(comptime function: Function, parameters: Parameters, x: []const f32, out: []f32) void {
    var i: usize = 0;
    while (i + simd.lanes <= x.len) : (i += simd.lanes) simd.store(out[i..].ptr, apply(function, parameters, simd.load(x[i..].ptr)));
    if (i == x.len) return;
    const rest = x.len - i;
    simd.storePartial(out[i..].ptr, apply(function, parameters, simd.loadPartial(x[i..].ptr, rest)), rest);
}

const testing = @import("../testing/testing.zig");

test "activate matches the reference for any function, shape, member count and aliasing" {
    for (std.enums.values(Function)) |function| try checkFunction(function);
}

fn checkFunction(function: Function) !void {
    var rng: testing.Rng = .init(26);
    const parameters: Parameters = .{ .positive = 0.8, .negative = 1.3, .slope = 0.5, .bound = -1e-6 };
    for ([_]usize{ 1, 8, 17, 32, 96, 172, 256, 1024, 1376 }) |k| for ([_]usize{ 1, 3 }) |n| for ([_]f32{ 0.01, 8 }) |scale| {
        var x = try testing.guarded(f32, n * k);
        defer x.deinit();
        rng.fill(x.slice(f32), scale);
        const expected = try std.testing.allocator.alloc(f32, 2 * n * k);
        defer std.testing.allocator.free(expected);
        const first = expected[n * k ..];
        reference(function, parameters, x.slice(f32), expected[0 .. n * k]);
        for (1..4) |parts| {
            var sinks: epilogue.TestSinks = try .init(n, k);
            defer sinks.deinit();
            var args: Args = .{
                .x = x.slice(f32).ptr,
                .y = sinks.activation(),
                .k = @intCast(k),
                .n = @intCast(n),
                .function = function,
                .parameters = parameters,
            };
            testing.runParts(run, &args, @intCast(parts));
            // Below 0 the two halves of xielu cancel.
            try testing.expectClose(expected[0 .. n * k], sinks.y.slice(f32), if (function == .xielu) 1e-6 else 1e-8, 1e-6);
            try sinks.check();
            if (parts == 1) @memcpy(first, sinks.y.slice(f32));
            try testing.expectBitwise(first, sinks.y.slice(f32));
            if (parts < 3) continue;
            args.y = .{ .f32 = x.slice(f32).ptr };
            testing.runParts(run, &args, 3);
            try testing.expectBitwise(first, x.slice(f32));
        }
    };
}
