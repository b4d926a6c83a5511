//! The integer matmul for many columns of a K format: 256 values of K of a panel are unpacked once to bytes, int16
//! scales and f32 factors, in the first-level cache, and then serve all columns. The arithmetic is that of
//! ops/matmul/tile.zig.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const activations = @import("../../quant/activations.zig");
const format_file = @import("../../quant/format.zig");
const Format = format_file.Format;
const tile = @import("tile.zig");
const item_file = @import("item.zig");
const Claim = item_file.Claim;

/// Columns at once; their sums wait in an array of this length between one 256 and the next.
const columns_max = 64;
/// Fewer columns than this do not pay for the unpacking.
const columns_min = 16;

const rows = simd.panel_rows;
const lanes = simd.row_lanes;
const unit_bytes = 4 * lanes;

/// Levels that have vnni.zig or i8mm.zig for K formats do not need this.
pub inline fn serves(comptime format: Format, span: item_file.Span) bool {
    return (comptime format.activationKind() == .per256 and !simd.has_wide_dot and !simd.has_block_dot) and span.count() >= columns_min;
}

pub fn cut(comptime _: Format, _: usize) item_file.Cut {
    return .{ .columns_max = columns_max };
}

/// Whole tiles here; tile.zig takes the columns that are left.
pub fn run(comptime format: Format, claim: *const Claim) void {
    const item = claim.item;
    const first = claim.span.first;
    const columns = comptime tile.columnsOf(format);
    const count = claim.span.count() / columns * columns;
    for (claim.panel_first..claim.panel_end) |panel| {
        var out: [columns_max][rows]f32 = undefined;
        const weights = claim.weights(format, panel);
        panelTimesColumns(format, columns, tile.groups_at_once, weights, item.k, item.quantised(first), count, &out);
        item.finishPanel(out[0..count], panel, first);
        tile.runPanel(format, claim, panel, first + count);
    }
}

/// 256 values of K of 16 rows.
fn Expanded(comptime format: Format) type {
    return struct {
        const Packed = format_file.Codec(format).Packed;
        const scale_pairs = 128 / @as(usize, format.integer().sub_len);
        const has_mins = format.integer().mins == .sub_blocks;

        /// [span of 32][unit][K group u or u + 4].
        q: [8][4][2][4 * rows]u8 align(64),
        scales: [scale_pairs][2 * rows]i16,
        mins: [if (has_mins) scale_pairs else 0][2 * rows]i16,
        d: [rows]f32,
        dmin: [if (has_mins) rows else 0]f32,

        fn fill(expanded: *@This(), chunk: *const Packed) void {
            inline for (0..tile.panel_groups) |group| {
                const row = group * lanes;
                const source: tile.PackedSource(format) = .{ .chunk = chunk, .row = row };
                for (0..8) |span| {
                    inline for (0..4) |u| {
                        const unit = source.unit(span, u, 0);
                        expanded.q[span][u][0][4 * row ..][0..unit_bytes].* = unit.low;
                        expanded.q[span][u][1][4 * row ..][0..unit_bytes].* = unit.high;
                    }
                }
                for (0..scale_pairs) |pair| {
                    expanded.scales[pair][2 * row ..][0 .. 2 * lanes].* = source.scalePair(pair, 0);
                    if (has_mins) expanded.mins[pair][2 * row ..][0 .. 2 * lanes].* = source.minPair(pair, 0);
                }
                expanded.d[row..][0..lanes].* = source.rowScale("d", 0, 0);
                if (has_mins) expanded.dmin[row..][0..lanes].* = source.rowScale("dmin", 0, 0);
            }
        }
    };
}

/// Reads what `fill` left, with PackedSource's functions.
fn ExpandedSource(comptime format: Format) type {
    return struct {
        chunk: *const Expanded(format),
        row: usize,

        const Source = @This();

        /// The first-level cache has it all.
        pub inline fn prefetch(_: Source, comptime _: usize, _: usize, comptime _: usize) void {}

        pub inline fn prefetchBefore(_: Source, comptime _: usize, _: usize, comptime _: usize, comptime _: usize, comptime _: usize) void {}

        pub inline fn unit(source: Source, span: usize, comptime u: usize, comptime group: usize) tile.Unit {
            const byte = 4 * (source.row + group * lanes);
            const both = &source.chunk.q[span][u];
            return .{ .low = both[0][byte..][0..unit_bytes].*, .high = both[1][byte..][0..unit_bytes].* };
        }

        pub inline fn scalePair(source: Source, pair: usize, comptime group: usize) simd.RowI16 {
            return source.chunk.scales[pair][2 * (source.row + group * lanes) ..][0 .. 2 * lanes].*;
        }

        pub inline fn minPair(source: Source, pair: usize, comptime group: usize) simd.RowI16 {
            return source.chunk.mins[pair][2 * (source.row + group * lanes) ..][0 .. 2 * lanes].*;
        }

        pub inline fn rowScale(source: Source, comptime name: []const u8, index: usize, comptime group: usize) simd.RowF32 {
            std.debug.assert(index == 0);
            return @field(source.chunk, name)[source.row + group * lanes ..][0..lanes].*;
        }
    };
}

/// One panel times `count` columns, a multiple of C and at most `columns_max`, G row groups at once. out[c][r].
fn panelTimesColumns(
    comptime format: Format,
    comptime C: usize,
    comptime G: usize,
    panel: [*]const u8,
    k: usize,
    columns: activations.Columns,
    count: usize,
    out: *[columns_max][rows]f32,
) void {
    std.debug.assert(count % C == 0 and count <= columns_max);
    const Codec = format_file.Codec(format);
    const chunks: [*]const Codec.Packed = @ptrCast(@alignCast(panel));
    var expanded: Expanded(format) = undefined;
    @memset(out[0..count], @as([rows]f32, @splat(0)));
    for (0..k / 256) |index| {
        expanded.fill(&chunks[index]);
        // The next chunk comes from memory meanwhile, some lines for each step.
        const next: [*]const u8 = @ptrCast(chunks + index + 1);
        const lines = @sizeOf(Codec.Packed) / 64;
        const lines_per_step = (lines * C + count - 1) / count;
        var line: usize = 0;
        var column: usize = 0;
        while (column < count) : (column += C) {
            const line_end = @min(lines, line + lines_per_step);
            while (line < line_end) : (line += 1) @prefetch(next + line * 64, .{});
            const after = if (column + C < count) column + C else 0;
            prefetchColumns(C, columns, after, if (after == 0) index + 1 else index);
            const x: activations.Columns = .{ .first = columns.first + column * columns.stride, .stride = columns.stride };
            var row: usize = 0;
            while (row < rows) : (row += G * lanes) {
                step(format, C, G, .{ .chunk = &expanded, .row = row }, x, index, out[column..][0..C]);
            }
        }
    }
}

/// Asks for 256 values of K of C columns. Columns lie far apart, so the hardware's prefetchers see no stream there:
/// with 512 columns of 8,192 values 1.08 times as fast on AVX-512; AVX2 takes longer over each and needs no help.
inline fn prefetchColumns(comptime C: usize, columns: activations.Columns, first: usize, index: usize) void {
    if (lanes != 16) return;
    const group = columns.first + first * columns.stride + index * activations.group_bytes;
    inline for (0..C) |c| {
        inline for (0..activations.group_bytes / 64) |line| @prefetch(group + c * columns.stride + line * 64, .{});
    }
}

/// Adds one 256 of K to the sums of C columns and G row groups.
inline fn step(
    comptime format: Format,
    comptime C: usize,
    comptime G: usize,
    source: ExpandedSource(format),
    columns: activations.Columns,
    index: usize,
    out: *[C][rows]f32,
) void {
    var acc: tile.Accumulators(C, G) = undefined;
    inline for (0..C) |c| {
        inline for (0..G) |g| acc[c][g] = out[c][source.row + g * lanes ..][0..lanes].*;
    }
    tile.chunk256(format, C, G, source, columns, index, &acc);
    inline for (0..C) |c| {
        inline for (0..G) |g| out[c][source.row + g * lanes ..][0..lanes].* = acc[c][g];
    }
}
