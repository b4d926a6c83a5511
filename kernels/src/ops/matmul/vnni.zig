//! The integer matmul from some columns on where a register holds a panel's 16 rows and one instruction adds four products to
//! an int32 (AVX-512 VNNI). The arithmetic is that of ops/matmul/tile.zig.
//!
//! A tile is up to 8 columns: their sums of products, their scaled sums and what belongs to the weights fit the registers.
//! Up to 8 columns read the panel as it lies in memory, once. More share 256 values of K that are unpacked once, in the
//! first-level cache; tiles are then of equal sizes as far as that goes, since those of few columns wait for their sums.
//!
//! Sums of products are kept as small as scaling wants them. Less a constant centre c of the quants, the sum over a part of a
//! sub-block fits int16: Σ (q − c) · x, which begins at −c · Σ x. Then one instruction, which multiplies int16 and adds, scales
//! it, where an int32 takes a product of twice the work and an addition. What the centre took away is c · scale · Σ x.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const activations = @import("../../quant/activations.zig");
const format_file = @import("../../quant/format.zig");
const Format = format_file.Format;
const panel_file = @import("../../quant/panel.zig");
const tile = @import("tile.zig");
const item_file = @import("item.zig");
const Claim = item_file.Claim;

/// Columns in a tile. More would want more pointers than there are registers for.
const tile_columns = 8;
/// Tiles of equal sizes have this many columns at least: 9 are 5 and 4.
const tile_columns_min = 4;
const rows = simd.panel_rows;

/// Columns at once; their sums wait in an array of this length between one 256 and the next.
const columns_max = 64;

pub inline fn serves(comptime format: Format, span: item_file.Span) bool {
    if (comptime !simd.has_wide_dot or format.traits() != .integer) return false;
    const count = span.count();
    // Blocks of 32 have little to unpack: between one tile and many, ops/matmul/tile.zig is faster.
    if ((comptime format.integer().isPer32()) and count > tile_columns and count < 32) return false;
    return count >= comptime columnsMin(format);
}

/// The fewest columns that are faster here than as ops/matmul/tile.zig has them. Measured.
fn columnsMin(comptime format: Format) usize {
    if (format.integer().isPer32()) return 7;
    return if (readsPacked(format)) 6 else 9;
}

pub fn cut(comptime _: Format, _: usize) item_file.Cut {
    return .{ .columns_max = columns_max };
}

pub fn run(comptime format: Format, claim: *const Claim) void {
    const item = claim.item;
    const first = claim.span.first;
    const count = claim.span.count();
    for (claim.panel_first..claim.panel_end) |panel| {
        var out: [columns_max][rows]f32 align(64) = undefined;
        const weights = claim.weights(format, panel);
        const columns = item.quantised(first);
        if ((comptime readsPacked(format)) and count <= tile_columns) {
            switch (count) {
                inline columnsMin(format)...tile_columns => |C| {
                    @call(.never_inline, packedTile, .{ format, C, weights, item.k, columns, out[0..C] });
                },
                else => unreachable,
            }
        } else {
            panelTimesColumns(format, weights, item.k, columns, count, &out);
        }
        item.finishPanel(out[0..count], panel, first);
    }
}

/// Whether one tile takes the panel as it lies in memory. With sub-blocks of 16 a unit belongs to two of them, whose sums are
/// too many for the registers.
fn readsPacked(comptime format: Format) bool {
    const traits = format.integer();
    return traits.isPer32() or traits.sub_len == 32;
}

fn hasMins(comptime format: Format) bool {
    return format.integer().mins == .sub_blocks;
}

fn chunksPer256(comptime format: Format) usize {
    return 256 / format_file.chunkLen(format);
}

/// 256 values of K of a panel where they lie.
fn Packed(comptime format: Format) type {
    const per32 = format.integer().isPer32();
    return struct {
        chunks: [*]const format_file.Chunk(format),

        const Source = @This();

        inline fn at(source: Source, span: usize) tile.PackedSource(format) {
            return .{ .chunk = if (per32) &source.chunks[span / 2] else &source.chunks[0], .row = 0 };
        }

        inline fn unit(source: Source, span: usize, comptime u: usize) panel_file.Unit {
            const both = source.at(span).unit(if (per32) span % 2 else span, u, 0);
            if (!format.integer().isSigned()) return both;
            return .{
                .low = simd.SignedRows.from(@bitCast(both.low)).unsigned,
                .high = simd.SignedRows.from(@bitCast(both.high)).unsigned,
            };
        }

        inline fn scalePair(source: Source, pair: usize) simd.RowI16 {
            return source.at(0).scalePair(pair, 0);
        }

        inline fn minPair(source: Source, pair: usize) simd.RowI16 {
            return source.at(0).minPair(pair, 0);
        }

        inline fn rowScale(source: Source, comptime name: []const u8, span: usize) simd.RowF32 {
            return source.at(span).rowScale(name, if (per32) span % 2 else 0, 0);
        }

        inline fn prefetch(source: Source, comptime columns: usize, span: usize) void {
            const parts = if (per32) 2 else 8;
            source.at(span).prefetch(columns, span % parts, parts);
        }
    };
}

/// The same, unpacked once for many columns.
fn Unpacked(comptime format: Format) type {
    const traits = format.integer();
    const per32 = traits.isPer32();
    const scale_pairs = if (per32) 0 else 128 / @as(usize, traits.sub_len);
    return struct {
        /// [span of 32][K group]; int8: plus 128.
        q: [8][8]simd.RowU8,
        scales: [scale_pairs]simd.RowI16,
        mins: [if (hasMins(format)) scale_pairs else 0]simd.RowI16,
        d: [if (per32) 8 else 1]simd.RowF32,
        dmin: [if (hasMins(format)) 1 else 0]simd.RowF32,
        m: [if (traits.mins == .block) 8 else 0]simd.RowF32,

        const Weights = @This();

        /// `blocks` ≤ 8: how many spans of 32 there are.
        fn fill(weights: *Weights, source: Packed(format), blocks: usize) void {
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
                weights.scales[pair] = source.scalePair(pair);
                if (comptime hasMins(format)) weights.mins[pair] = source.minPair(pair);
            }
            weights.d[0] = source.rowScale("d", 0);
            if (comptime hasMins(format)) weights.dmin[0] = source.rowScale("dmin", 0);
        }

        inline fn unit(weights: *const Weights, span: usize, comptime u: usize) panel_file.Unit {
            return .{ .low = weights.q[span][u], .high = weights.q[span][u + 4] };
        }

        inline fn scalePair(weights: *const Weights, pair: usize) simd.RowI16 {
            return weights.scales[pair];
        }

        inline fn minPair(weights: *const Weights, pair: usize) simd.RowI16 {
            return weights.mins[pair];
        }

        inline fn rowScale(weights: *const Weights, comptime name: []const u8, span: usize) simd.RowF32 {
            return @field(weights, name)[span];
        }

        /// The first-level cache has it all.
        inline fn prefetch(_: *const Weights, comptime _: usize, _: usize) void {}
    };
}

fn Columns(comptime C: usize) type {
    return [C]*const activations.Group256;
}

fn Sums(comptime C: usize) type {
    return [C]simd.RowF32;
}

/// One panel times C columns. out[c][r].
fn packedTile(
    comptime format: Format,
    comptime C: usize,
    panel: [*]const u8,
    k: usize,
    columns: activations.Columns,
    out: *align(64) [C][rows]f32,
) void {
    std.debug.assert(k % format.blockLen() == 0);
    const chunks: [*]const format_file.Chunk(format) = @ptrCast(@alignCast(panel));
    var sums: Sums(C) = @splat(@splat(0));
    for (0..(k + 255) / 256) |index| {
        var x: Columns(C) = undefined;
        inline for (&x, 0..) |*pointer, c| pointer.* = simd.hidden(columns.group(activations.Group256, c, index));
        const source: Packed(format) = .{ .chunks = chunks + index * comptime chunksPer256(format) };
        add(format, C, source, &x, @min(8, (k - 256 * index) / 32), &sums);
    }
    inline for (out, sums) |*column, sum| column.* = sum;
}

/// One panel times `count` columns, at most 64. out[c][r].
fn panelTimesColumns(
    comptime format: Format,
    panel: [*]const u8,
    k: usize,
    columns: activations.Columns,
    count: usize,
    out: *align(64) [columns_max][rows]f32,
) void {
    std.debug.assert(count > tile_columns and count <= columns_max and k % format.blockLen() == 0);
    const Chunk = format_file.Chunk(format);
    const step_chunks = comptime chunksPer256(format);
    const chunks: [*]const Chunk = @ptrCast(@alignCast(panel));
    var weights: Unpacked(format) = undefined;
    @memset(out[0..count], @as([rows]f32, @splat(0)));
    const tiles = (count + tile_columns - 1) / tile_columns;
    // The next chunks come from memory meanwhile, some lines for each tile.
    const lines_per_tile = (step_chunks * @sizeOf(Chunk) / 64 + tiles - 1) / tiles;
    for (0..(k + 255) / 256) |index| {
        const blocks = @min(8, (k - 256 * index) / 32);
        weights.fill(.{ .chunks = chunks + index * step_chunks }, blocks);
        var next: [*]const u8 = @ptrCast(chunks + (index + 1) * step_chunks);
        var column: usize = 0;
        for (0..tiles) |t| {
            for (0..lines_per_tile) |line| @prefetch(next + line * 64, .{});
            next += lines_per_tile * 64;
            // The first tiles have one column more where the count does not divide.
            const size = count / tiles + @intFromBool(t < count % tiles);
            const x = columns.first + column * columns.stride + index * activations.group_bytes;
            switch (size) {
                inline tile_columns_min...tile_columns => |C| {
                    const sums: *Sums(C) = @ptrCast(@alignCast(out[column..][0..C]));
                    @call(.never_inline, unpackedTile, .{ format, C, &weights, x, columns.stride, blocks, sums });
                },
                else => unreachable,
            }
            column += size;
        }
    }
}

/// Adds one 256 of K to the sums of C columns.
fn unpackedTile(
    comptime format: Format,
    comptime C: usize,
    weights: *const Unpacked(format),
    first: [*]const u8,
    stride: usize,
    blocks: usize,
    sums: *Sums(C),
) void {
    var x: Columns(C) = undefined;
    inline for (&x, 0..) |*pointer, c| pointer.* = @ptrCast(@alignCast(simd.hidden(first + c * stride)));
    if (comptime !format.integer().isPer32()) prefetchColumns(C, first + C * stride, stride);
    var acc = sums.*;
    add(format, C, weights, &x, blocks, &acc);
    sums.* = acc;
}

/// Asks for 256 values of K of the next columns. They lie far apart, so that the hardware's prefetchers see no stream there:
/// K formats gain by it, blocks of 32 do not.
inline fn prefetchColumns(comptime C: usize, first: [*]const u8, stride: usize) void {
    inline for (0..C) |c| {
        inline for (0..activations.group_bytes / 64) |line| @prefetch(first + c * stride + line * 64, .{});
    }
}

/// Adds `blocks` spans of 32 values of K. `source`: a Packed or a pointer to an Unpacked.
inline fn add(
    comptime format: Format,
    comptime C: usize,
    source: anytype,
    x: *const Columns(C),
    blocks: usize,
    sums: *Sums(C),
) void {
    @setEvalBranchQuota(100_000);
    const traits = comptime format.integer();
    if (traits.isPer32()) {
        addBlocks32(format, C, source, x, blocks, sums);
    } else if (traits.sub_len == 32) {
        add256(format, C, source, x, sums);
    } else {
        addSixteens(format, C, source, x, sums);
    }
}

/// Spans of 32 values that are blocks of their own.
inline fn addBlocks32(
    comptime format: Format,
    comptime C: usize,
    source: anytype,
    x: *const Columns(C),
    blocks: usize,
    sums: *Sums(C),
) void {
    const traits = comptime format.integer();
    // Sums begin at what a constant zero takes away, of which activations have −8 · Σ x; int8 is stored plus 128.
    const zero = if (traits.isSigned()) 128 else traits.zero;
    var starts: [C][8]i32 = undefined;
    var totals: [C][8]f32 = undefined;
    inline for (x, &starts, &totals) |column, *start, *total| {
        const offsets: @Vector(8, i32) = groupOf32(column).offsets;
        start.* = offsets * @as(@Vector(8, i32), @splat(zero / 8));
        total.* = @as(@Vector(8, f32), @floatFromInt(-(offsets >> @splat(3))));
    }
    for (0..blocks) |block| {
        source.prefetch(C, block);
        var isum: [C]simd.RowI32 = undefined;
        inline for (&isum, &starts) |*sum, *start| sum.* = @splat(if (zero == 0) 0 else start[block]);
        inline for (0..4) |u| addUnit(C, source.unit(block, u), x, 32 * block + 4 * u, &isum);
        const d = source.rowScale("d", block);
        inline for (x, isum, sums) |column, sum, *total| {
            total.* = simd.fma(simd.toFloat(sum), d * simd.splatRows(groupOf32(column).scales[block]), total.*);
        }
        if (traits.mins == .block) {
            const m = source.rowScale("m", block);
            inline for (x, &totals, sums) |column, *values, *total| {
                total.* = simd.fma(simd.splatRows(values[block]), m * simd.splatRows(groupOf32(column).scales[block]), total.*);
            }
        }
    }
}

fn groupOf32(column: *const activations.Group256) *const activations.Group32 {
    return @ptrCast(column);
}

/// Adds the products of a unit, whose K begins at `k`, and whose other half lies 16 further.
inline fn addUnit(comptime C: usize, unit: panel_file.Unit, x: *const Columns(C), k: usize, sums: *[C]simd.RowI32) void {
    inline for (x, sums) |column, *sum| sum.* = simd.dotAdd(sum.*, unit.low, simd.broadcast4(column.q[k..].ptr));
    inline for (x, sums) |column, *sum| sum.* = simd.dotAdd(sum.*, unit.high, simd.broadcast4(column.q[k + 16 ..].ptr));
}

/// 256 values in sub-blocks of 32 with mins.
inline fn add256(comptime format: Format, comptime C: usize, source: anytype, x: *const Columns(C), sums: *Sums(C)) void {
    const traits = comptime format.integer();
    comptime std.debug.assert(traits.mins == .sub_blocks);
    const centre = comptime (@as(i32, traits.quants.unsigned) + 1) / 2;
    // Of Q4_K 8 · 127 · 32 = 32,512 fits int16, of Q5_K 16 · 127 · 16.
    const part_len = if (centre * 127 * 32 <= std.math.maxInt(i16)) 32 else 16;
    comptime std.debug.assert(centre * 127 * part_len <= std.math.maxInt(i16));
    const parts = 256 / part_len;
    var starts: [C][parts]i32 = undefined;
    inline for (x, &starts) |column, *start| {
        const part_sums: @Vector(parts, i16) = if (part_len == 32) column.sums32 else column.sums16;
        start.* = @as(@Vector(parts, i32), part_sums) * @as(@Vector(parts, i32), @splat(-centre));
    }
    var isum: [C]simd.RowI32 = @splat(@splat(0));
    var msum = isum;
    for (0..4) |pair| {
        const scales = source.scalePair(pair);
        const mins = source.minPair(pair);
        const centred = scales *% @as(simd.RowI16, @splat(centre));
        inline for (x, &isum, &msum) |column, *sum, *min_sum| {
            const pair_sums = simd.broadcast2(column.sums32[2 * pair ..].ptr);
            sum.* = simd.addPairs(sum.*, centred, pair_sums);
            min_sum.* = simd.addPairs(min_sum.*, mins, pair_sums);
        }
        inline for (0..2) |parity| {
            source.prefetch(C, 2 * pair + parity);
            const scale = lowOf(scales, parity);
            inline for (0..32 / part_len) |part| {
                var partial: [C]simd.RowI32 = undefined;
                const index = (2 * pair + parity) * (32 / part_len) + part;
                inline for (&partial, &starts) |*sum, *start| sum.* = @splat(start[index]);
                addPart(C, part_len, source, x, 2 * pair + parity, part, &partial);
                inline for (&isum, partial) |*sum, value| sum.* = simd.addPairs(sum.*, @bitCast(value), scale);
            }
        }
    }
    const d = source.rowScale("d", 0);
    const dmin = source.rowScale("dmin", 0);
    inline for (x, isum, msum, sums) |column, sum, min_sum, *total| {
        const da = simd.splatRows(column.scale);
        total.* = simd.fma(simd.toFloat(sum), d * da, total.*);
        total.* = simd.fma(-simd.toFloat(min_sum), dmin * da, total.*);
    }
}

/// The first (0) or second (1) of each row's pair in the lower half of its int32, with zero above.
inline fn lowOf(pairs: simd.RowI16, comptime which: usize) simd.RowI16 {
    const words: simd.U32x16 = @bitCast(pairs);
    return @bitCast(if (which == 0) words & @as(simd.U32x16, @splat(0xffff)) else words >> @splat(16));
}

/// A span's products: of all of it, or of its first or second 16 values.
inline fn addPart(
    comptime C: usize,
    comptime len: usize,
    source: anytype,
    x: *const Columns(C),
    span: usize,
    comptime part: usize,
    sums: *[C]simd.RowI32,
) void {
    inline for (0..4) |u| {
        const unit = source.unit(span, u);
        if (len == 32) {
            addUnit(C, unit, x, 32 * span + 4 * u, sums);
        } else {
            const weights = if (part == 0) unit.low else unit.high;
            inline for (x, sums) |column, *sum| {
                sum.* = simd.dotAdd(sum.*, weights, simd.broadcast4(column.q[32 * span + 16 * part + 4 * u ..].ptr));
            }
        }
    }
}

/// 256 values in sub-blocks of 16, with a constant zero or mins.
inline fn addSixteens(comptime format: Format, comptime C: usize, source: anytype, x: *const Columns(C), sums: *Sums(C)) void {
    const traits = comptime format.integer();
    // Of Q2_K 3 · 127 · 16 = 6,096 fits int16, of Q3_K 14,224. Of Q6_K it does not.
    const fits = @as(usize, traits.quants.unsigned) * 127 * 16 <= std.math.maxInt(i16);
    var isum: [C]simd.RowI32 = @splat(@splat(0));
    var offset = isum;
    for (0..8) |span| {
        const scales = source.scalePair(span);
        const factors = if (comptime hasMins(format)) source.minPair(span) else scales;
        inline for (x, &offset) |column, *sum| {
            sum.* = simd.addPairs(sum.*, factors, simd.broadcast2(column.sums16[2 * span ..].ptr));
        }
        inline for (0..2) |part| {
            var partial: [C]simd.RowI32 = @splat(@splat(0));
            addPart(C, 16, source, x, span, part, &partial);
            const scale = if (fits) lowOf(scales, part) else simd.scaleOf(scales, part);
            inline for (&isum, partial) |*sum, value| {
                sum.* = if (fits) simd.addPairs(sum.*, @bitCast(value), scale) else sum.* +% value *% scale;
            }
        }
    }
    const d = source.rowScale("d", 0);
    inline for (x, isum, offset, sums) |column, sum, less, *total| {
        const da = simd.splatRows(column.scale);
        const whole = if (traits.zero == 0) sum else sum -% less *% @as(simd.RowI32, @splat(traits.zero));
        total.* = simd.fma(simd.toFloat(whole), d * da, total.*);
        if (comptime hasMins(format)) total.* = simd.fma(-simd.toFloat(less), source.rowScale("dmin", 0) * da, total.*);
    }
}
