//! The integer matmul from some columns on where a register holds a panel's 16 rows and one instruction adds four products to
//! an int32 (AVX-512 VNNI). The arithmetic is that of ops/matmul/tile.zig.
//!
//! A tile is up to 8 columns: two sums of products of each, so that no product waits for the one before it, their scaled sums
//! and what belongs to the weights fit the registers. Up to 8 columns read the panel as it lies in memory, once. More share 256
//! values of K that are unpacked once, in the first-level cache; tiles are then of equal sizes as far as that goes, since those
//! of few columns wait for their sums.
//!
//! Sums of products are kept as small as scaling wants them. Less a constant centre c of the quants, the sum over a part of a
//! sub-block fits int16: Σ (q − c) · x, which begins at −c · Σ x. Then one instruction, which multiplies int16 and adds, scales
//! it, where an int32 takes a product of twice the work and an addition. What the centre took away is c · scale · Σ x.

const std = @import("std");
const builtin = @import("builtin");
const simd = @import("../../isa/simd.zig");
const activations = @import("../../quant/activations.zig");
const format_file = @import("../../quant/format.zig");
const Format = format_file.Format;
const panel_file = @import("../../quant/panel.zig");
const parts = @import("vnni_parts.zig");
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
    return span.count() >= comptime columnsMin(format);
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
        const source: parts.Packed(format) = .{ .chunks = chunks + index * comptime parts.chunksPer256(format) };
        add(format, C, source, &x, @min(8, (k - 256 * index) / 32), 0, &sums);
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
    const step_chunks = comptime parts.chunksPer256(format);
    const chunks: [*]const Chunk = @ptrCast(@alignCast(panel));
    var weights: parts.Unpacked(format) = undefined;
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
    weights: *const parts.Unpacked(format),
    first: [*]const u8,
    stride: usize,
    blocks: usize,
    sums: *Sums(C),
) void {
    var x: Columns(C) = undefined;
    inline for (&x, 0..) |*pointer, c| pointer.* = @ptrCast(@alignCast(simd.hidden(first + c * stride)));
    add(format, C, weights, &x, blocks, C * stride, sums);
}

/// Adds `blocks` spans of 32 values of K. `source`: a Packed or a pointer to an Unpacked; `ahead`: how far behind these columns
/// the ones lie that come next, 0: there are none.
inline fn add(
    comptime format: Format,
    comptime C: usize,
    source: anytype,
    x: *const Columns(C),
    blocks: usize,
    ahead: usize,
    sums: *Sums(C),
) void {
    @setEvalBranchQuota(100_000);
    if (comptime format.integer().isPer32()) {
        addBlocks32(format, C, source, x, blocks, sums);
    } else {
        add256(format, C, source, x, ahead, sums);
    }
}

/// Where the columns' values of the next K lie. An address of its own for each, since one with an index costs a product a
/// second place in the processor's queues (Intel).
fn Values(comptime C: usize) type {
    return [C][*]const i8;
}

inline fn valuesOf(comptime C: usize, x: *const Columns(C)) Values(C) {
    var values: Values(C) = undefined;
    inline for (x, &values) |column, *pointer| pointer.* = &column.q;
    return values;
}

inline fn advance(comptime C: usize, values: *Values(C), count: usize) void {
    inline for (values) |*pointer| pointer.* = simd.hidden(pointer.* + count);
}

/// Asks for a line of each of the next columns. They lie far apart, so that the hardware's prefetchers see no stream there:
/// K formats gain by it on some machines (Zen 4), blocks of 32 do not. All lines of a tile at once would hold up its products.
inline fn prefetchAhead(comptime C: usize, values: *const Values(C), ahead: usize) void {
    if (ahead == 0) return;
    inline for (values) |pointer| @prefetch(pointer + ahead, .{});
}

/// A tile's sums of products.
fn Dots(comptime C: usize) type {
    return [C]simd.RowI32;
}

/// Adds the products of `spans` spans of 32 from `first` on, to sums of each span, or of both halves of the one.
///
/// A product waits some five cycles for the one before it in its sum, and two begin in each cycle: the 8 sums of one span would
/// keep the multipliers waiting, the 16 of two do not. So they go side by side, and the compiler may not put them one after
/// another.
inline fn addProducts(
    comptime C: usize,
    comptime spans: usize,
    source: anytype,
    first: usize,
    values: *const Values(C),
    sums: anytype,
) void {
    inline for (0..4) |u| {
        var units: [spans]panel_file.Unit = undefined;
        inline for (&units, 0..) |*unit, s| unit.* = source.unit(first + s, u);
        inline for (.{ "low", "high" }, 0..) |name, half| {
            inline for (units, 0..) |unit, s| {
                // With a sum for each half there is one span.
                const sum_index = if (spans < sums.len) half else s;
                inline for (values, &sums[sum_index]) |x, *sum| {
                    sum.* = simd.dotAdd(sum.*, @field(unit, name), simd.broadcast4(x + 32 * s + 16 * half + 4 * u));
                }
            }
        }
        inline for (sums) |*some| inline for (some) |*sum| {
            sum.* = inOrder(sum.*);
        };
    }
}

/// The same sums, computed before those of a later call.
inline fn inOrder(sums: simd.RowI32) simd.RowI32 {
    return if (builtin.zig_backend != .stage2_llvm) sums else asm volatile (""
        : [out] "=v" (-> simd.RowI32),
        : [in] "0" (sums),
    );
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
    var inputs: Inputs32(C) = .{ .columns = x };
    inline for (x, &inputs.begins, &inputs.sums) |column, *begin, *sum| {
        const offsets: @Vector(8, i32) = groupOf32(column).offsets;
        begin.* = offsets * @as(@Vector(8, i32), @splat(zero / 8));
        sum.* = @as(@Vector(8, f32), @floatFromInt(-(offsets >> @splat(3))));
    }
    var totals = sums.*;
    var values = valuesOf(C, x);
    var block: usize = 0;
    while (block + 2 <= blocks) : (block += 2) {
        addSome32(format, C, 2, source, &inputs, &values, block, &totals);
        advance(C, &values, 64);
    }
    if (block < blocks) addSome32(format, C, 1, source, &inputs, &values, block, &totals);
    sums.* = totals;
}

fn Inputs32(comptime C: usize) type {
    return struct {
        columns: *const Columns(C),
        /// What sums of products begin with, and Σ x: [column][block].
        begins: Begins(C, 8) = undefined,
        sums: [C][8]f32 = undefined,
    };
}

/// What each column's sums of products begin with.
fn Begins(comptime C: usize, comptime count: usize) type {
    return [C][count]i32;
}

/// `spans` blocks from `first` on.
inline fn addSome32(
    comptime format: Format,
    comptime C: usize,
    comptime spans: usize,
    source: anytype,
    inputs: *const Inputs32(C),
    values: *const Values(C),
    first: usize,
    totals: *Sums(C),
) void {
    const traits = comptime format.integer();
    var dots: [spans]Dots(C) = undefined;
    inline for (&dots, 0..) |*some, s| {
        source.prefetch(C, first + s);
        inline for (some, &inputs.begins) |*sum, *begin| {
            sum.* = @splat(if (!traits.isSigned() and traits.zero == 0) 0 else begin[first + s]);
        }
    }
    addProducts(C, spans, source, first, values, &dots);
    inline for (dots, 0..) |some, s| {
        const d = source.rowScale("d", first + s);
        inline for (inputs.columns, some, totals) |column, sum, *total| {
            total.* = simd.fma(simd.toFloat(sum), d * simd.splatRows(groupOf32(column).scales[first + s]), total.*);
        }
        if (traits.mins == .block) {
            const m = source.rowScale("m", first + s);
            inline for (inputs.columns, &inputs.sums, totals) |column, *sum, *total| {
                const da = simd.splatRows(groupOf32(column).scales[first + s]);
                total.* = simd.fma(simd.splatRows(sum[first + s]), m * da, total.*);
            }
        }
    }
}

fn groupOf32(column: *const activations.Group256) *const activations.Group32 {
    return @ptrCast(column);
}

/// 256 values of a K format.
inline fn add256(
    comptime format: Format,
    comptime C: usize,
    source: anytype,
    x: *const Columns(C),
    ahead: usize,
    sums: *Sums(C),
) void {
    const traits = comptime format.integer();
    // Values whose products one sum holds before a scale multiplies it.
    const part_len = comptime parts.shortLen(format) orelse 16;
    const spans = part_len / 16;
    const begins = beginsOf(C, part_len, parts.centreOf(format), x);
    var isum: Dots(C) = @splat(@splat(0));
    if (comptime parts.hasRest(format)) addSumsTimes(format, C, .rest, source, x, &isum);
    var values = valuesOf(C, x);
    for (0..4) |pair| {
        inline for (0..2 / spans) |part| {
            const first = 2 * pair + part;
            inline for (0..spans) |s| source.prefetch(C, first + s);
            var dots: [2]Dots(C) = undefined;
            inline for (&dots, 0..) |*some, i| {
                inline for (some, &begins) |*sum, *begin| sum.* = @splat(if (parts.centreOf(format) == 0) 0 else begin[2 * first / spans + i]);
            }
            if (part == 0) prefetchAhead(C, &values, ahead);
            addProducts(C, spans, source, first, &values, &dots);
            inline for (dots, 0..) |some, i| {
                const scale = if (traits.sub_len == 16) source.scale(first, i) else source.scale(pair, if (spans == 2) i else part);
                addScaled(format, C, &some, scale, &isum);
            }
            advance(C, &values, 32 * spans);
        }
    }
    prefetchAhead(C, &values, ahead);
    var msum: Dots(C) = @splat(@splat(0));
    if (comptime parts.hasMins(format)) addSumsTimes(format, C, .min, source, x, &msum);
    const d = source.rowScale("d", 0);
    inline for (x, isum, msum, sums) |column, sum, min_sum, *total| {
        const da = simd.splatRows(column.scale);
        total.* = simd.fma(simd.toFloat(sum), d * da, total.*);
        if (comptime parts.hasMins(format)) total.* = simd.fma(-simd.toFloat(min_sum), source.rowScale("dmin", 0) * da, total.*);
    }
}

/// −centre · Σ x of each `part_len` values.
inline fn beginsOf(comptime C: usize, comptime part_len: usize, comptime centre: i16, x: *const Columns(C)) Begins(C, 256 / part_len) {
    const count = 256 / part_len;
    var begins: Begins(C, count) = undefined;
    inline for (x, &begins) |column, *begin| {
        const sums: @Vector(count, i16) = if (part_len == 32) column.sums32 else column.sums16;
        begin.* = @as(@Vector(count, i32), sums) * @as(@Vector(count, i32), @splat(-@as(i32, centre)));
    }
    return begins;
}

/// sums += Σ over the sub-blocks of Σ x times a small integer of the weights.
inline fn addSumsTimes(
    comptime format: Format,
    comptime C: usize,
    comptime what: enum { rest, min },
    source: anytype,
    x: *const Columns(C),
    sums: *Dots(C),
) void {
    const sub_len = comptime format.integer().sub_len;
    inline for (0..128 / sub_len) |pair| {
        const factors = if (what == .rest) source.restPair(pair) else source.minPair(pair);
        inline for (x, sums) |column, *sum| {
            const sums_of_x = if (sub_len == 32) column.sums32[2 * pair ..] else column.sums16[2 * pair ..];
            sum.* = inOrder(simd.addPairs(sum.*, factors, simd.broadcast2(sums_of_x.ptr)));
        }
    }
}

/// sums += dots · scale.
inline fn addScaled(comptime format: Format, comptime C: usize, dots: *const Dots(C), scale: simd.RowI16, sums: *Dots(C)) void {
    inline for (sums, dots) |*sum, value| {
        if (comptime parts.shortLen(format) == null) {
            sum.* +%= value *% @as(simd.RowI32, @bitCast(scale));
        } else {
            sum.* = simd.addPairs(sum.*, @bitCast(value), scale);
        }
    }
}
