//! Tiles for the K formats: 64 values of K a product, the float epilogue once per 256.
//!
//! Weight times sub-scale is an integer: at most 31 · 63 = 1,953 (Q5_K), in Q6_K, offset included, from −32 · 127 = −4,064 to
//! 32 · 128 = 4,096. It is cut into two bytes, low + 256 · high, low unsigned and high signed, once for all columns; each
//! has a sum of its own over 256 values. In int32 nothing overflows: |Σ low| ≤ 256 · 255 · 127 = 8,290,560,
//! |Σ high| ≤ 256 · 16 · 127 = 520,192, and low + 256 · high is the same integer as on the other levels.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const amx = @import("../../isa/amx.zig");
const activations = @import("../../quant/activations.zig");
const format_file = @import("../../quant/format.zig");
const Format = format_file.Format;
const tile = @import("tile.zig");
const parts = @import("amx_parts.zig");
const item_file = @import("item.zig");
const Claim = item_file.Claim;
const Span = item_file.Span;

const rows = simd.panel_rows;
const lanes = simd.row_lanes;
/// Values of K in a product.
const depth = 64;
const products = activations.group_len / depth;

/// From executed instructions per panel and 256 of K (kernels/README.md). Q4_K: 1,150 to unpack a panel, and 17 a column with
/// tiles against 170 without: 7 to 8 columns are even. But up to 16 columns have two sums in flight, whose four products of 52
/// cycles each hide behind little: 12. Fewer columns take fewer cycles without tiles and give the same bits.
const columns_min = 12;

pub inline fn serves(comptime format: Format, span: Span) bool {
    return (comptime simd.has_tiles and format.activationKind() == .per256) and span.count() >= columns_min;
}

pub fn cut(comptime _: Format, _: usize) item_file.Cut {
    return .{ .columns_max = parts.columns_max };
}

/// Not inlined, so that only who needs its arrays has them on the stack.
pub noinline fn run(comptime format: Format, claim: *const Claim) void {
    const item = claim.item;
    claim.tiles.configure(.{ .columns = parts.lanesOf(item.columns), .depth = depth });
    var out: parts.Out align(64) = undefined;
    const values = out[0..claim.span.count()];
    for (claim.panel_first..claim.panel_end) |panel| {
        @memset(values, @as([rows]f32, @splat(0)));
        multiply(format, claim.weights(format, panel), item.k, item.quantised(0), claim.span, &out);
        item.finishPanel(values, panel, claim.span.first);
    }
}

/// 256 values of K of a panel.
fn Digits(comptime format: Format) type {
    return struct {
        const Packed = format_file.Codec(format).Packed;
        const traits = format.integer();
        const has_mins = traits.mins == .sub_blocks;
        const min_pairs = if (has_mins) 128 / @as(usize, traits.sub_len) else 0;

        /// [product][digit]: a weight tile.
        q: [products][2][depth / 4][4 * rows]u8 align(64),
        mins: [min_pairs][2 * rows]i16,
        d: [rows]f32,
        dmin: [if (has_mins) rows else 0]f32,

        fn fill(digits: *@This(), chunk: *const Packed) void {
            inline for (0..tile.panel_groups) |group| {
                const row = group * lanes;
                const source: tile.PackedSource(format) = .{ .chunk = chunk, .row = row };
                for (0..8) |span| digits.fillSpan(source, span);
                if (has_mins) {
                    for (&digits.mins, 0..) |*mins, pair| mins[2 * row ..][0 .. 2 * lanes].* = source.minPair(pair, 0);
                    digits.dmin[row..][0..lanes].* = source.rowScale("dmin", 0, 0);
                }
                digits.d[row..][0..lanes].* = source.rowScale("d", 0, 0);
            }
        }

        /// 32 values: one sub-block; in Q6_K, Q3_K and Q2_K two, K groups 0 to 3 and 4 to 7.
        inline fn fillSpan(digits: *@This(), source: tile.PackedSource(format), span: usize) void {
            var scales: [2]simd.RowI16 = undefined;
            if (traits.sub_len == 16) {
                const pair = source.scalePair(span, 0);
                scales = .{ simd.repeatOf(pair, 0), simd.repeatOf(pair, 1) };
            } else {
                const pair = source.scalePair(span / 2, 0);
                scales = @splat(if (span % 2 == 0) simd.repeatOf(pair, 0) else simd.repeatOf(pair, 1));
            }
            const place = &digits.q[span / 2];
            const byte = 4 * source.row;
            inline for (0..4) |u| {
                const unit = source.unit(span, u, 0);
                inline for (.{ unit.low, unit.high }, scales, .{ u, u + 4 }) |weights, scale, k_group| {
                    const offset = if (traits.zero != 0) scale *% @as(simd.RowI16, @splat(traits.zero)) else null;
                    const pair = simd.scaledDigits(weights, scale, offset);
                    place[0][span % 2 * 8 + k_group][byte..][0 .. 4 * lanes].* = pair.low;
                    place[1][span % 2 * 8 + k_group][byte..][0 .. 4 * lanes].* = pair.high;
                }
            }
        }
    };
}

/// One panel times a span's columns, added to `out`.
fn multiply(
    comptime format: Format,
    panel: [*]const u8,
    k: usize,
    columns: activations.Columns,
    span: Span,
    out: *parts.Out,
) void {
    const chunks: [*]const format_file.Codec(format).Packed = @ptrCast(@alignCast(panel));
    var digits: Digits(format) = undefined;
    var sums: [2]Sums = undefined;
    std.debug.assert(span.count() <= parts.columns_max and k % activations.group_len == 0);
    const steps = (parts.countOf(span) + 1) / 2;
    const lines_per_step = (@sizeOf(@TypeOf(chunks[0])) / 64 + steps - 1) / steps;
    for (0..k / activations.group_len) |index| {
        digits.fill(&chunks[index]);
        const step: Step(format) = .{
            .digits = &digits,
            .next = @ptrCast(chunks + index + 1),
            .lines_per_step = lines_per_step,
            .columns = columns,
            .index = index,
            .span = span,
            .sums = &sums,
            .out = out,
        };
        parts.pipeline(steps, step);
    }
}

/// [part][digit].
const Sums = [2][2]amx.Sums;

/// Columns whose sums are finished in one turn of a loop.
const unroll = 4;

/// What all columns of a step share.
fn RowConstants(comptime format: Format) type {
    const has_mins = Digits(format).has_mins;
    return struct {
        d: simd.RowF32,
        dmin: if (has_mins) simd.RowF32 else void,
        mins: [Digits(format).min_pairs]simd.RowI16,
    };
}

/// Up to 32 columns times 256 values of K.
fn Step(comptime format: Format) type {
    return struct {
        digits: *const Digits(format),
        /// The chunk that comes next, of which each step asks memory for some lines.
        next: [*]const u8,
        lines_per_step: usize,
        columns: activations.Columns,
        index: usize,
        span: Span,
        sums: *[2]Sums,
        out: *parts.Out,

        pub inline fn start(step: @This(), pair: usize, which: usize) void {
            if (2 * pair + 1 < parts.countOf(step.span)) step.product(2, pair, which) else step.product(1, pair, which);
            for (0..step.lines_per_step) |line| @prefetch(step.next + (pair * step.lines_per_step + line) * 64, .{});
        }

        inline fn product(step: @This(), comptime count: usize, pair: usize, which: usize) void {
            var x: [count][*]const u8 = undefined;
            inline for (&x, 0..) |*first, i| {
                const column = parts.at(step.span, 2 * pair + i).load;
                first.* = @ptrCast(&step.columns.group(activations.Group256, column, step.index).q);
            }
            inline for (0..2 * count) |i| amx.zero(i);
            inline for (0..products) |p| {
                inline for (0..2) |digit| amx.load(6 + digit, @ptrCast(&step.digits.q[p][digit]), 4 * rows);
                inline for (0..count) |i| {
                    amx.load(4 + i, x[i] + p * depth, step.columns.stride);
                    amx.multiply(.unsigned, 2 * i, 4 + i, 6);
                    amx.multiply(.signed, 2 * i + 1, 4 + i, 7);
                }
            }
            inline for (0..count) |i| {
                inline for (0..2) |digit| amx.store(2 * i + digit, &step.sums[which][i][digit]);
            }
        }

        pub inline fn finish(step: @This(), pair: usize, which: usize) void {
            for (0..2) |i| {
                if (2 * pair + i == parts.countOf(step.span)) return;
                inline for (0..tile.panel_groups) |group| step.finishPart(parts.at(step.span, 2 * pair + i), &step.sums[which][i], group * lanes);
            }
        }

        inline fn finishPart(step: @This(), part: parts.Part, sums: *const [2]amx.Sums, comptime row: usize) void {
            const has_mins = Digits(format).has_mins;
            var constants: RowConstants(format) = undefined;
            constants.d = step.digits.d[row..][0..lanes].*;
            if (has_mins) constants.dmin = step.digits.dmin[row..][0..lanes].*;
            inline for (&constants.mins, 0..) |*pair, i| pair.* = step.digits.mins[i][2 * row ..][0 .. 2 * lanes].*;
            var c: usize = 0;
            while (c + unroll <= part.count) : (c += unroll) {
                inline for (0..unroll) |i| step.finishColumn(&constants, part, sums, row, c + i);
            }
            while (c < part.count) : (c += 1) step.finishColumn(&constants, part, sums, row, c);
        }

        /// The same float operations as ops/matmul/tile.zig, for rows from `row` on.
        inline fn finishColumn(
            step: @This(),
            constants: *const RowConstants(format),
            part: parts.Part,
            sums: *const [2]amx.Sums,
            comptime row: usize,
            c: usize,
        ) void {
            const x = step.columns.group(activations.Group256, part.load + part.skip + c, step.index);
            const da = simd.splatRows(x.scale);
            const low: simd.RowI32 = sums[0][part.skip + c][row..][0..lanes].*;
            const high: simd.RowI32 = sums[1][part.skip + c][row..][0..lanes].*;
            const acc = step.out[part.first + c][row..][0..lanes];
            var result = simd.fma(simd.toFloat(low +% (high << @splat(8))), constants.d * da, acc.*);
            if (Digits(format).has_mins) {
                var msum: simd.RowI32 = @splat(0);
                const x_sums = if (comptime format.integer().sub_len == 32) &x.sums32 else &x.sums16;
                inline for (constants.mins, 0..) |pair, i| msum = simd.addPairs(msum, pair, simd.broadcast2(x_sums[2 * i ..]));
                result = simd.fma(-simd.toFloat(msum), constants.dmin * da, result);
            }
            acc.* = result;
        }
    };
}
