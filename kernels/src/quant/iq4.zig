//! What IQ4_NL and IQ4_XS share: a quant is a place in a table of sixteen int8 values, which lie denser near zero.

const std = @import("std");
const codec = @import("codec.zig");
const panel = @import("panel.zig");
const simd = @import("../isa/simd.zig");

const V = simd.F32x16;
/// As GGUF's readers have it.
pub const table: [16]i8 = .{ -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113 };

/// The values of a row group's quants, int8, in the bytes of a unit.
pub inline fn unit(quants: *const [panel.unit_bytes]u8, row: usize) panel.Unit {
    const both = panel.nibblesAt(quants, row);
    const bytes = comptime @as([16]u8, @bitCast(table));
    return .{ .low = simd.lookup(bytes, both.low), .high = simd.lookup(bytes, both.high) };
}

/// The places of the values that are nearest to `values` · inverse.
pub fn places(values: *const [32]f32, inverse: f32) [32]u8 {
    var result: [32]u8 = undefined;
    for (0..2) |half| {
        const x = simd.load(values[16 * half ..].ptr) * simd.splat(inverse);
        var place: @Vector(16, u8) = @splat(0);
        inline for (1..16) |i| place += @select(u8, x > border(i), @as(@Vector(16, u8), @splat(1)), @as(@Vector(16, u8), @splat(0)));
        result[16 * half ..][0..16].* = place;
    }
    return result;
}

/// Half-way from place − 1 to `place`.
inline fn border(comptime place: usize) V {
    return @splat(comptime (@as(f32, table[place - 1]) + table[place]) / 2);
}

/// The step of 32 values that minimises Σ w (x − x̂)², w = x² or `codec.weigh`. Tries a row of steps that put the extreme near
/// either end of the table; for each, the best step for the places it gives follows from least squares.
pub fn step(values: *const [32]f32, importance: codec.Importance(32)) f32 {
    const x = [2]V{ simd.load(values[0..16]), simd.load(values[16..32]) };
    var extreme: f32 = 0;
    for (values) |value| {
        if (@abs(value) > @abs(extreme)) extreme = value;
    }
    if (!(@abs(extreme) > 1e-15) or !std.math.isFinite(extreme)) return 0;
    const w = codec.weigh(2, x, importance, .{ x[0] * x[0], x[1] * x[1] });
    var best: f32 = 0;
    var best_gain: f32 = 0;
    for ([_]f32{ table[0], table[15] }) |end| {
        var candidate: i32 = -4;
        while (candidate <= 4) : (candidate += 1) {
            const inverse = (end + 2 * @as(f32, @floatFromInt(candidate))) / extreme;
            const q = [2]V{ nearest(x[0] * simd.splat(inverse)), nearest(x[1] * simd.splat(inverse)) };
            const sum_xq = simd.reduceAdd(w[0] * x[0] * q[0] + w[1] * x[1] * q[1]);
            const sum_qq = simd.reduceAdd(w[0] * q[0] * q[0] + w[1] * q[1] * q[1]);
            // The least-squares step lowers the squared error by this much against x̂ = 0.
            const gain = sum_xq * sum_xq / sum_qq;
            if (sum_qq > 0 and gain > best_gain) {
                best = sum_xq / sum_qq;
                best_gain = gain;
            }
        }
    }
    return best;
}

/// The nearest values of the table.
inline fn nearest(x: V) V {
    var value = simd.splat(table[0]);
    inline for (1..16) |i| {
        const rise = comptime @as(f32, table[i]) - table[i - 1];
        value += @select(f32, x > border(i), simd.splat(rise), simd.splat(0));
    }
    return value;
}

/// 32 quants as nibbles: q[i] in the low one of byte i, q[i + 16] in the high one.
pub fn nibbles(q: *const [32]u8) [16]u8 {
    var bytes: [16]u8 = undefined;
    for (&bytes, q[0..16], q[16..32]) |*byte, low, high| {
        std.debug.assert(low < 16 and high < 16);
        byte.* = low | high << 4;
    }
    return bytes;
}

test "places are those of the nearest values" {
    for (0..261) |i| {
        const value = @as(f32, @floatFromInt(i)) - 130.25;
        var values: [32]f32 = @splat(0);
        values[31] = value;
        const place = places(&values, 1)[31];
        for (table) |other| try std.testing.expect(@abs(value - table[place]) <= @abs(value - other));
        try std.testing.expectEqual(@as(f32, table[place]), nearest(simd.splat(value))[3]);
    }
}
