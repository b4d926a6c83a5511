//! What Q4_1 and Q5_1 share: 32 values with an f16 scale and an f16 minimum, value = d · q + m.

const codec = @import("codec.zig");
const k_scales = @import("k_scales.zig");

pub const block_len = 32;

/// A block before it is laid out.
pub const Parts = struct {
    d: u16,
    m: u16,
    q: [block_len]u8,

    pub fn decode(parts: *const Parts) [block_len]f32 {
        const d = codec.fromHalf(parts.d);
        const m = codec.fromHalf(parts.m);
        var values: [block_len]f32 = undefined;
        for (parts.q, &values) |q, *value| value.* = d * @as(f32, @floatFromInt(q)) + m;
        return values;
    }

    pub fn integers(parts: *const Parts) codec.Integers(block_len) {
        var result: codec.Integers(block_len) = .{
            .d = codec.fromHalf(parts.d),
            .dmin = -codec.fromHalf(parts.m),
            .weights = undefined,
            .mins = @splat(1),
        };
        for (&result.weights, parts.q) |*weight, q| weight.* = q;
        return result;
    }
};

/// The least value becomes q = 0, the largest q = `q_max`; with importances both are searched for, where that serves better.
pub fn encode(comptime q_max: u8, values: *const [block_len]f32, importance: codec.Importance(block_len)) Parts {
    const least, const largest = codec.rangeOf(values);
    // Halves first: the difference of two finite values may be infinite.
    const d = (largest / 2 - least / 2) / (@as(comptime_float, q_max) / 2.0);
    const plain = quantised(q_max, values, d, least);
    const weights = importance orelse return plain;
    const fit = k_scales.search(q_max, block_len / 16, values, importance);
    const searched = quantised(q_max, values, fit.step, -fit.min);
    return if (weightedError(&searched, values, weights) < weightedError(&plain, values, weights)) searched else plain;
}

fn quantised(comptime q_max: u8, values: *const [block_len]f32, d: f32, m: f32) Parts {
    const inverse = codec.inverse(d);
    var parts: Parts = .{ .d = codec.toHalf(d), .m = codec.toHalf(m), .q = undefined };
    for (values, &parts.q) |value, *q| q.* = @intCast(codec.nearest((value - m) * inverse, 0, q_max));
    return parts;
}

fn weightedError(parts: *const Parts, values: *const [block_len]f32, weights: *const [block_len]f32) f32 {
    var sum: f32 = 0;
    for (parts.decode(), values, weights) |decoded, value, weight| sum += weight * (decoded - value) * (decoded - value);
    return sum;
}
