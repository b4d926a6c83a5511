//! y = f(gate) · up, f one of `Function` (Shazeer 2020, "GLU variants improve Transformer": SwiGLU, GEGLU, ReGLU), or the
//! clamped SwiGLU of gpt-oss (OpenAI 2025): y = g / (1 + e^(−α·g)) · (u + 1) with g = min(gate, limit) and u = up within
//! ± limit.

const std = @import("std");
const simd = @import("../isa/simd.zig");
const math = @import("math.zig");
const Job = @import("../system/job.zig").Job;
const activations = @import("../quant/activations.zig");
const epilogue = @import("epilogue.zig");

/// What is done to the gate. silu(x) = x / (1 + e⁻ˣ); gelu in its form with tanh (math.zig).
pub const Function = enum(u32) { silu, gelu, clamped, sigmoid, relu };

/// Of the clamped one: no file says other ones.
const clamped_alpha: f32 = 1.702;
const clamped_limit: f32 = 7;

/// gate, up: [n, k]; y: [n, k] in the forms that are wanted; as f32 it may alias gate or up.
pub const Args = extern struct {
    gate: [*]const f32,
    up: [*]const f32,
    y: activations.Activation,
    k: u32,
    n: u32,
    function: Function,
};

pub fn reference(function: Function, gate: []const f32, up: []const f32, y: []f32) void {
    for (gate, up, y) |g, u, *out| {
        const x: f64 = if (function == .clamped) @min(g, clamped_limit) else g;
        const factor: f64 = if (function == .clamped) std.math.clamp(u, -clamped_limit, clamped_limit) + 1.0 else u;
        const exact = switch (function) {
            .clamped => x / (1.0 + @exp(-@as(f64, clamped_alpha) * x)),
            .silu => x / (1.0 + @exp(-x)),
            .sigmoid => 1.0 / (1.0 + @exp(-x)),
            .relu => @max(0, x),
            .gelu => 0.5 * x * (1.0 + std.math.tanh(@sqrt(2.0 / std.math.pi) * (x + 0.044715 * x * x * x))),
        };
        out.* = @floatCast(exact * factor);
    }
}

pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    const k: usize = args.k;
    const sink: epilogue.Sink = .{ .y = args.y, .k = k };
    var share: epilogue.Share = .init(job, args.n, k);
    while (share.next()) |part| {
        const offset = part.row * k + part.first;
        var values: [epilogue.unit]f32 = undefined;
        switch (args.function) {
            inline else => |function| unitOf(function, args.gate[offset..][0..part.len], args.up[offset..][0..part.len], values[0..part.len]),
        }
        sink.put(part.row, part.first, values[0..part.len]);
    }
}

inline fn apply(comptime function: Function, gate: simd.F32x16, up: simd.F32x16) simd.F32x16 {
    return switch (function) {
        .silu => math.silu(gate) * up,
        .gelu => math.gelu(gate) * up,
        .sigmoid => math.sigmoid(gate) * up,
        // Comparisons with NaN are false, so it stays.
        .relu => @select(f32, gate < simd.splat(0), simd.splat(0), gate) * up,
        .clamped => clamped: {
            const limit = simd.splat(clamped_limit);
            // As above.
            const g = @select(f32, gate > limit, limit, gate);
            const below = @select(f32, up > limit, limit, up);
            const u = @select(f32, below < -limit, -limit, below);
            break :clamped g * math.sigmoid(simd.splat(clamped_alpha) * g) * (u + simd.splat(1));
        },
    };
}

fn unitOf(comptime function: Function, gate: []const f32, up: []const f32, out: []f32) void {
    var i: usize = 0;
    while (i + simd.lanes <= gate.len) : (i += simd.lanes) {
        simd.store(out[i..].ptr, apply(function, simd.load(gate[i..].ptr), simd.load(up[i..].ptr)));
    }
    if (i == gate.len) return;
    const rest = gate.len - i;
    const product = apply(function, simd.loadPartial(gate[i..].ptr, rest), simd.loadPartial(up[i..].ptr, rest));
    simd.storePartial(out[i..].ptr, product, rest);
}

const testing = @import("../testing/testing.zig");

test "glu matches the reference for any function, shape, member count and aliasing" {
    for (std.enums.values(Function)) |function| try checkFunction(function);
}

fn checkFunction(function: Function) !void {
    var rng: testing.Rng = .init(22);
    for ([_]usize{ 1, 8, 17, 32, 96, 172, 256, 1024, 1376 }) |k| {
        for ([_]usize{ 1, 3 }) |n| {
            var gate = try testing.guarded(f32, n * k);
            defer gate.deinit();
            var up = try testing.guarded(f32, n * k);
            defer up.deinit();
            rng.fill(gate.slice(f32), 20);
            rng.fill(up.slice(f32), 3);
            const expected = try std.testing.allocator.alloc(f32, 2 * n * k);
            defer std.testing.allocator.free(expected);
            reference(function, gate.slice(f32), up.slice(f32), expected[0 .. n * k]);
            for (1..4) |parts| {
                var sinks: epilogue.TestSinks = try .init(n, k);
                defer sinks.deinit();
                var args: Args = .{
                    .gate = gate.slice(f32).ptr,
                    .up = up.slice(f32).ptr,
                    .y = sinks.activation(),
                    .k = @intCast(k),
                    .n = @intCast(n),
                    .function = function,
                };
                testing.runParts(run, &args, @intCast(parts));
                try testing.expectClose(expected[0 .. n * k], sinks.y.slice(f32), switch (function) {
                    .silu, .sigmoid, .relu => 1e-12,
                    .gelu => 1e-8,
                    .clamped => 1e-6,
                }, 1e-6);
                try sinks.check();
                if (parts == 1) @memcpy(expected[n * k ..], sinks.y.slice(f32));
                try testing.expectBitwise(expected[n * k ..], sinks.y.slice(f32));
                if (parts < 3) continue;
                args.y.f32 = gate.slice(f32).ptr;
                testing.runParts(run, &args, 3);
                try testing.expectBitwise(expected[n * k ..], gate.slice(f32));
            }
        }
    }
}
