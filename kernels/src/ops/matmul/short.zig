//! The integer matmul from some columns on where a register holds 8 rows, there are 16 registers, and products of bytes come as
//! int16 sums of pairs (AVX2). The arithmetic is that of ops/matmul/tile.zig.
//!
//! 256 values of K of a panel are unpacked once, in the first-level cache, to what a tile of 4 columns and all 16 rows takes
//! without a further step: bytes in the order of K, of int8 also magnitudes, scales in the shape that partial sums want. The
//! tile's eight sums, a group's weights and an activation fill the registers. So the groups of a part are a loop: unrolled,
//! the compiler loads groups ahead and spills sums.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const activations = @import("../../quant/activations.zig");
const format_file = @import("../../quant/format.zig");
const Format = format_file.Format;
const tile = @import("tile.zig");
const item_file = @import("item.zig");
const Claim = item_file.Claim;

/// Columns in a tile at most.
const tile_columns = 4;
/// The fewest columns that pay for the unpacking; tiles of equal sizes then have three at least. Measured.
const columns_min = 8;
/// K formats have as many at most: more are faster as ops/matmul/expanded.zig has them, by 1 to 2 %.
const columns_most_k = 31;
/// Columns at once; their sums wait in an array of this length between one 256 and the next.
const columns_max = 64;

const rows = simd.panel_rows;
const halves = tile.panel_groups;
/// Sums of a tile: [column][row group].
fn Of(comptime C: usize, comptime Lanes: type) type {
    return [C][halves]Lanes;
}

/// Blocks of 32, and K formats whose sub-blocks have 32 values.
pub inline fn serves(comptime format: Format, span: item_file.Span) bool {
    if (comptime !simd.has_short_pairs or format.traits() != .integer or format.integer().sub_len != 32) return false;
    const most = if (comptime format.integer().isPer32()) columns_max else columns_most_k;
    return span.count() >= columns_min and span.count() <= most;
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
        panelTimesColumns(format, claim.weights(format, panel), item.k, item.quantised(first), count, &out);
        item.finishPanel(out[0..count], panel, first);
    }
}

fn hasMins(comptime format: Format) bool {
    return format.integer().mins == .sub_blocks;
}

/// How many dot products of a sub-block, one after another, a partial sum can hold.
fn dotsAtOnce(comptime format: Format) usize {
    const traits = format.integer();
    return std.math.floorPowerOfTwo(usize, @min(traits.sub_len / 4, traits.dotsWithin(simd.partial_max)));
}

/// 256 values of K of 16 rows.
fn Weights(comptime format: Format) type {
    const traits = format.integer();
    const per32 = traits.isPer32();
    const subs = if (per32) 0 else 256 / @as(usize, traits.sub_len);
    const blocks_per_chunk = format_file.chunkLen(format) / 32;
    return struct {
        const Chunk = format_file.Chunk(format);

        /// [K group]; of int8 as simd.SignedRows has them.
        q: [64][halves]simd.RowU8,
        signed: [if (traits.isSigned()) 64 else 0][halves]simd.RowI8,
        scales: [subs][halves]simd.Scale,
        /// Of two sub-blocks: the mins, or the scales again where the zero is constant, multiplied by sums of activations.
        pairs: [subs / 2][halves]simd.RowI16,
        d: [if (per32) 8 else 1][halves]simd.RowF32,
        dmin: [if (hasMins(format)) 1 else 0][halves]simd.RowF32,
        m: [if (traits.mins == .block) 8 else 0][halves]simd.RowF32,

        /// `blocks` ≤ 8: how many spans of 32 there are.
        fn fill(weights: *@This(), chunks: [*]const Chunk, blocks: usize) void {
            inline for (0..halves) |half| {
                for (0..blocks) |span| {
                    // A chunk of a K format is all eight spans, one of the others is two blocks of 32.
                    const chunk = if (per32) &chunks[span / blocks_per_chunk] else &chunks[0];
                    const part = if (per32) span % blocks_per_chunk else span;
                    const source: tile.PackedSource(format) = .{ .chunk = chunk, .row = half * simd.row_lanes };
                    inline for (0..4) |u| {
                        const unit = source.unit(part, u, 0);
                        weights.put(8 * span + u, half, unit.low);
                        weights.put(8 * span + u + 4, half, unit.high);
                    }
                    if (per32) weights.d[span][half] = source.rowScale("d", part, 0);
                    if (traits.mins == .block) weights.m[span][half] = source.rowScale("m", part, 0);
                }
                if (!per32) weights.fillScales(half, .{ .chunk = &chunks[0], .row = half * simd.row_lanes });
            }
        }

        inline fn put(weights: *@This(), group: usize, comptime half: usize, bytes: simd.RowU8) void {
            if (traits.isSigned()) {
                const both: simd.SignedRows = .from(@bitCast(bytes));
                weights.signed[group][half] = both.value;
                weights.q[group][half] = both.unsigned;
            } else {
                weights.q[group][half] = bytes;
            }
        }

        fn fillScales(weights: *@This(), comptime half: usize, source: tile.PackedSource(format)) void {
            for (0..subs / 2) |pair| {
                const both = source.scalePair(pair, 0);
                inline for (0..2) |which| weights.scales[2 * pair + which][half] = simd.scaleOf(both, which);
                weights.pairs[pair][half] = if (comptime hasMins(format)) source.minPair(pair, 0) else both;
            }
            weights.d[0][half] = source.rowScale("d", 0, 0);
            if (comptime hasMins(format)) weights.dmin[0][half] = source.rowScale("dmin", 0, 0);
        }
    };
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
    std.debug.assert(count >= columns_min and count <= columns_max and k % format.blockLen() == 0);
    const Chunk = format_file.Chunk(format);
    const step_chunks = 256 / comptime format_file.chunkLen(format);
    const chunks: [*]const Chunk = @ptrCast(@alignCast(panel));
    var weights: Weights(format) = undefined;
    @memset(out[0..count], @as([rows]f32, @splat(0)));
    const tiles = (count + tile_columns - 1) / tile_columns;
    // The next chunks come from memory meanwhile, some lines for each tile.
    const lines_per_tile = (step_chunks * @sizeOf(Chunk) / 64 + tiles - 1) / tiles;
    for (0..(k + 255) / 256) |index| {
        const blocks = @min(8, (k - 256 * index) / 32);
        weights.fill(chunks + index * step_chunks, blocks);
        var next: [*]const u8 = @ptrCast(chunks + (index + 1) * step_chunks);
        var column: usize = 0;
        for (0..tiles) |t| {
            for (0..lines_per_tile) |line| @prefetch(next + line * 64, .{});
            next += lines_per_tile * 64;
            // The first tiles have one column more where the count does not divide.
            const size = count / tiles + @intFromBool(t < count % tiles);
            const x: activations.Columns = .{ .first = columns.first + column * columns.stride, .stride = columns.stride };
            switch (size) {
                inline 3...tile_columns => |C| {
                    const sums: *Of(C, simd.RowF32) = @ptrCast(@alignCast(out[column..][0..C]));
                    @call(.never_inline, add, .{ format, C, &weights, x, index, blocks, sums });
                },
                else => unreachable,
            }
            column += size;
        }
    }
}

/// Adds `blocks` spans of 32 values of K to a tile's sums. index: of the group of activations.
fn add(
    comptime format: Format,
    comptime C: usize,
    weights: *const Weights(format),
    columns: activations.Columns,
    index: usize,
    blocks: usize,
    sums: *Of(C, simd.RowF32),
) void {
    if (comptime format.integer().isPer32()) {
        var x: [C]*const activations.Group32 = undefined;
        inline for (&x, 0..) |*pointer, c| pointer.* = columns.group(activations.Group32, c, index);
        addBlocks32(format, C, weights, &x, blocks, sums);
    } else {
        var x: [C]*const activations.Group256 = undefined;
        inline for (&x, 0..) |*pointer, c| pointer.* = columns.group(activations.Group256, c, index);
        add256(format, C, weights, &x, sums);
    }
}

/// What products are summed in: of int8 at once int32.
fn Partial(comptime format: Format) type {
    return if (format.integer().isSigned()) simd.RowI32 else simd.Partial;
}

/// begin + the dot products of `count` K groups from `first` on. begin: for each column.
inline fn dots(
    comptime format: Format,
    comptime C: usize,
    comptime count: usize,
    weights: *const Weights(format),
    x: anytype,
    first: usize,
    begin: [C]Partial(format),
) Of(C, Partial(format)) {
    var sums: Of(C, Partial(format)) = undefined;
    inline for (&sums, begin) |*column, start| column.* = @splat(start);
    // Constant zeros make the first ones products alone.
    const at_once = @min(2, count);
    inline for (0..at_once) |g| addGroup(format, C, weights, x, first + g, &sums);
    if (count > at_once) {
        var group = first + at_once;
        const end = first + simd.hidden(@as(usize, count));
        while (group != end) : (group += 2) {
            addGroup(format, C, weights, x, group, &sums);
            addGroup(format, C, weights, x, group + 1, &sums);
        }
    }
    return sums;
}

inline fn addGroup(
    comptime format: Format,
    comptime C: usize,
    weights: *const Weights(format),
    x: anytype,
    group: usize,
    sums: *Of(C, Partial(format)),
) void {
    const bytes = &weights.q[group];
    inline for (x, sums) |column, *column_sums| {
        const values = simd.broadcast4(column.q[4 * group ..].ptr);
        inline for (column_sums, 0..) |*sum, half| {
            if (comptime format.integer().isSigned()) {
                sum.* = simd.dotSigned(sum.*, .{ .value = weights.signed[group][half], .unsigned = bytes[half] }, values);
            } else {
                sum.* = simd.dotAdd(sum.*, bytes[half], values);
            }
        }
    }
}

/// Whether a block's sums begin with the constant zero's part, −zero / 2 · Σ x in both lanes of a row, which leaves them in
/// range again at the end: of Q4_0 16 · 127 · (11 + 4) = 30,480.
fn beginsWithZero(comptime format: Format) bool {
    const traits = format.integer();
    if (traits.isSigned() or traits.zero == 0 or dotsAtOnce(format) < 8) return false;
    const half: usize = traits.zero / 2;
    return 16 * 127 * (@max(traits.quants.unsigned - half, half) + half) <= std.math.maxInt(i16);
}

/// `blocks` blocks of 32 values.
inline fn addBlocks32(
    comptime format: Format,
    comptime C: usize,
    weights: *const Weights(format),
    x: *const [C]*const activations.Group32,
    blocks: usize,
    sums: *Of(C, simd.RowF32),
) void {
    var begins: [C][8]i32 = undefined;
    if (comptime beginsWithZero(format)) inline for (x, &begins) |column, *begin| {
        // Activations have −8 · Σ x.
        const eighths = comptime format.integer().zero / 8;
        const lane = (@as(@Vector(8, i32), column.offsets) >> @splat(1)) * @as(@Vector(8, i32), @splat(eighths));
        begin.* = (lane << @splat(16)) | (lane & @as(@Vector(8, i32), @splat(0xffff)));
    };
    for (0..blocks) |block| {
        var begin: [C]Partial(format) = @splat(@splat(0));
        if (comptime beginsWithZero(format)) inline for (&begin, &begins) |*word, *words| {
            word.* = @bitCast(@as(simd.RowI32, @splat(words[block])));
        };
        addBlock32(format, C, weights, x, block, begin, sums);
    }
}

inline fn addBlock32(
    comptime format: Format,
    comptime C: usize,
    weights: *const Weights(format),
    x: *const [C]*const activations.Group32,
    block: usize,
    begin: [C]Partial(format),
    sums: *Of(C, simd.RowF32),
) void {
    const traits = comptime format.integer();
    var isum: Of(C, simd.RowI32) = undefined;
    if (traits.isSigned()) {
        isum = dots(format, C, 8, weights, x, 8 * block, begin);
    } else {
        const count = comptime dotsAtOnce(format);
        inline for (0..8 / count) |part| {
            const partial = dots(format, C, count, weights, x, 8 * block + count * part, begin);
            inline for (&isum, partial) |*column, pairs| {
                inline for (column, pairs) |*sum, pair| sum.* = if (part == 0) simd.joined(pair) else sum.* +% simd.joined(pair);
            }
        }
    }
    inline for (x, &isum, sums) |column, *column_sums, *totals| {
        const da = simd.splatRows(column.scales[block]);
        const offset = column.offsets[block];
        inline for (column_sums, totals, 0..) |*sum, *total, half| {
            if (traits.zero != 0 and !(comptime beginsWithZero(format))) sum.* +%= @splat(traits.zero / 8 * offset);
            total.* = simd.fma(simd.toFloat(sum.*), weights.d[block][half] * da, total.*);
            if (traits.mins == .block) total.* = simd.fma(simd.splatRows(tile.sumOf(offset)), weights.m[block][half] * da, total.*);
        }
    }
}

/// 256 values of a K format.
inline fn add256(
    comptime format: Format,
    comptime C: usize,
    weights: *const Weights(format),
    x: *const [C]*const activations.Group256,
    sums: *Of(C, simd.RowF32),
) void {
    const traits = comptime format.integer();
    const count = comptime dotsAtOnce(format);
    const groups_per_sub = traits.sub_len / 4;
    const zero: [C]simd.Partial = @splat(@splat(0));
    var isum: Of(C, simd.RowI32) = @splat(@splat(@splat(0)));
    for (0..weights.scales.len) |sub| {
        inline for (0..groups_per_sub / count) |part| {
            const partial = dots(format, C, count, weights, x, groups_per_sub * sub + count * part, zero);
            inline for (&isum, partial) |*column, pairs| {
                inline for (column, pairs, 0..) |*sum, pair, half| sum.* +%= simd.scaled(pair, weights.scales[sub][half]);
            }
        }
    }
    inline for (x, &isum, sums) |column, *column_sums, *totals| {
        var offset: [halves]simd.RowI32 = @splat(@splat(0));
        inline for (&weights.pairs, 0..) |*pairs, i| {
            const part_sums = if (traits.sub_len == 32) column.sums32[2 * i ..] else column.sums16[2 * i ..];
            const both = simd.broadcast2(part_sums.ptr);
            inline for (&offset, pairs) |*sum, pair| sum.* = simd.addPairs(sum.*, pair, both);
        }
        const da = simd.splatRows(column.scale);
        inline for (column_sums, offset, totals, 0..) |*sum, less, *total, half| {
            if (traits.zero != 0) sum.* -%= less *% @as(simd.RowI32, @splat(traits.zero));
            total.* = simd.fma(simd.toFloat(sum.*), weights.d[0][half] * da, total.*);
            if (comptime hasMins(format)) total.* = simd.fma(-simd.toFloat(less), weights.dmin[0][half] * da, total.*);
        }
    }
}
