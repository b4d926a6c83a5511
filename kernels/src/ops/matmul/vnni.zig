//! The integer matmul for many columns where a register holds a panel's 16 rows and one instruction adds four products to
//! an int32 (AVX-512 VNNI).
//!
//! As in ops/matmul/expanded.zig, 256 values of K of a panel are unpacked once, in the first-level cache, and then serve all
//! columns. Here that goes as far as it spares a tile instructions: scales are int32 and come as differences, Q8_0's bytes
//! are made unsigned, and what is needed once for 256 values stays out of the inner loop. A tile of 8 columns then fits the
//! registers: 8 sums of products, 8 scaled ones (int32, or f32 for Q8_0), the weights and a scale. The arithmetic is
//! that of ops/matmul/tile.zig.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const activations = @import("../../quant/activations.zig");
const format_file = @import("../../quant/format.zig");
const Format = format_file.Format;
const tile = @import("tile.zig");
const item_file = @import("item.zig");
const Claim = item_file.Claim;

/// Columns in a tile. More would want more pointers than there are registers for.
const tile_columns = 8;
const rows = simd.panel_rows;

/// Columns at once; their sums wait in an array of this length between one 256 and the next.
const columns_max = 64;

/// K formats from 16 columns on; fewer do not pay for the unpacking. Of blocks of 32 nibbles are faster as ops/matmul/tile.zig
/// has them (measured with Q4_0: by 3 %). Q8_0's int8 has little to unpack: with the weights in memory it gains 3 to 6 % from
/// 32 columns on, and loses 2 % where they are in the second-level cache from one block of columns to the next.
pub inline fn serves(comptime format: Format, span: item_file.Span) bool {
    if (comptime !simd.has_wide_dot or format.traits() != .integer) return false;
    if (comptime format.activationKind() == .per256) return span.count() >= 16;
    return (comptime format.integer().isSigned()) and span.count() >= 32 and span.total <= columns_max;
}

pub fn cut(comptime _: Format, _: usize) item_file.Cut {
    return .{ .columns_max = columns_max };
}

/// Whole tiles here; tile.zig takes the columns that are left.
pub fn run(comptime format: Format, claim: *const Claim) void {
    const item = claim.item;
    const first = claim.span.first;
    const count = claim.span.count() / tile_columns * tile_columns;
    for (claim.panel_first..claim.panel_end) |panel| {
        var out: [columns_max][rows]f32 align(64) = undefined;
        panelTimesColumns(format, claim.weights(format, panel), item.k, item.quantised(first), count, &out);
        item.finishPanel(out[0..count], panel, first);
        tile.runPanel(format, claim, panel, first + count);
    }
}

fn hasMins(comptime format: Format) bool {
    return format.integer().mins == .sub_blocks;
}

/// 256 values of K of a panel.
fn Weights(comptime format: Format) type {
    const traits = format.integer();
    const per32 = traits.isPer32();
    return struct {
        const Chunk = format_file.Chunk(format);
        const subs = if (per32) 0 else 256 / @as(usize, traits.sub_len);
        const blocks_per_chunk = format_file.chunkLen(format) / 32;

        /// [span of 32][K group]; int8: plus 128.
        q: [8][8]simd.RowU8,
        /// [sub-block]: its scale less the next one's, which running sums want: Σ sₖ · (Pₖ − Pₖ₋₁) = Σ Pₖ · (sₖ − sₖ₊₁).
        scales: [subs]simd.RowI32,
        /// Of two sub-blocks: the mins, or the scales again where the zero is constant, multiplied by sums of activations.
        pairs: [subs / 2]simd.RowI16,
        d: [if (per32) 8 else 1]simd.RowF32,
        dmin: [if (hasMins(format)) 1 else 0]simd.RowF32,

        /// `blocks` ≤ 8: how many spans of 32 there are.
        fn fill(weights: *@This(), chunks: [*]const Chunk, blocks: usize) void {
            for (0..blocks) |span| {
                // A chunk of a K format is all eight spans, one of the others is two blocks of 32.
                const chunk = if (per32) &chunks[span / blocks_per_chunk] else &chunks[0];
                const part = if (per32) span % blocks_per_chunk else span;
                const source: tile.PackedSource(format) = .{ .chunk = chunk, .row = 0 };
                inline for (0..4) |u| {
                    const unit = source.unit(part, u, 0);
                    inline for (.{ unit.low, unit.high }, .{ u, u + 4 }) |bytes, g| {
                        weights.q[span][g] = if (traits.isSigned()) simd.SignedRows.from(@bitCast(bytes)).unsigned else bytes;
                    }
                }
                if (per32) weights.d[span] = source.rowScale("d", part, 0);
            }
            if (!per32) weights.fillScales(.{ .chunk = &chunks[0], .row = 0 });
        }

        fn fillScales(weights: *@This(), source: tile.PackedSource(format)) void {
            var next: simd.RowI32 = @splat(0);
            inline for (0..subs / 2) |i| {
                const pair = subs / 2 - 1 - i;
                const both = source.scalePair(pair, 0);
                inline for (.{ 1, 0 }) |which| {
                    const scale = simd.scaleOf(both, which);
                    weights.scales[2 * pair + which] = scale -% next;
                    next = scale;
                }
                weights.pairs[pair] = if (comptime hasMins(format)) source.minPair(pair, 0) else both;
            }
            weights.d[0] = source.rowScale("d", 0, 0);
            if (comptime hasMins(format)) weights.dmin[0] = source.rowScale("dmin", 0, 0);
        }
    };
}

const Columns = [tile_columns]*const activations.Group256;
const Sums = [tile_columns]simd.RowF32;

/// One panel times `count` columns, a multiple of `tile_columns` and at most 64. out[c][r].
fn panelTimesColumns(
    comptime format: Format,
    panel: [*]const u8,
    k: usize,
    columns: activations.Columns,
    count: usize,
    out: *align(64) [columns_max][rows]f32,
) void {
    std.debug.assert(count % tile_columns == 0 and count <= columns_max);
    const Chunk = format_file.Chunk(format);
    std.debug.assert(count > 0 and k % format.blockLen() == 0);
    const step_chunks = 256 / comptime format_file.chunkLen(format);
    var chunks: [*]const Chunk = @ptrCast(@alignCast(panel));
    var weights: Weights(format) = undefined;
    @memset(out[0..count], @as([rows]f32, @splat(0)));
    // The next chunks come from memory meanwhile, some lines for each tile.
    const line_groups = columns_max / tile_columns;
    const group_bytes = (step_chunks * @sizeOf(Chunk) / 64 + line_groups - 1) / line_groups * 64;
    const groups_per_tile = (line_groups * tile_columns + count - 1) / count;
    const tile_stride = tile_columns * columns.stride;
    for (0..(k + 255) / 256) |index| {
        const blocks = @min(8, (k - 256 * index) / 32);
        weights.fill(chunks, blocks);
        chunks += step_chunks;
        var next: [*]const u8 = @ptrCast(chunks);
        var first = columns.first + index * activations.group_bytes;
        var column: usize = 0;
        while (column < count) : (column += tile_columns) {
            for (0..groups_per_tile) |_| {
                inline for (0..group_bytes / 64) |line| @prefetch(next + line * 64, .{});
                next += group_bytes;
            }
            const last = column + tile_columns == count;
            const step = if (last) activations.group_bytes -% (count - tile_columns) * columns.stride else tile_stride;
            var x: Columns = undefined;
            inline for (&x, 0..) |*pointer, c| pointer.* = @ptrCast(@alignCast(first + c * columns.stride));
            first = @ptrFromInt(@intFromPtr(first) +% step);
            if (comptime !format.integer().isPer32()) prefetchColumns(first, columns.stride);
            const sums: *Sums = @ptrCast(@alignCast(out[column..][0..tile_columns]));
            if (comptime format.integer().isPer32()) {
                addBlocks32(format, &weights, &x, blocks, sums);
            } else {
                add256(format, &weights, &x, sums);
            }
        }
    }
}

/// Asks for 256 values of K of a tile's columns. They lie far apart, so that the hardware's prefetchers see no stream there:
/// K formats gain by it, Q8_0, with fewer columns (`serves`), does not.
inline fn prefetchColumns(first: [*]const u8, stride: usize) void {
    inline for (0..tile_columns) |c| {
        inline for (0..activations.group_bytes / 64) |line| @prefetch(first + c * stride + line * 64, .{});
    }
}

/// Adds `blocks` spans of 32 values of K.
inline fn addBlocks32(comptime format: Format, weights: *const Weights(format), columns: *const Columns, blocks: usize, sums: *Sums) void {
    var starts: [tile_columns][8]i32 = undefined;
    inline for (columns, &starts) |column, *start| {
        const offsets: @Vector(8, i32) = groupOf32(column).offsets;
        // Weights plus 128: −128 · Σ x, of which the offset is a sixteenth.
        start.* = offsets << @splat(4);
    }
    var acc = sums.*;
    for (0..blocks) |block| {
        var isum: [tile_columns]simd.RowI32 = undefined;
        inline for (&isum, &starts) |*sum, *start| sum.* = @splat(start[block]);
        inline for (&weights.q[block], 0..) |*w, g| {
            inline for (columns, &isum) |column, *sum| sum.* = simd.dotAdd(sum.*, w.*, simd.broadcast4(column.q[32 * block + 4 * g ..].ptr));
        }
        inline for (columns, isum, &acc) |column, sum, *total| {
            const d = weights.d[block] * simd.splatRows(groupOf32(column).scales[block]);
            total.* = simd.fma(simd.toFloat(sum), d, total.*);
        }
    }
    sums.* = acc;
}

fn groupOf32(column: *const activations.Group256) *const activations.Group32 {
    return @ptrCast(column);
}

/// Adds 256 values of K.
inline fn add256(comptime format: Format, weights: *const Weights(format), columns: *const Columns, sums: *Sums) void {
    const traits = comptime format.integer();
    const groups_per_sub = traits.sub_len / 4;
    var isum: [tile_columns]simd.RowI32 = @splat(@splat(0));
    var running = isum;
    for (0..4) |pair| {
        inline for (0..16 / groups_per_sub) |part| {
            inline for (0..groups_per_sub) |i| {
                const g = part * groups_per_sub + i;
                const w = weights.q[2 * pair + g / 8][g % 8];
                inline for (columns, &running) |column, *sum| sum.* = simd.dotAdd(sum.*, w, simd.broadcast4(column.q[64 * pair + 4 * g ..].ptr));
            }
            const scales = weights.scales[pair * (16 / groups_per_sub) + part];
            inline for (&isum, running) |*sum, partial| sum.* +%= partial *% scales;
        }
    }
    inline for (columns, &isum, sums) |column, *sum, *total| {
        var offset: simd.RowI32 = @splat(0);
        inline for (weights.pairs, 0..) |pair, i| {
            const pair_sums = if (traits.sub_len == 32) column.sums32[2 * i ..] else column.sums16[2 * i ..];
            offset = simd.addPairs(offset, pair, simd.broadcast2(pair_sums.ptr));
        }
        const da = simd.splatRows(column.scale);
        if (traits.zero != 0) sum.* -%= offset *% @as(simd.RowI32, @splat(traits.zero));
        total.* = simd.fma(simd.toFloat(sum.*), weights.d[0] * da, total.*);
        if (comptime hasMins(format)) total.* = simd.fma(-simd.toFloat(offset), weights.dmin[0] * da, total.*);
    }
}
