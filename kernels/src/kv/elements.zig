//! How the arena stores elements of K and V: conversion to and from f32.

const std = @import("std");
const simd = @import("../isa/simd.zig");
const arena = @import("arena.zig");
const Format = arena.Format;
const block_tokens = arena.block_tokens;
const group = arena.scale_group;

/// `n` elements that lie side by side as f32, exact; without their scale in formats that have scales.
pub inline fn load(comptime format: Format, comptime n: usize, source: [*]const Format.Element(format)) @Vector(n, f32) {
    const stored: @Vector(n, Format.Element(format)) = source[0..n].*;
    return switch (format) {
        .f32 => stored,
        .f16 => simd.f16ToF32(n, stored),
        .bf16 => simd.bf16ToF32(n, stored),
        .q8_0 => @floatFromInt(@as(@Vector(n, i32), stored)),
    };
}

/// The scales of a block of `dim` dimensions in order [group][16 tokens]; only in formats that have scales.
pub inline fn scalesOf(comptime format: Format, block: [*]const u8, dim: usize) [*]const u16 {
    return @ptrCast(@alignCast(block + scalesOffset(format, dim)));
}

inline fn scalesOffset(comptime format: Format, dim: usize) usize {
    return dim * block_tokens * comptime format.elementBytes();
}

const Side = enum { key, value };

/// Where an element lies in a block: arena.zig has the order.
inline fn indexOf(comptime format: Format, comptime side: Side, token: usize, d: usize, dim: usize) usize {
    const four = arena.dot_group;
    if (comptime format.hasScales()) return switch (side) {
        .key => (d / four * block_tokens + token) * four + d % four,
        .value => (token / four * dim + d) * four + token % four,
    };
    return switch (side) {
        .key => d * block_tokens + token,
        .value => token * dim + d,
    };
}

/// Where the key or the value of one token of one KV head lies.
const Place = struct {
    block: [*]u8,
    /// Its number in the block.
    token: usize,
    /// Dimensions of the key or value.
    dim: usize,

    fn init(view: arena.LayerView, comptime side: Side, kv_head: usize, slot: usize) Place {
        std.debug.assert(slot < view.slots and kv_head < view.kv_heads);
        const base, const dim, const head_bytes, const block_bytes = switch (side) {
            .key => .{ view.k, view.key_dim, view.keyHeadBytes(), view.keyBlockBytes() },
            .value => .{ view.v, view.value_dim, view.valueHeadBytes(), view.valueBlockBytes() },
        };
        const offset = kv_head * head_bytes + slot / block_tokens * block_bytes;
        return .{ .block = base + offset, .token = slot % block_tokens, .dim = dim };
    }
};

/// Stores the K of one token; head: [key_dim].
pub fn writeKey(view: arena.LayerView, kv_head: usize, slot: usize, head: []const f32) void {
    write(view.format, .init(view, .key, kv_head, slot), head, .key);
}

/// Stores the V of one token; head: [value_dim].
pub fn writeValue(view: arena.LayerView, kv_head: usize, slot: usize, head: []const f32) void {
    std.debug.assert(view.values == .own);
    write(view.format, .init(view, .value, kv_head, slot), head, .value);
}

fn write(stored_format: Format, place: Place, head: []const f32, comptime side: Side) void {
    std.debug.assert(head.len == place.dim);
    switch (stored_format) {
        inline else => |format| {
            const target: [*]Format.Element(format) = @ptrCast(@alignCast(place.block));
            if (comptime format.hasScales()) {
                const scales: [*]u16 = @ptrCast(@alignCast(place.block + scalesOffset(format, head.len)));
                for (0..head.len / group) |g| {
                    const stored = quantize(head[g * group ..][0..group]);
                    scales[g * block_tokens + place.token] = stored.scale;
                    for (stored.values, g * group..) |value, d| target[indexOf(format, side, place.token, d, head.len)] = value;
                }
                return;
            }
            var d: usize = 0;
            while (d < head.len) : (d += 8) {
                const stored: [8]Format.Element(format) = convert(format, head[d..][0..8].*);
                for (stored, d..) |value, i| target[indexOf(format, side, place.token, i, head.len)] = value;
            }
        },
    }
}

inline fn convert(comptime format: Format, values: @Vector(8, f32)) @Vector(8, Format.Element(format)) {
    return switch (format) {
        .f32 => values,
        .f16 => simd.f32ToF16(8, values),
        .bf16 => simd.f32ToBf16(8, values),
        .q8_0 => comptime unreachable,
    };
}

const Group = struct { scale: u16, values: [group]i8 };

/// scale = f16(max|x| / 127); each value is x / scale rounded half to even, divided by the scale as stored, in −127..127.
/// A scale that rounds to zero stores zeros; one that is infinite or NaN, because an x is, or is above 8·10⁶, stays so.
fn quantize(x: *const [group]f32) Group {
    const halves = [2]simd.F32x16{ x[0..16].*, x[16..32].* };
    const magnitude: simd.U32x16 = @splat(0x7fffffff);
    const top = @max(@as(simd.U32x16, @bitCast(halves[0])) & magnitude, @as(simd.U32x16, @bitCast(halves[1])) & magnitude);
    const largest: f32 = @bitCast(simd.reduceMaxBits(top));
    const scale = simd.f32ToF16(1, .{largest / 127.0});
    const divisor = simd.f16ToF32(1, scale)[0];
    var result: Group = .{ .scale = scale[0], .values = @splat(0) };
    if (!(divisor > 0 and divisor < std.math.inf(f32))) return result;
    const limit: simd.I32x16 = @splat(127);
    inline for (halves, 0..) |half, i| {
        // A denormal scale may be much smaller than max|x| / 127: the quotient is bounded before it is rounded.
        const quotient = @max(simd.splat(-127), @min(simd.splat(127), half / simd.splat(divisor)));
        const clamped = @max(-limit, @min(limit, simd.roundToInt(quotient)));
        result.values[i * 16 ..][0..16].* = @as(@Vector(16, i8), @truncate(clamped));
    }
    return result;
}

/// An element as it is stored: a number, times a scale in formats that have scales.
pub const Stored = struct {
    number: f32,
    scale: f32,

    pub fn value(stored: Stored) f32 {
        return stored.number * stored.scale;
    }
};

/// One element of K, for tests and references.
pub fn readKey(view: arena.LayerView, kv_head: usize, slot: usize, d: usize) Stored {
    return read(view.format, .init(view, .key, kv_head, slot), d, .key);
}

/// One element of V, for tests and references.
pub fn readValue(view: arena.LayerView, kv_head: usize, slot: usize, d: usize) Stored {
    if (view.values == .in_keys) return readKey(view, kv_head, slot, view.key_dim - view.value_dim + d);
    return read(view.format, .init(view, .value, kv_head, slot), d, .value);
}

fn read(stored_format: Format, place: Place, d: usize, comptime side: Side) Stored {
    std.debug.assert(d < place.dim);
    switch (stored_format) {
        inline else => |format| {
            const source: [*]const Format.Element(format) = @ptrCast(@alignCast(place.block));
            const number = load(format, 1, source + indexOf(format, side, place.token, d, place.dim))[0];
            if (comptime !format.hasScales()) return .{ .number = number, .scale = 1 };
            const scales = scalesOf(format, place.block, place.dim);
            return .{ .number = number, .scale = simd.f16ToF32(1, .{scales[d / group * block_tokens + place.token]})[0] };
        },
    }
}

const testing = @import("../testing/testing.zig");

test "q8_0 rounds to the nearest multiple of a scale that is stored exactly" {
    var rng: testing.Rng = .init(61);
    for (0..2000) |round| {
        var x: [group]f32 = undefined;
        rng.fill(&x, std.math.pow(f32, 10, @as(f32, @floatFromInt(round % 13)) - 7));
        const stored = quantize(&x);
        const scale: f64 = @as(f16, @bitCast(stored.scale));
        var largest: f64 = 0;
        for (x) |value| largest = @max(largest, @abs(value));
        try std.testing.expectEqual(@as(f16, @floatCast(@as(f32, @floatCast(largest)) / 127.0)), @as(f16, @bitCast(stored.scale)));
        for (x, stored.values) |value, q| {
            if (scale == 0) {
                try std.testing.expectEqual(0, q);
            } else {
                const quotient = std.math.clamp(value / scale, -127, 127);
                try std.testing.expect(@abs(quotient - @as(f64, @floatFromInt(q))) <= 0.5 + 1e-5);
            }
        }
    }
}

test "q8_0 at the edges: ties, zeros, denormal scales, values that are not finite" {
    var x: [group]f32 = @splat(0);
    x[0] = 127;
    x[1] = 2.5;
    x[2] = -3.5;
    x[3] = -127;
    const ties = quantize(&x);
    try std.testing.expectEqual(0x3c00, ties.scale);
    try std.testing.expectEqualSlices(i8, &.{ 127, 2, -4, -127, 0 }, ties.values[0..5]);
    const zeros = quantize(&@splat(0));
    try std.testing.expectEqual(Group{ .scale = 0, .values = @splat(0) }, zeros);
    // 1.49 of the smallest f16: stored as 1, so that the quotient would be 189.
    x = @splat(0x1p-24 * 1.49 * 127);
    const denormal = quantize(&x);
    try std.testing.expectEqual(Group{ .scale = 1, .values = @splat(127) }, denormal);
    for ([_]f32{ std.math.inf(f32), -std.math.inf(f32), std.math.nan(f32), 1e9 }) |bad| {
        x = @splat(1);
        x[17] = bad;
        const scale: f16 = @bitCast(quantize(&x).scale);
        try std.testing.expect(!std.math.isFinite(scale));
    }
}

test "what is written to the arena is read back" {
    var rng: testing.Rng = .init(62);
    for (std.enums.values(Format)) |format| for ([_]u32{ 32, 96 }) |dim| {
        const value_dim = dim + 32;
        const layers = [1]arena.LayerShape{.{ .kv_heads = 2, .key_dim = dim, .value_dim = value_dim }};
        var cache: arena.Arena = try .init(.{ .layers = &layers, .slots = 48, .format = format });
        defer cache.deinit();
        const view = cache.layer(0);
        var heads: [48][2][2][128]f32 = undefined;
        for (&heads, 0..) |*token, slot| for (token, 0..) |*head, h| {
            for (head) |*side| for (side) |*value| {
                value.* = @floatFromInt(rng.between(i32, -126, 126));
            };
            // Makes the scale of each group 1.
            for (0..value_dim / group) |g| for (head) |*side| {
                side[g * group + 5] = 127;
            };
            writeKey(view, h, slot, head[0][0..dim]);
            writeValue(view, h, slot, head[1][0..value_dim]);
        };
        for (&heads, 0..) |*token, slot| for (token, 0..) |*head, h| {
            for (0..dim) |d| try std.testing.expectEqual(head[0][d], readKey(view, h, slot, d).value());
            for (0..value_dim) |d| try std.testing.expectEqual(head[1][d], readValue(view, h, slot, d).value());
        };
    };
}
