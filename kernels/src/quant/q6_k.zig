//! Q6_K: 256 values in sixteen sub-blocks of 16; value = d · scale · (q − 32), q in 0..63, signed 8-bit scales.

const std = @import("std");
const simd = @import("../isa/simd.zig");
const codec = @import("codec.zig");
const panel = @import("panel.zig");
const transpose = @import("transpose.zig");
const Traits = @import("traits.zig").Traits;

pub const block_len = 256;
pub const traits: Traits = .{ .integer = .{ .activation = .per256, .quants = .{ .unsigned = 63 }, .zero = 32, .sub_len = sub_len } };
/// Of `encode`: root mean square error over the standard deviation of bell-shaped data.
pub const error_max = 0.02;
const sub_len = 16;
const sub_blocks = block_len / sub_len;

/// As in GGUF. In each half of 128 values, value i has its low bits in ql[i % 64] (the high nibble from i = 64 on)
/// and bits 4 and 5 at position 2 · (i / 32) of qh[i % 32].
pub const Block = extern struct {
    ql: [128]u8,
    qh: [64]u8,
    scales: [sub_blocks]i8,
    d: u16,
};

pub const chunk_len = block_len;
const Span = extern struct {
    /// [sub-block]: at position 2g of byte 4·row + i bits 4 and 5 of K position 4g + i.
    high: [2][panel.unit_bytes]u8,
    q: panel.NibbleUnits,
};
/// In the order in which a kernel reads it.
pub const Packed = extern struct {
    /// Two spans of 32 values, four sub-blocks each.
    pairs: [4]extern struct {
        /// [span]: its two sub-blocks side by side for each row.
        scales: [2][panel.rows][2]i8,
        spans: [2]Span,
    },
    d: [panel.rows]u16,
    /// Keeps every unit of the next block within one cache line.
    unused: [panel.unit_bytes / 2]u8,
};

comptime {
    std.debug.assert(@sizeOf(Block) == 210);
    std.debug.assert(@sizeOf(Packed) == 53 * panel.unit_bytes);
}

pub fn decode(block: *align(1) const Block) [block_len]f32 {
    const d = codec.fromHalf(block.d);
    const q = quants(block);
    var values: [block_len]f32 = undefined;
    for (&values, q, 0..) |*value, quant, i| {
        const step = d * @as(f32, @floatFromInt(block.scales[i / sub_len]));
        value.* = step * @as(f32, @floatFromInt(@as(i32, quant) - 32));
    }
    return values;
}

pub fn integers(block: *const Block) codec.Integers(block_len) {
    var result: codec.Integers(block_len) = .{ .d = codec.fromHalf(block.d), .weights = undefined };
    for (&result.weights, quants(block), 0..) |*weight, q, i| {
        weight.* = block.scales[i / sub_len] * (@as(i32, q) - 32);
    }
    return result;
}

/// Each sub-block's step minimises Σ x² (x − x̂)²; then the steps are rounded to 8 bits of the largest, and q is chosen
/// again for the rounded ones.
pub fn encode(values: *const [block_len]f32) Block {
    var steps: [sub_blocks]f32 = undefined;
    var largest: f32 = 0;
    for (&steps, 0..) |*step, i| {
        step.* = search(values[i * sub_len ..][0..sub_len]);
        if (@abs(step.*) > @abs(largest)) largest = step.*;
    }
    // The extreme step takes −128, the side that has one value more.
    const d = largest / -128;
    const inverse = codec.inverse(d);
    var block: Block = .{ .ql = undefined, .qh = undefined, .scales = undefined, .d = codec.toHalf(d) };
    var q: [block_len]u8 = undefined;
    for (&block.scales, steps, 0..) |*scale, step, i| {
        scale.* = @intCast(codec.nearest(step * inverse, -128, 127));
        const rounded = codec.inverse(codec.fromHalf(block.d) * @as(f32, @floatFromInt(scale.*)));
        for (values[i * sub_len ..][0..sub_len], q[i * sub_len ..][0..sub_len]) |value, *quant| {
            quant.* = @intCast(codec.nearest(value * rounded + 32, 0, 63));
        }
    }
    setQuants(&block, &q);
    return block;
}

/// Tries a row of steps around max|x| / 32 with the sign that puts the extreme at −32; for each, the best step for the
/// q it gives follows from least squares.
fn search(values: *const [sub_len]f32) f32 {
    const x = simd.load(values);
    var extreme: f32 = 0;
    for (values) |value| {
        if (@abs(value) > @abs(extreme)) extreme = value;
    }
    if (!(@abs(extreme) > 1e-15) or !std.math.isFinite(extreme)) return 0;
    const w = x * x;
    var best: f32 = 0;
    var best_gain: f32 = 0;
    var candidate: i32 = -9;
    while (candidate <= 9) : (candidate += 1) {
        const inverse = -(32 + 0.1 * @as(f32, @floatFromInt(candidate))) / extreme;
        const bounded = @max(simd.splat(-32), @min(simd.splat(31), x * simd.splat(inverse)));
        const q: simd.F32x16 = @floatFromInt(simd.roundToInt(bounded));
        const sum_xq = simd.reduceAdd(w * x * q);
        const sum_qq = simd.reduceAdd(w * q * q);
        // The least-squares step sum_xq / sum_qq lowers the squared error by this much against x̂ = 0.
        const gain = sum_xq * sum_xq / sum_qq;
        if (sum_qq > 0 and gain > best_gain) {
            best = sum_xq / sum_qq;
            best_gain = gain;
        }
    }
    return best;
}

fn quants(block: *align(1) const Block) [block_len]u8 {
    const V = @Vector(32, u8);
    const nibble_mask: V = @splat(15);
    const high_mask: V = @splat(3);
    var q: [block_len]u8 = undefined;
    inline for (0..2) |n| {
        const high: V = block.qh[n * 32 ..][0..32].*;
        inline for (0..4) |part| {
            const bytes: V = block.ql[n * 64 + part % 2 * 32 ..][0..32].*;
            const low = if (part < 2) bytes & nibble_mask else bytes >> @splat(4);
            const top = (high >> @splat(2 * part)) & high_mask;
            q[n * 128 + part * 32 ..][0..32].* = low | top << @splat(4);
        }
    }
    return q;
}

fn setQuants(block: *Block, q: *const [block_len]u8) void {
    for (0..2) |n| {
        for (0..64) |i| block.ql[n * 64 + i] = (q[n * 128 + i] & 15) | q[n * 128 + i + 64] << 4;
        for (0..32) |i| {
            var byte: u8 = 0;
            for (0..4) |part| byte |= q[n * 128 + part * 32 + i] >> 4 << @intCast(2 * part);
            block.qh[n * 32 + i] = byte;
        }
    }
}

pub fn packChunk(blocks: *const [1]panel.Blocks(@This()), chunk: *Packed) void {
    @setEvalBranchQuota(10_000); // everything is written out inline
    const rows: *const [panel.rows][*]const u8 = @ptrCast(&blocks[0]);
    for (transpose.words(rows, @offsetOf(Block, "scales")), &chunk.pairs) |word, *pair| {
        pair.scales[0] = transpose.pairsOf(i8, transpose.low16(word));
        pair.scales[1] = transpose.pairsOf(i8, transpose.high16(word));
    }
    for (blocks[0], &chunk.d) |row, *d| d.* = row.d;
    chunk.unused = @splat(0);
    inline for (0..2) |n| {
        const high = words32(rows, @offsetOf(Block, "qh") + 32 * n);
        // Each 32 bytes of low bits serve two spans of 32 values: part and part + 2.
        inline for (0..2) |part| {
            const low = words32(rows, @offsetOf(Block, "ql") + 64 * n + 32 * part);
            const spans = [2]*Span{ &chunk.pairs[2 * n].spans[part], &chunk.pairs[2 * n + 1].spans[part] };
            panel.packNibbles(.low, low[0..4].*, low[4..8].*, &spans[0].q);
            panel.packNibbles(.high, low[0..4].*, low[4..8].*, &spans[1].q);
            inline for (spans, .{ part, part + 2 }) |span, position| packHigh(high, 2 * position, &span.high);
        }
    }
}

inline fn words32(rows: *const [panel.rows][*]const u8, offset: usize) [8]transpose.Words {
    return transpose.words(rows, offset) ++ transpose.words(rows, offset + 16);
}

/// Two bits of each byte of `source`, from bit `shift` on, to a span's two sub-blocks.
inline fn packHigh(source: [8]transpose.Words, comptime shift: u5, target: *[2][panel.unit_bytes]u8) void {
    inline for (target, 0..) |*bytes, s| {
        var bits: transpose.Words = @splat(0);
        inline for (0..4) |g| {
            bits |= (source[4 * s + g] >> @splat(shift) & transpose.splatByte(3)) << @splat(2 * g);
        }
        bytes.* = transpose.bytesOf(bits);
    }
}

pub inline fn unit(chunk: *const Packed, span: usize, comptime u: usize, row: usize) panel.Unit {
    const place = &chunk.pairs[span / 2].spans[span % 2];
    const nibbles = panel.nibblesAt(&place.q[u], row);
    return .{
        .low = nibbles.low | simd.moveBits(panel.bytesAt(&place.high[0], row), 2 * u, 4, 2),
        .high = nibbles.high | simd.moveBits(panel.bytesAt(&place.high[1], row), 2 * u, 4, 2),
    };
}

/// The scales of sub-blocks 2 · pair and 2 · pair + 1.
pub inline fn scalePair(chunk: *const Packed, pair: usize, row: usize) simd.RowI16 {
    return panel.pairsAt(i8, &chunk.pairs[pair / 2].scales[pair % 2], row);
}

pub fn unpackBlock(chunk: *const Packed, row: usize, index: usize) Block {
    std.debug.assert(index == 0);
    var q: [block_len]u8 = undefined;
    for (&q, 0..) |*value, k| {
        const span = &chunk.pairs[k / 64].spans[k / 32 % 2];
        const high = span.high[k / sub_len % 2][4 * row + k % 4] >> @intCast(k % sub_len / 4 * 2);
        value.* = panel.nibble(&span.q, row, k % 32) | (high & 3) << 4;
    }
    var block: Block = .{ .ql = undefined, .qh = undefined, .scales = undefined, .d = chunk.d[row] };
    for (&block.scales, 0..) |*scale, i| scale.* = chunk.pairs[i / 4].scales[i / 2 % 2][row][i % 2];
    setQuants(&block, &q);
    return block;
}
