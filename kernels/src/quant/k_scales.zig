//! What Q4_K and Q5_K share: eight sub-blocks of 32 values, each with a 6-bit scale and a 6-bit min,
//! value = d · scale · q − dmin · min.

const std = @import("std");
const simd = @import("../isa/simd.zig");
const codec = @import("codec.zig");
const panel = @import("panel.zig");
const transpose = @import("transpose.zig");

pub const block_len = 256;
pub const sub_blocks = 8;
const sub_len = block_len / sub_blocks;

/// The 12 bytes of a GGUF block: scales 0..3 and mins 0..3 in the low six bits of bytes 0..3 and 4..7; of 4..7 the
/// low nibbles in bytes 8..11 (scale low, min high) and the upper two bits on top of bytes 0..3 and 4..7.
pub const Bytes = [12]u8;

pub const Scales = struct {
    scale: [sub_blocks]u8,
    min: [sub_blocks]u8,
};

pub fn unpack(bytes: Bytes) Scales {
    var result: Scales = undefined;
    for (0..4) |i| {
        result.scale[i] = bytes[i] & 63;
        result.min[i] = bytes[4 + i] & 63;
        result.scale[4 + i] = (bytes[8 + i] & 15) | bytes[i] >> 6 << 4;
        result.min[4 + i] = bytes[8 + i] >> 4 | bytes[4 + i] >> 6 << 4;
    }
    return result;
}

pub fn pack(scales: Scales) Bytes {
    var bytes: Bytes = undefined;
    for (0..4) |i| {
        bytes[i] = scales.scale[i] | scales.scale[4 + i] >> 4 << 6;
        bytes[4 + i] = scales.min[i] | scales.min[4 + i] >> 4 << 6;
        bytes[8 + i] = (scales.scale[4 + i] & 15) | scales.min[4 + i] << 4;
    }
    return bytes;
}

/// A panel's scales or mins of two sub-blocks, 2i and 2i + 1, side by side for each row, so that they pair with two
/// int16 activation sums.
pub const PanelPair = [panel.rows][2]u8;

/// Writes the scales of all rows to a chunk. head: the first 16 bytes of each row's block: d, dmin and `Bytes`.
pub inline fn packPanel(head: [4]transpose.Words, chunk: anytype) void {
    const six = transpose.splatByte(63);
    const four = transpose.splatByte(15);
    const upper = transpose.splatByte(0x30);
    const two: @Vector(panel.rows, u5) = @splat(2);
    // Of four sub-blocks each, a byte for each of them.
    const scales = [2]transpose.Words{ head[1] & six, (head[3] & four) | (head[1] >> two & upper) };
    const mins = [2]transpose.Words{ head[2] & six, (head[3] >> @splat(4) & four) | (head[2] >> two & upper) };
    inline for (0..2) |i| {
        chunk.pairs[2 * i].scales = transpose.pairsOf(u8, transpose.low16(scales[i]));
        chunk.pairs[2 * i + 1].scales = transpose.pairsOf(u8, transpose.high16(scales[i]));
        chunk.pairs[2 * i].mins = transpose.pairsOf(u8, transpose.low16(mins[i]));
        chunk.pairs[2 * i + 1].mins = transpose.pairsOf(u8, transpose.high16(mins[i]));
    }
    chunk.d = transpose.low16(head[0]);
    chunk.dmin = transpose.high16(head[0]);
}

pub fn unpackPanel(row: usize, pairs: anytype) Bytes {
    var all: Scales = undefined;
    for (pairs, 0..) |*pair, i| {
        all.scale[2 * i ..][0..2].* = pair.scales[row];
        all.min[2 * i ..][0..2].* = pair.mins[row];
    }
    return pack(all);
}

/// A block's scales and quants, before they are laid out.
pub const Encoded = struct {
    d: u16,
    dmin: u16,
    scales: Bytes,
    q: [block_len]u8,
};

/// Value of q: d · scale · q − dmin · min.
pub fn decode(d_bits: u16, dmin_bits: u16, scales: Bytes, q: *const [block_len]u8) [block_len]f32 {
    const d = codec.fromHalf(d_bits);
    const dmin = codec.fromHalf(dmin_bits);
    const all = unpack(scales);
    var values: [block_len]f32 = undefined;
    for (&values, q, 0..) |*value, quant, i| {
        const step = d * @as(f32, @floatFromInt(all.scale[i / sub_len]));
        const min = dmin * @as(f32, @floatFromInt(all.min[i / sub_len]));
        value.* = step * @as(f32, @floatFromInt(quant)) - min;
    }
    return values;
}

pub fn integers(d: u16, dmin: u16, scales: Bytes, q: *const [block_len]u8) codec.Integers(block_len) {
    const all = unpack(scales);
    var result: codec.Integers(block_len) = .{ .d = codec.fromHalf(d), .dmin = codec.fromHalf(dmin), .weights = undefined };
    for (&result.weights, &result.mins, q, 0..) |*weight, *min, quant, i| {
        weight.* = @as(i32, all.scale[i / sub_len]) * quant;
        min.* = all.min[i / sub_len];
    }
    return result;
}

/// Quantises 256 values to q in 0..q_max. Each sub-block's scale and min minimise Σ w (x − x̂)², w = rms(x) + |x| or
/// `codec.weigh`; then both are rounded to 6 bits of the block's largest, and q is chosen again for the rounded ones.
pub fn encode(comptime q_max: u8, values: *const [block_len]f32, importance: codec.Importance(block_len)) Encoded {
    var steps: [sub_blocks]f32 = undefined;
    var mins: [sub_blocks]f32 = undefined;
    var largest_step: f32 = 0;
    var largest_min: f32 = 0;
    for (0..sub_blocks) |i| {
        const fit = search(q_max, sub_len / 16, values[i * sub_len ..][0..sub_len], codec.importanceOf(importance, sub_len, i * sub_len));
        steps[i] = fit.step;
        mins[i] = fit.min;
        largest_step = @max(largest_step, fit.step);
        largest_min = @max(largest_min, fit.min);
    }
    var result: Encoded = .{
        .d = codec.toHalf(largest_step / 63),
        .dmin = codec.toHalf(largest_min / 63),
        .scales = undefined,
        .q = undefined,
    };
    const step_inverse = codec.inverse(largest_step / 63);
    const min_inverse = codec.inverse(largest_min / 63);
    var all: Scales = undefined;
    for (0..sub_blocks) |i| {
        all.scale[i] = @intCast(codec.nearest(steps[i] * step_inverse, 0, 63));
        all.min[i] = @intCast(codec.nearest(mins[i] * min_inverse, 0, 63));
        const step = codec.fromHalf(result.d) * @as(f32, @floatFromInt(all.scale[i]));
        const min = codec.fromHalf(result.dmin) * @as(f32, @floatFromInt(all.min[i]));
        std.debug.assert(all.scale[i] < 64 and all.min[i] < 64);
        const inverse = codec.inverse(step);
        for (values[i * sub_len ..][0..sub_len], result.q[i * sub_len ..][0..sub_len]) |value, *q| {
            q.* = @intCast(codec.nearest((value + min) * inverse, 0, q_max));
        }
    }
    result.scales = pack(all);
    return result;
}

pub const Fit = struct { step: f32, min: f32 };
const V = simd.F32x16;

/// The step and the min of 16 · n values. Tries a row of step sizes around (max − min) / q_max; for each, the best step and
/// min for the q it gives follow from least squares. min ≥ 0 is what the formats can say: x̂ = step · q − min.
pub inline fn search(comptime q_max: u8, comptime n: usize, values: *const [16 * n]f32, importance: codec.Importance(16 * n)) Fit {
    return if (importance) |given| searchWeighted(q_max, n, values, given) else searchPlain(q_max, n, values);
}

/// Two functions, so that each keeps what it needs in registers.
noinline fn searchWeighted(comptime q_max: u8, comptime n: usize, values: *const [16 * n]f32, importance: *const [16 * n]f32) Fit {
    return searchIn(q_max, n, values, importance);
}

fn searchPlain(comptime q_max: u8, comptime n: usize, values: *const [16 * n]f32) Fit {
    return searchIn(q_max, n, values, null);
}

inline fn searchIn(comptime q_max: u8, comptime n: usize, values: *const [16 * n]f32, importance: codec.Importance(16 * n)) Fit {
    var x: [n]V = undefined;
    inline for (&x, 0..) |*part, i| part.* = simd.load(values[16 * i ..].ptr);
    var low: f32 = 0;
    var high: f32 = values[0];
    for (values) |value| {
        low = @min(low, value);
        high = @max(high, value);
    }
    if (!(high - low > 0) or !std.math.isFinite(high - low)) return .{ .step = 0, .min = if (std.math.isFinite(low)) -low else 0 };
    const rms = simd.splat(@sqrt(sumOf(n, .{ x, x }) / (16 * n)));
    var w: [n]V = undefined;
    inline for (&w, x) |*weight, part| weight.* = rms + @abs(part);
    w = codec.weigh(n, x, importance, w);
    const sum_w = sumOf(n, .{w});
    const sum_x = sumOf(n, .{ w, x });
    var best: Fit = .{ .step = (high - low) / q_max, .min = -low };
    var best_error = weightedError(q_max, n, x, w, best);
    var candidate: i32 = -10;
    while (candidate <= 10) : (candidate += 1) {
        const stretch = @as(f32, q_max) + 0.1 * @as(f32, @floatFromInt(candidate));
        const q = quantise(q_max, n, x, stretch / (high - low), -low);
        const sum_q = sumOf(n, .{ w, q });
        const sum_qq = sumOf(n, .{ w, q, q });
        const sum_xq = sumOf(n, .{ w, x, q });
        const determinant = sum_w * sum_qq - sum_q * sum_q;
        if (!(determinant > 0)) continue;
        var fit: Fit = .{
            .step = (sum_w * sum_xq - sum_x * sum_q) / determinant,
            .min = (sum_q * sum_xq - sum_qq * sum_x) / determinant,
        };
        if (fit.min < 0) fit = .{ .step = sum_xq / sum_qq, .min = 0 };
        const fit_error = weightedError(q_max, n, x, w, fit);
        if (fit.step > 0 and fit_error < best_error) {
            best = fit;
            best_error = fit_error;
        }
    }
    return best;
}

/// Σ of the products of `factors`, multiplied in their order.
inline fn sumOf(comptime n: usize, factors: anytype) f32 {
    var sum: V = undefined;
    inline for (0..n) |i| {
        var product = factors[0][i];
        inline for (1..factors.len) |f| product *= factors[f][i];
        sum = if (i == 0) product else sum + product;
    }
    return simd.reduceAdd(sum);
}

inline fn quantise(comptime q_max: u8, comptime n: usize, x: [n]V, inverse: f32, min: f32) [n]V {
    const top = simd.splat(q_max);
    var q: [n]V = undefined;
    inline for (x, &q) |value, *quant| {
        const wanted = (value + simd.splat(min)) * simd.splat(inverse);
        const bounded = @max(simd.splat(0), @min(top, wanted));
        quant.* = @floatFromInt(simd.roundToInt(bounded));
    }
    return q;
}

fn weightedError(comptime q_max: u8, comptime n: usize, x: [n]V, w: [n]V, fit: Fit) f32 {
    const q = quantise(q_max, n, x, codec.inverse(fit.step), fit.min);
    var sum: V = @splat(0);
    inline for (x, w, q) |value, weight, quant| {
        const off = value - (simd.splat(fit.step) * quant - simd.splat(fit.min));
        sum += weight * off * off;
    }
    return simd.reduceAdd(sum);
}

test "scales survive packing" {
    var rng: @import("../testing/testing.zig").Rng = .init(3);
    for (0..200) |_| {
        var bytes: Bytes = undefined;
        rng.fillBytes(&bytes);
        try std.testing.expectEqual(bytes, pack(unpack(bytes)));
    }
}
