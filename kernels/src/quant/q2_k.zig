//! Q2_K: 256 values in sixteen sub-blocks of 16, each with a 4-bit scale and a 4-bit min; value = d · scale · q − dmin · min,
//! q in 0..3.

const std = @import("std");
const bit_pairs = @import("bit_pairs.zig");
const codec = @import("codec.zig");
const k_scales = @import("k_scales.zig");
const panel = @import("panel.zig");
const simd = @import("../isa/simd.zig");
const transpose = @import("transpose.zig");
const Traits = @import("traits.zig").Traits;

pub const block_len = 256;
pub const traits: Traits = .{ .integer = .{
    .activation = .per256,
    .quants = .{ .unsigned = quant_max },
    .mins = .sub_blocks,
    .sub_len = sub_len,
} };
/// Of `encode`: root mean square error over the standard deviation of bell-shaped data.
pub const error_max = 0.29;
const quant_max = 3;
/// Of scales and mins.
const factor_max = 15;
const sub_len = 16;
const sub_blocks = block_len / sub_len;

/// As in GGUF.
pub const Block = extern struct {
    /// The scale in the low nibble, the min in the high one.
    scales: [sub_blocks]u8,
    /// See bit_pairs.zig.
    qs: [64]u8,
    d: u16,
    dmin: u16,
};

pub const chunk_len = block_len;
/// In the order in which a kernel reads it.
pub const Packed = extern struct {
    /// Two spans of 32 values, four sub-blocks each.
    pairs: [4]extern struct {
        /// [span]: the bytes of its two sub-blocks side by side for each row.
        scales: [2][panel.rows][2]u8,
        spans: [2]bit_pairs.BitPairs,
    },
    d: [panel.rows]u16,
    dmin: [panel.rows]u16,
};

comptime {
    std.debug.assert(@sizeOf(Block) == 84);
    std.debug.assert(@sizeOf(Packed) == 21 * panel.unit_bytes);
}

pub fn decode(block: *align(1) const Block) [block_len]f32 {
    const d = codec.fromHalf(block.d);
    const dmin = codec.fromHalf(block.dmin);
    var values: [block_len]f32 = undefined;
    for (&values, bit_pairs.split(&block.qs), 0..) |*value, q, i| {
        const step = d * @as(f32, @floatFromInt(block.scales[i / sub_len] & 15));
        const min = dmin * @as(f32, @floatFromInt(block.scales[i / sub_len] >> 4));
        value.* = step * @as(f32, @floatFromInt(q)) - min;
    }
    return values;
}

pub fn integers(block: *const Block) codec.Integers(block_len) {
    var result: codec.Integers(block_len) = .{
        .d = codec.fromHalf(block.d),
        .dmin = codec.fromHalf(block.dmin),
        .weights = undefined,
    };
    for (&result.weights, &result.mins, bit_pairs.split(&block.qs), 0..) |*weight, *min, q, i| {
        weight.* = @as(i32, block.scales[i / sub_len] & 15) * q;
        min.* = block.scales[i / sub_len] >> 4;
    }
    return result;
}

/// As `k_scales.encode`, with factors of 4 bits.
pub fn encode(values: *const [block_len]f32, importance: codec.Importance(block_len)) Block {
    var fits: [sub_blocks]k_scales.Fit = undefined;
    var largest: k_scales.Fit = .{ .step = 0, .min = 0 };
    for (&fits, 0..) |*fit, i| {
        fit.* = k_scales.search(quant_max, 1, values[i * sub_len ..][0..sub_len], codec.importanceOf(importance, sub_len, i * sub_len));
        largest = .{ .step = @max(largest.step, fit.step), .min = @max(largest.min, fit.min) };
    }
    const step_inverse = codec.inverse(largest.step / factor_max);
    const min_inverse = codec.inverse(largest.min / factor_max);
    var block: Block = .{
        .scales = undefined,
        .qs = undefined,
        .d = codec.toHalf(largest.step / factor_max),
        .dmin = codec.toHalf(largest.min / factor_max),
    };
    var q: [block_len]u8 = undefined;
    for (fits, &block.scales, 0..) |fit, *byte, i| {
        const scale: u8 = @intCast(codec.nearest(fit.step * step_inverse, 0, factor_max));
        const factor: u8 = @intCast(codec.nearest(fit.min * min_inverse, 0, factor_max));
        byte.* = scale | factor << 4;
        const inverse = codec.inverse(codec.fromHalf(block.d) * @as(f32, @floatFromInt(scale)));
        const min = codec.fromHalf(block.dmin) * @as(f32, @floatFromInt(factor));
        for (values[i * sub_len ..][0..sub_len], q[i * sub_len ..][0..sub_len]) |value, *quant| {
            quant.* = @intCast(codec.nearest((value + min) * inverse, 0, quant_max));
        }
    }
    block.qs = bit_pairs.join(&q);
    return block;
}

pub fn packChunk(blocks: *const [1]panel.Blocks(@This()), chunk: *Packed) void {
    @setEvalBranchQuota(10_000); // everything is written out inline
    const rows: *const [panel.rows][*]const u8 = @ptrCast(&blocks[0]);
    for (transpose.words(rows, @offsetOf(Block, "scales")), &chunk.pairs) |word, *pair| {
        pair.scales[0] = transpose.pairsOf(u8, transpose.low16(word));
        pair.scales[1] = transpose.pairsOf(u8, transpose.high16(word));
    }
    for (blocks[0], &chunk.d, &chunk.dmin) |block, *d, *dmin| {
        d.* = block.d;
        dmin.* = block.dmin;
    }
    inline for (0..2) |n| {
        const low = bit_pairs.words32(rows, @offsetOf(Block, "qs") + 32 * n);
        inline for (0..4) |part| bit_pairs.pack(low, 2 * part, &chunk.pairs[2 * n + part / 2].spans[part % 2]);
    }
}

pub inline fn unit(chunk: *const Packed, span: usize, comptime u: usize, row: usize) panel.Unit {
    return bit_pairs.unit(&chunk.pairs[span / 2].spans[span % 2], u, 0, row);
}

/// The scales of sub-blocks 2 · pair and 2 · pair + 1.
pub inline fn scalePair(chunk: *const Packed, pair: usize, row: usize) simd.RowI16 {
    return factors(chunk, pair, row) & @as(simd.RowI16, @splat(15));
}

/// Their mins.
pub inline fn minPair(chunk: *const Packed, pair: usize, row: usize) simd.RowI16 {
    return factors(chunk, pair, row) >> @splat(4);
}

inline fn factors(chunk: *const Packed, pair: usize, row: usize) simd.RowI16 {
    return panel.pairsAt(u8, &chunk.pairs[pair / 2].scales[pair % 2], row);
}

pub fn unpackBlock(chunk: *const Packed, row: usize, index: usize) Block {
    std.debug.assert(index == 0);
    var q: [block_len]u8 = undefined;
    for (&q, 0..) |*value, k| value.* = bit_pairs.at(&chunk.pairs[k / 64].spans[k / 32 % 2], row, k % 32);
    var block: Block = .{ .scales = undefined, .qs = bit_pairs.join(&q), .d = chunk.d[row], .dmin = chunk.dmin[row] };
    for (&block.scales, 0..) |*byte, i| byte.* = chunk.pairs[i / 4].scales[i / 2 % 2][row][i % 2];
    return block;
}
