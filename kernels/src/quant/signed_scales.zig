//! What Q3_K and Q6_K share: sixteen sub-blocks of 16 values with signed integer scales, value = d · scale · (q − zero),
//! q in 0..2 · zero − 1.

const std = @import("std");
const simd = @import("../isa/simd.zig");
const codec = @import("codec.zig");
const panel = @import("panel.zig");

const V = simd.F32x16;

pub const block_len = 256;
pub const sub_len = 16;
pub const sub_blocks = block_len / sub_len;

/// A panel's block in the order in which a kernel reads it; `Span` has the quants of 32 values of 16 rows.
pub fn Packed(comptime Span: type) type {
    return extern struct {
        /// Two spans of 32 values, four sub-blocks each.
        pairs: [4]extern struct {
            /// [span]: its two sub-blocks side by side for each row.
            scales: [2][panel.rows][2]i8,
            spans: [2]Span,
        },
        d: [panel.rows]u16,
        /// Keeps every unit of the next block within one cache line.
        unused: [panel.unit_bytes / 2]u8,

        /// The scales of sub-blocks 2 · pair and 2 · pair + 1.
        pub inline fn scalePair(chunk: *const @This(), pair: usize, row: usize) simd.RowI16 {
            return panel.pairsAt(i8, &chunk.pairs[pair / 2].scales[pair % 2], row);
        }
    };
}

/// A block before it is laid out.
pub const Parts = struct {
    d: u16,
    scales: [sub_blocks]i8,
    q: [block_len]u8,

    pub fn decode(parts: *const Parts, comptime zero: u8) [block_len]f32 {
        const d = codec.fromHalf(parts.d);
        var values: [block_len]f32 = undefined;
        for (&values, parts.q, 0..) |*value, quant, i| {
            const step = d * @as(f32, @floatFromInt(parts.scales[i / sub_len]));
            value.* = step * @as(f32, @floatFromInt(@as(i32, quant) - zero));
        }
        return values;
    }

    pub fn integers(parts: *const Parts, comptime zero: u8) codec.Integers(block_len) {
        var result: codec.Integers(block_len) = .{ .d = codec.fromHalf(parts.d), .weights = undefined };
        for (&result.weights, parts.q, 0..) |*weight, q, i| {
            weight.* = parts.scales[i / sub_len] * (@as(i32, q) - zero);
        }
        return result;
    }
};

/// Each sub-block's step minimises Σ w (x − x̂)², w = x² or `codec.weigh`; then the steps are rounded to scales of at least
/// `scale_min`, less than −scale_min, and q is chosen again for the rounded ones.
pub fn encode(
    comptime zero: u8,
    comptime scale_min: i8,
    values: *const [block_len]f32,
    importance: codec.Importance(block_len),
) Parts {
    var steps: [sub_blocks]f32 = undefined;
    var largest: f32 = 0;
    for (&steps, 0..) |*step, i| {
        step.* = search(zero, 1, values[i * sub_len ..][0..sub_len], codec.importanceOf(importance, sub_len, i * sub_len));
        if (@abs(step.*) > @abs(largest)) largest = step.*;
    }
    // The extreme step takes the side that has one value more.
    const d = largest / scale_min;
    const inverse = codec.inverse(d);
    var parts: Parts = .{ .d = codec.toHalf(d), .scales = undefined, .q = undefined };
    for (&parts.scales, steps, 0..) |*scale, step, i| {
        scale.* = @intCast(codec.nearest(step * inverse, scale_min, -@as(i32, scale_min) - 1));
        const rounded = codec.inverse(codec.fromHalf(parts.d) * @as(f32, @floatFromInt(scale.*)));
        for (values[i * sub_len ..][0..sub_len], parts.q[i * sub_len ..][0..sub_len]) |value, *quant| {
            quant.* = @intCast(codec.nearest(value * rounded + zero, 0, 2 * zero - 1));
        }
    }
    return parts;
}

/// The step of 16 · n values. Tries a row of steps around max|x| / zero with the sign that puts the extreme at −zero; for each,
/// the best step for the q it gives follows from least squares.
pub fn search(comptime zero: u8, comptime n: usize, values: *const [16 * n]f32, importance: codec.Importance(16 * n)) f32 {
    var x: [n]V = undefined;
    var w: [n]V = undefined;
    inline for (&x, &w, 0..) |*part, *weight, i| {
        part.* = simd.load(values[16 * i ..].ptr);
        weight.* = part.* * part.*;
    }
    w = codec.weigh(n, x, importance, w);
    var extreme: f32 = 0;
    for (values) |value| {
        if (@abs(value) > @abs(extreme)) extreme = value;
    }
    if (!(@abs(extreme) > 1e-15) or !std.math.isFinite(extreme)) return 0;
    var best: f32 = 0;
    var best_gain: f32 = 0;
    var candidate: i32 = -9;
    while (candidate <= 9) : (candidate += 1) {
        const inverse = -(zero + 0.1 * @as(f32, @floatFromInt(candidate))) / extreme;
        var products: V = @splat(0);
        var squares: V = @splat(0);
        inline for (x, w, 0..) |part, weight, i| {
            const bounded = @max(simd.splat(-@as(f32, zero)), @min(simd.splat(zero - 1), part * simd.splat(inverse)));
            const q: V = @floatFromInt(simd.roundToInt(bounded));
            products = if (i == 0) weight * part * q else products + weight * part * q;
            squares = if (i == 0) weight * q * q else squares + weight * q * q;
        }
        const sum_xq = simd.reduceAdd(products);
        const sum_qq = simd.reduceAdd(squares);
        // The least-squares step sum_xq / sum_qq lowers the squared error by this much against x̂ = 0.
        const gain = sum_xq * sum_xq / sum_qq;
        if (sum_qq > 0 and gain > best_gain) {
            best = sum_xq / sum_qq;
            best_gain = gain;
        }
    }
    return best;
}
