//! The integer matmul for two or more columns where one instruction multiplies 2 rows × 2 columns × 8 values of K (smmla).
//!
//! Columns are taken in pairs (the last one twice where their number is odd). 256 values of K at a time, the columns'
//! bytes are brought together by pairs, once for some panels, and each panel's weights are unpacked by pairs of rows to
//! signed bytes; both stay in the first-level cache. Sums, int32 and f32, are 2 × 2 blocks, { row 0 column 0, row 0
//! column 1, row 1 column 0, row 1 column 1 }, and every factor comes in that shape, so only the results are unzipped.
//!
//! A tile is 2 pairs of rows × 4 pairs of columns. In 32 registers that leaves room for the 8 operands of the rows, the
//! 4 of a column, 8 sums and, for the K formats, 8 running sums: 53 instructions for 32 multiplications of Q4_K, where
//! 4 pairs × 2 need 54, 2 × 2 need 57, and larger tiles spill.
//!
//! Integer sums are exact, and the float operations per output element are those of ops/matmul/tile.zig, in its order.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const activations = @import("../../quant/activations.zig");
const format_file = @import("../../quant/format.zig");
const Format = format_file.Format;
const tile = @import("tile.zig");
const item_file = @import("item.zig");
const Claim = item_file.Claim;

/// Columns at once.
const columns_max = 64;
/// Panels that share the columns' pairing; their sums stay in the first-level cache.
const panels_max = 4;
/// Pairs of columns in a tile.
const tile_pairs = 4;

const rows = simd.panel_rows;
/// Row groups of 4, two pairs each, in a panel.
const groups = rows / 4;

/// Sums of up to `panels_max` panels: [panel][column][row].
const Out = [panels_max][columns_max][rows]f32;

pub inline fn serves(comptime format: Format, span: item_file.Span) bool {
    return (comptime simd.has_block_dot and format.traits() == .integer) and span.count() >= 2;
}

pub fn cut(comptime _: Format, _: usize) item_file.Cut {
    return .{ .columns_max = columns_max };
}

pub fn run(comptime format: Format, claim: *const Claim) void {
    const item = claim.item;
    const first = claim.span.first;
    const count = claim.span.count();
    var out: Out = undefined;
    var panel = claim.panel_first;
    while (panel < claim.panel_end) : (panel += panels_max) {
        const panels = @min(panels_max, claim.panel_end - panel);
        panelsTimesColumns(format, claim.weights(format, panel), panels, item.k, item.quantised(first), count, &out);
        for (out[0..panels], panel..) |*sums, index| item.finishPanel(sums[0..count], index, first);
    }
}

/// 256 values of K of a pair of columns.
fn Pair(comptime format: Format) type {
    const traits = format.integer();
    const per32 = traits.isPer32();
    return struct {
        /// [K / 8]: eight values of each column.
        q: [32]simd.Eights,
        /// Σ q of each sub-block as 128 · digit 1 + digit 0, eight sub-blocks at a time.
        sums: [minEights(format)][2]simd.Eights,
        scales: [if (per32) 8 else 1]simd.RowF32,
        /// What a constant zero takes from each block's sum.
        offsets: [if (per32 and traits.zero != 0) 8 else 0]simd.RowI32,
        /// Σ x of each block.
        totals: [if (traits.mins == .block) 8 else 0]simd.RowF32,

        fn fill(pair: *@This(), columns: [2]*const activations.Group256) void {
            for (0..16) |i| {
                const both = [2]simd.Eights{ columns[0].q[16 * i ..][0..16].*, columns[1].q[16 * i ..][0..16].* };
                pair.q[2 * i] = zip(u64, both, 0);
                pair.q[2 * i + 1] = zip(u64, both, 1);
            }
            if (comptime hasMins(format)) pair.fillSums(columns);
            if (!per32) {
                pair.scales[0] = .{ columns[0].scale, columns[1].scale, columns[0].scale, columns[1].scale };
                return;
            }
            const blocks: [2]*const activations.Group32 = .{ @ptrCast(columns[0]), @ptrCast(columns[1]) };
            for (&pair.scales, blocks[0].scales, blocks[1].scales) |*both, a, b| both.* = .{ a, b, a, b };
            for (&pair.offsets, 0..) |*both, i| {
                const a = traits.zero / 8 * blocks[0].offsets[i];
                const b = traits.zero / 8 * blocks[1].offsets[i];
                both.* = .{ a, b, a, b };
            }
            for (&pair.totals, 0..) |*both, i| {
                const a = tile.sumOf(blocks[0].offsets[i]);
                const b = tile.sumOf(blocks[1].offsets[i]);
                both.* = .{ a, b, a, b };
            }
        }

        fn fillSums(pair: *@This(), columns: [2]*const activations.Group256) void {
            inline for (&pair.sums, 0..) |*digits, i| {
                const both: [2][8]i16 = if (traits.sub_len == 32)
                    .{ columns[0].sums32, columns[1].sums32 }
                else
                    .{ columns[0].sums16[8 * i ..][0..8].*, columns[1].sums16[8 * i ..][0..8].* };
                const sums: @Vector(16, i16) = both[0] ++ both[1];
                // |Σ| ≤ 32 · 127 = 4064 gives digits in −64..63 and −32..32.
                const low = (sums + @as(@Vector(16, i16), @splat(64)) & @as(@Vector(16, i16), @splat(127))) - @as(@Vector(16, i16), @splat(64));
                digits.* = .{ @truncate(low), @truncate(sums - low >> @splat(7)) };
            }
        }
    };
}

/// 256 values of K of a panel.
fn Weights(comptime format: Format) type {
    const traits = format.integer();
    const per32 = traits.isPer32();
    return struct {
        const Chunk = format_file.Chunk(format);
        const subs = if (per32) 0 else 256 / @as(usize, traits.sub_len);
        const blocks_per_chunk = format_file.chunkLen(format) / 32;

        /// [span of 32][row group][pair of rows][8 values of K of each].
        q: [8][groups][2][4]simd.Eights,
        /// [sub-block]: its scale less the next one's, which running sums want: Σ sₖ · (Pₖ − Pₖ₋₁) = Σ Pₖ · (sₖ − sₖ₊₁).
        scales: [subs][groups][2]simd.RowI32,
        /// The sub-blocks' mins, eight at a time.
        mins: [groups][minEights(format)][2]simd.Eights,
        d: [if (per32) 8 else 1][groups][2]simd.RowF32,
        dmin: [if (hasMins(format)) groups else 0][2]simd.RowF32,
        m: [if (traits.mins == .block) 8 else 0][groups][2]simd.RowF32,

        /// `blocks` ≤ 8: how many spans of 32 there are.
        fn fill(weights: *@This(), chunks: [*]const Chunk, blocks: usize) void {
            for (0..groups) |g| {
                for (0..blocks) |span| {
                    // A chunk of a K format is all eight spans, one of the others is two blocks of 32.
                    const chunk = if (per32) &chunks[span / blocks_per_chunk] else &chunks[0];
                    const part = if (per32) span % blocks_per_chunk else span;
                    weights.fillSpan(.{ .chunk = chunk, .row = 4 * g }, g, span, part);
                }
                if (!per32) weights.fillScales(.{ .chunk = &chunks[0], .row = 4 * g }, g);
            }
        }

        inline fn fillSpan(weights: *@This(), source: tile.PackedSource(format), g: usize, span: usize, part: usize) void {
            var fours: [8]simd.Eights = undefined;
            inline for (0..4) |u| {
                const unit = source.unit(part, u, 0);
                // Blocks of 32 have their zero in the columns' offsets.
                const zero: simd.Eights = @splat(if (per32) 0 else traits.zero);
                fours[u] = @as(simd.Eights, @bitCast(unit.low)) -% zero;
                fours[u + 4] = @as(simd.Eights, @bitCast(unit.high)) -% zero;
            }
            inline for (0..2) |r| {
                inline for (0..4) |i| weights.q[span][g][r][i] = zip(u32, fours[2 * i ..][0..2].*, r);
            }
            if (per32) weights.d[span][g] = doubled(source.rowScale("d", part, 0));
            if (traits.mins == .block) weights.m[span][g] = doubled(source.rowScale("m", part, 0));
        }

        inline fn fillScales(weights: *@This(), source: tile.PackedSource(format), g: usize) void {
            var next: simd.RowI32 = @splat(0);
            inline for (0..subs / 2) |i| {
                const pair = subs / 2 - 1 - i;
                const both = source.scalePair(pair, 0);
                inline for (.{ 1, 0 }) |which| {
                    const scale = simd.scaleOf(both, which);
                    weights.scales[2 * pair + which][g] = doubled(scale -% next);
                    next = scale;
                }
            }
            weights.d[0][g] = doubled(source.rowScale("d", 0, 0));
            if (comptime !hasMins(format)) return;
            weights.dmin[g] = doubled(source.rowScale("dmin", 0, 0));
            // Four rows' mins of two sub-blocks each; then of four, then of eight.
            inline for (&weights.mins[g], 0..) |*eights, i| {
                var twos: [4]@Vector(4, u16) = undefined;
                inline for (&twos, 0..) |*two, quarter| {
                    const mins: @Vector(8, u16) = @bitCast(source.minPair(4 * i + quarter, 0));
                    two.* = @bitCast(@as(@Vector(8, u8), @truncate(mins)));
                }
                const fours = [2]simd.Eights{ interleaved(twos[0], twos[1]), interleaved(twos[2], twos[3]) };
                eights.* = .{ zip(u32, fours, 0), zip(u32, fours, 1) };
            }
        }
    };
}

fn hasMins(comptime format: Format) bool {
    return format.integer().mins == .sub_blocks;
}

/// Registers of eight mins.
fn minEights(comptime format: Format) usize {
    return if (hasMins(format)) 32 / @as(usize, format.integer().sub_len) else 0;
}

/// The elements of the first (0) or second (1) halves of two registers in turn.
inline fn zip(comptime T: type, values: [2]simd.Eights, comptime which: usize) simd.Eights {
    const n = 16 / @sizeOf(T);
    const mask = comptime mask: {
        var indices: [n]i32 = undefined;
        for (&indices, 0..) |*index, i| {
            const from: i32 = which * n / 2 + i / 2;
            index.* = if (i % 2 == 0) from else ~from;
        }
        break :mask indices;
    };
    const a: @Vector(n, T) = @bitCast(values[0]);
    const b: @Vector(n, T) = @bitCast(values[1]);
    return @bitCast(@shuffle(T, a, b, mask));
}

inline fn interleaved(a: @Vector(4, u16), b: @Vector(4, u16)) simd.Eights {
    return @bitCast(@shuffle(u16, a, b, [8]i32{ 0, ~@as(i32, 0), 1, ~@as(i32, 1), 2, ~@as(i32, 2), 3, ~@as(i32, 3) }));
}

/// A value per row in the shape of the row pairs' blocks.
inline fn doubled(value: anytype) [2]@TypeOf(value) {
    const T = @typeInfo(@TypeOf(value)).vector.child;
    return .{
        @shuffle(T, value, undefined, [4]i32{ 0, 0, 1, 1 }),
        @shuffle(T, value, undefined, [4]i32{ 2, 2, 3, 3 }),
    };
}

/// `count` ≤ `panels_max` panels, `format.panelBytes(k)` apart, times `column_count` ≤ 64 columns.
fn panelsTimesColumns(
    comptime format: Format,
    panels: [*]const u8,
    count: usize,
    k: usize,
    columns: activations.Columns,
    column_count: usize,
    out: *Out,
) void {
    std.debug.assert(count <= panels_max and column_count <= columns_max);
    const Chunk = format_file.Chunk(format);
    std.debug.assert(count > 0 and column_count >= 2);
    const pair_count = (column_count + 1) / 2;
    var pairs: [columns_max / 2]Pair(format) = undefined;
    var weights: Weights(format) = undefined;
    for (out[0..count]) |*sums| @memset(sums[0 .. 2 * pair_count], @as([rows]f32, @splat(0)));
    for (0..(k + 255) / 256) |index| {
        for (pairs[0..pair_count], 0..) |*pair, i| {
            const second = @min(2 * i + 1, column_count - 1);
            pair.fill(.{ groupOf(columns, 2 * i, index), groupOf(columns, second, index) });
        }
        const blocks = @min(8, (k - 256 * index) / 32);
        for (out[0..count], 0..) |*sums, panel| {
            const chunks: [*]const Chunk = @ptrCast(@alignCast(panels + panel * format.panelBytes(k)));
            const step_chunks = 256 / comptime format_file.chunkLen(format);
            weights.fill(chunks + index * step_chunks, blocks);
            prefetchNext(@ptrCast(chunks + (index + 1) * step_chunks), step_chunks * @sizeOf(Chunk));
            for (0..groups) |g| rowsTimesPairs(format, &weights, g, pairs[0..pair_count], blocks, sums);
        }
    }
    for (out[0..count]) |*sums| unzip(sums[0 .. 2 * pair_count]);
}

fn groupOf(columns: activations.Columns, column: usize, index: usize) *const activations.Group256 {
    return @ptrCast(@alignCast(columns.first + column * columns.stride + index * activations.group_bytes));
}

/// Panels lie far apart, and each is read 256 values at a time: what this one needs next comes meanwhile.
inline fn prefetchNext(next: [*]const u8, bytes: usize) void {
    for (0..bytes / 64) |line| @prefetch(next + 64 * line, .{});
}

fn rowsTimesPairs(
    comptime format: Format,
    weights: *const Weights(format),
    g: usize,
    pairs: []const Pair(format),
    blocks: usize,
    sums: *[columns_max][rows]f32,
) void {
    var first: usize = 0;
    while (pairs.len - first >= tile_pairs) : (first += tile_pairs) {
        step(format, tile_pairs, weights, g, pairs[first..][0..tile_pairs], blocks, sums[2 * first ..]);
    }
    inline for (1..tile_pairs) |rest| {
        if (pairs.len - first == rest) {
            step(format, rest, weights, g, pairs[first..][0..rest], blocks, sums[2 * first ..]);
            return;
        }
    }
}

/// Adds `blocks` spans of 32 values of K of four rows and P pairs of columns. sums[2 · pair + pair of rows][4 · g ..]: a
/// block of 2 × 2.
inline fn step(
    comptime format: Format,
    comptime P: usize,
    weights: *const Weights(format),
    g: usize,
    pairs: *const [P]Pair(format),
    blocks: usize,
    sums: [][rows]f32,
) void {
    var acc: [P][2]simd.RowF32 = undefined;
    inline for (0..P) |p| {
        inline for (0..2) |r| acc[p][r] = sums[2 * p + r][4 * g ..][0..4].*;
    }
    switch (comptime format.integer().activation) {
        .per32 => for (0..blocks) |block| addBlock32(format, P, weights, g, pairs, block, &acc),
        .per256 => addBlock256(format, P, weights, g, pairs, &acc),
    }
    inline for (0..P) |p| {
        inline for (0..2) |r| sums[2 * p + r][4 * g ..][0..4].* = acc[p][r];
    }
}

inline fn addBlock32(
    comptime format: Format,
    comptime P: usize,
    weights: *const Weights(format),
    g: usize,
    pairs: *const [P]Pair(format),
    block: usize,
    acc: *[P][2]simd.RowF32,
) void {
    const traits = comptime format.integer();
    const w = weights.q[block][g];
    inline for (0..P) |p| {
        var isum: [2]simd.RowI32 = @splat(if (traits.zero != 0) pairs[p].offsets[block] else @splat(0));
        inline for (0..4) |i| {
            inline for (0..2) |r| isum[r] = simd.blockDotAdd(isum[r], w[r][i], pairs[p].q[4 * block + i]);
        }
        inline for (0..2) |r| {
            acc[p][r] = simd.fma(simd.toFloat(isum[r]), weights.d[block][g][r] * pairs[p].scales[block], acc[p][r]);
            if (traits.mins == .block) {
                acc[p][r] = simd.fma(pairs[p].totals[block], weights.m[block][g][r] * pairs[p].scales[block], acc[p][r]);
            }
        }
    }
}

inline fn addBlock256(
    comptime format: Format,
    comptime P: usize,
    weights: *const Weights(format),
    g: usize,
    pairs: *const [P]Pair(format),
    acc: *[P][2]simd.RowF32,
) void {
    const eights_per_sub = comptime format.integer().sub_len / 8;
    var isum: [P][2]simd.RowI32 = @splat(@splat(@splat(0)));
    var running = isum;
    for (0..8) |span| {
        const w = weights.q[span][g];
        inline for (0..4 / eights_per_sub) |part| {
            const scales = weights.scales[span * (4 / eights_per_sub) + part][g];
            inline for (0..P) |p| {
                inline for (part * eights_per_sub..(part + 1) * eights_per_sub) |i| {
                    inline for (0..2) |r| running[p][r] = simd.blockDotAdd(running[p][r], w[r][i], pairs[p].q[4 * span + i]);
                }
                inline for (0..2) |r| isum[p][r] +%= running[p][r] *% scales[r];
            }
        }
    }
    inline for (0..P) |p| {
        inline for (0..2) |r| {
            const d = weights.d[0][g][r] * pairs[p].scales[0];
            acc[p][r] = simd.fma(simd.toFloat(isum[p][r]), d, acc[p][r]);
            if (comptime hasMins(format)) {
                var high: simd.RowI32 = @splat(0);
                inline for (weights.mins[g], pairs[p].sums) |mins, sums| high = simd.blockDotAdd(high, mins[r], sums[1]);
                var msum = high << @splat(7);
                inline for (weights.mins[g], pairs[p].sums) |mins, sums| msum = simd.blockDotAdd(msum, mins[r], sums[0]);
                const dmin = weights.dmin[g][r] * pairs[p].scales[0];
                acc[p][r] = simd.fma(-simd.toFloat(msum), dmin, acc[p][r]);
            }
        }
    }
}

/// The blocks of each pair of columns become those columns' rows.
fn unzip(sums: [][rows]f32) void {
    var column: usize = 0;
    while (column < sums.len) : (column += 2) {
        for (0..groups) |g| {
            const a: simd.RowF32 = sums[column][4 * g ..][0..4].*;
            const b: simd.RowF32 = sums[column + 1][4 * g ..][0..4].*;
            sums[column][4 * g ..][0..4].* = @shuffle(f32, a, b, [4]i32{ 0, 2, ~@as(i32, 0), ~@as(i32, 2) });
            sums[column + 1][4 * g ..][0..4].* = @shuffle(f32, a, b, [4]i32{ 1, 3, ~@as(i32, 1), ~@as(i32, 3) });
        }
    }
}
