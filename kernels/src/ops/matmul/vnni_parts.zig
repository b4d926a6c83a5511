//! What the tiles of ops/matmul/vnni.zig multiply: 256 values of K of a panel, as they lie in memory or unpacked.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const format_file = @import("../../quant/format.zig");
const Format = format_file.Format;
const panel_file = @import("../../quant/panel.zig");
const tile = @import("tile.zig");

pub fn hasMins(comptime format: Format) bool {
    return format.integer().mins == .sub_blocks;
}

/// What is taken from the quants of a K format while their products are summed, so that sums fit int16 if they can.
pub fn centreOf(comptime format: Format) i16 {
    const traits = format.integer();
    return if (traits.sub_len == 32) (@as(i16, traits.quants.unsigned) + 1) / 2 else traits.zero;
}

/// How many values of a sub-block of a K format have a sum that fits int16; null: not even 16.
pub fn shortLen(comptime format: Format) ?usize {
    const traits = format.integer();
    const largest: i32 = @max(centreOf(format), @as(i32, traits.quants.unsigned) - centreOf(format));
    // Of Q4_K 8 · 127 · 32 = 32,512 fits, of Q5_K 16 · 127 · 16, of Q3_K 4 · 127 · 16. Of Q6_K 32 · 127 · 16 does not.
    if (traits.sub_len == 32 and largest * 127 * 32 <= std.math.maxInt(i16)) return 32;
    return if (largest * 127 * 16 <= std.math.maxInt(i16)) 16 else null;
}

/// Whether the centre is not the zero: scales times what is between them and the activations' sums then remain to be added.
pub fn hasRest(comptime format: Format) bool {
    return centreOf(format) != format.integer().zero;
}

/// The scale in the shape that its products want: the first (0) or second (1) of each row's pair in the lower half of its
/// int32, with zero above it, or as int32.
inline fn scaleOf(comptime format: Format, pairs: simd.RowI16, comptime which: usize) simd.RowI16 {
    if (comptime shortLen(format) == null) return @bitCast(simd.scaleOf(pairs, which));
    const words: simd.U32x16 = @bitCast(pairs);
    return @bitCast(if (which == 0) words & @as(simd.U32x16, @splat(0xffff)) else words >> @splat(16));
}

pub fn chunksPer256(comptime format: Format) usize {
    return 256 / format_file.chunkLen(format);
}

/// 256 values of K of a panel where they lie.
pub fn Packed(comptime format: Format) type {
    const per32 = format.integer().isPer32();
    return struct {
        chunks: [*]const format_file.Chunk(format),

        const Source = @This();

        inline fn at(source: Source, span: usize) tile.PackedSource(format) {
            return .{ .chunk = if (per32) &source.chunks[span / 2] else &source.chunks[0], .row = 0 };
        }

        pub inline fn unit(source: Source, span: usize, comptime u: usize) panel_file.Unit {
            const both = source.at(span).unit(if (per32) span % 2 else span, u, 0);
            if (!format.integer().isSigned()) return both;
            return .{
                .low = simd.SignedRows.from(@bitCast(both.low)).unsigned,
                .high = simd.SignedRows.from(@bitCast(both.high)).unsigned,
            };
        }

        pub inline fn scale(source: Source, pair: usize, comptime which: usize) simd.RowI16 {
            return scaleOf(format, source.at(0).scalePair(pair, 0), which);
        }

        pub inline fn restPair(source: Source, pair: usize) simd.RowI16 {
            return source.at(0).scalePair(pair, 0) *% @as(simd.RowI16, @splat(centreOf(format) - @as(i16, format.integer().zero)));
        }

        pub inline fn minPair(source: Source, pair: usize) simd.RowI16 {
            return source.at(0).minPair(pair, 0);
        }

        pub inline fn rowScale(source: Source, comptime name: []const u8, span: usize) simd.RowF32 {
            return source.at(span).rowScale(name, if (per32) span % 2 else 0, 0);
        }

        pub inline fn prefetch(source: Source, comptime columns: usize, span: usize) void {
            const parts = if (per32) 2 else 8;
            source.at(span).prefetch(columns, span % parts, parts);
        }
    };
}

/// The same, unpacked once for many columns.
pub fn Unpacked(comptime format: Format) type {
    const traits = format.integer();
    const per32 = traits.isPer32();
    const scale_pairs = if (per32) 0 else 128 / @as(usize, traits.sub_len);
    return struct {
        /// [span of 32][K group]; int8: plus 128.
        q: [8][8]simd.RowU8,
        scales: [2 * scale_pairs]simd.RowI16,
        rests: [if (!per32 and hasRest(format)) scale_pairs else 0]simd.RowI16,
        mins: [if (hasMins(format)) scale_pairs else 0]simd.RowI16,
        d: [if (per32) 8 else 1]simd.RowF32,
        dmin: [if (hasMins(format)) 1 else 0]simd.RowF32,
        m: [if (traits.mins == .block) 8 else 0]simd.RowF32,

        const Weights = @This();

        /// `blocks` ≤ 8: how many spans of 32 there are.
        pub fn fill(weights: *Weights, source: Packed(format), blocks: usize) void {
            for (0..blocks) |span| {
                inline for (0..4) |u| {
                    const both = source.unit(span, u);
                    weights.q[span][u] = both.low;
                    weights.q[span][u + 4] = both.high;
                }
                if (per32) weights.d[span] = source.rowScale("d", span);
                if (traits.mins == .block) weights.m[span] = source.rowScale("m", span);
            }
            if (per32) return;
            for (0..scale_pairs) |pair| {
                inline for (0..2) |which| weights.scales[2 * pair + which] = source.scale(pair, which);
                if (comptime hasRest(format)) weights.rests[pair] = source.restPair(pair);
                if (comptime hasMins(format)) weights.mins[pair] = source.minPair(pair);
            }
            weights.d[0] = source.rowScale("d", 0);
            if (comptime hasMins(format)) weights.dmin[0] = source.rowScale("dmin", 0);
        }

        pub inline fn unit(weights: *const Weights, span: usize, comptime u: usize) panel_file.Unit {
            return .{ .low = weights.q[span][u], .high = weights.q[span][u + 4] };
        }

        pub inline fn scale(weights: *const Weights, pair: usize, comptime which: usize) simd.RowI16 {
            return weights.scales[2 * pair + which];
        }

        pub inline fn restPair(weights: *const Weights, pair: usize) simd.RowI16 {
            return weights.rests[pair];
        }

        pub inline fn minPair(weights: *const Weights, pair: usize) simd.RowI16 {
            return weights.mins[pair];
        }

        pub inline fn rowScale(weights: *const Weights, comptime name: []const u8, span: usize) simd.RowF32 {
            return @field(weights, name)[span];
        }

        /// The first-level cache has it all.
        pub inline fn prefetch(_: *const Weights, comptime _: usize, _: usize) void {}
    };
}
