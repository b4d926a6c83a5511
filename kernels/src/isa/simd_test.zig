//! Tests of simd.zig.

const std = @import("std");
const simd = @import("simd.zig");

test "fma rounds once" {
    var rng: std.Random.Xoshiro256 = .init(1);
    for (0..200_000) |i| {
        var bits: [3]u32 = .{ rng.random().int(u32), rng.random().int(u32), rng.random().int(u32) };
        // Every second case is a near-cancellation or a near-tie, where double rounding would show.
        if (i % 2 == 1) {
            const product = @as(f32, @bitCast(bits[0])) * @as(f32, @bitCast(bits[1]));
            bits[2] = @as(u32, @bitCast(product)) +% rng.random().int(u32) % 5 ^ 0x80000000 -% (rng.random().int(u32) % 26 << 23);
        }
        const a: f32, const b: f32, const c: f32 = .{ @bitCast(bits[0]), @bitCast(bits[1]), @bitCast(bits[2]) };
        const want = @mulAdd(f32, a, b, c);
        const soft = simd.softFma(1, .{a}, .{b}, .{c})[0];
        for ([_]f32{ soft, simd.fma(a, b, c), simd.fma(simd.splat(a), simd.splat(b), simd.splat(c))[7] }) |got| {
            if (std.math.isNan(want)) {
                try std.testing.expect(std.math.isNan(got));
            } else {
                try std.testing.expectEqual(@as(u32, @bitCast(want)), @as(u32, @bitCast(got)));
            }
        }
    }
}

test "half and bfloat conversions, all values and random ones" {
    for (0..65536) |i| {
        const bits: u16 = @intCast(i);
        const exact: f32 = @as(f16, @bitCast(bits));
        const got = simd.f16ToF32(1, .{bits})[0];
        const again = simd.f32ToF16(1, .{got})[0];
        if (std.math.isNan(exact)) {
            try std.testing.expect(std.math.isNan(got) and again & 0x7fff > 0x7c00);
        } else {
            try std.testing.expectEqual(@as(u32, @bitCast(exact)), @as(u32, @bitCast(got)));
            try std.testing.expectEqual(bits, again);
        }
        const wide = simd.bf16ToF32(1, .{bits})[0];
        const narrow = simd.f32ToBf16(1, .{wide})[0];
        if (std.math.isNan(wide)) try std.testing.expect(narrow & 0x7fff > 0x7f80) else try std.testing.expectEqual(bits, narrow);
    }
    var rng: std.Random.Xoshiro256 = .init(2);
    for (0..100_000) |_| {
        const value: f32 = @bitCast(rng.random().int(u32) & 0x8fffffff | 0x30000000 +% (rng.random().int(u32) % 40 << 23));
        if (std.math.isNan(value)) continue;
        try std.testing.expectEqual(@as(u16, @bitCast(@as(f16, @floatCast(value)))), simd.f32ToF16(1, .{value})[0]);
    }
    try std.testing.expectEqual(0x3f80, simd.f32ToBf16(1, .{@as(f32, @bitCast(@as(u32, 0x3f808000)))})[0]);
    try std.testing.expectEqual(0x3f82, simd.f32ToBf16(1, .{@as(f32, @bitCast(@as(u32, 0x3f818000)))})[0]);
}

test "roundToBf16 flushes denormals and rounds the rest as f32ToBf16" {
    var rng: std.Random.Xoshiro256 = .init(3);
    for (0..20_000) |i| {
        var bits: [simd.lanes]u32 = undefined;
        for (&bits) |*word| word.* = rng.random().int(u32) & if (i % 2 == 0) @as(u32, 0xffffffff) else 0x80ffffff;
        const values: [simd.lanes]f32 = @bitCast(bits);
        const got: [simd.lanes]u16 = simd.roundToBf16(&values);
        for (values, bits, got) |value, word, half_word| {
            const denormal = word & 0x7f800000 == 0;
            const want = if (denormal) @as(u16, @truncate(word >> 16)) & 0x8000 else simd.f32ToBf16(1, .{value})[0];
            try std.testing.expectEqual(want, half_word);
        }
    }
}

test "lookup takes a table's bytes" {
    const table = [16]u8{ 3, 1, 4, 15, 92, 65, 35, 89, 79, 200, 255, 0, 128, 127, 43, 38 };
    var places: [4 * simd.row_lanes]u8 = undefined;
    for (&places, 0..) |*place, i| place.* = @intCast((i * 7 + i / 16) % 16);
    const got: [4 * simd.row_lanes]u8 = simd.lookup(table, places);
    for (got, places) |value, place| try std.testing.expectEqual(table[place], value);
}

test "reductions, tails and rounding" {
    var values: [simd.lanes]f32 = undefined;
    for (&values, 0..) |*value, i| value.* = @floatFromInt(i * i);
    try std.testing.expectEqual(1240, simd.reduceAdd(values));
    try std.testing.expectEqual(225, simd.reduceMax(values));
    try std.testing.expectEqual(0 + 1 + 4, simd.reduceAdd(simd.loadPartial(&values, 3)));
    var target: [simd.lanes]f32 = @splat(-1);
    simd.storePartial(&target, values, 5);
    try std.testing.expectEqual(16, target[4]);
    try std.testing.expectEqual(-1, target[5]);
    const halves: simd.F32x16 = .{ 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999997, 126.5, 127.4, -127.5, 3, -3, 0, 1e6, -1e6, 0.75 };
    const rounded: [simd.lanes]i32 = simd.roundToInt(halves);
    try std.testing.expectEqual([simd.lanes]i32{ 0, 2, 2, 0, -2, -2, 0, 126, 127, -128, 3, -3, 0, 1_000_000, -1_000_000, 1 }, rounded);
}
