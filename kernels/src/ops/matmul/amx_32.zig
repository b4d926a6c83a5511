//! Tiles for the formats whose scales are per 32 values: 32 values of K a product, the float epilogue after each. Two
//! panels share the columns' tiles. |Σ| ≤ 32 · 128 · 127 in int32.

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
const depth = 32;

/// Panels at once: they share their columns' tiles.
const panels_at_once = 2;

/// From executed instructions per panel and 256 of K (kernels/README.md). Q8_0: 880 to unpack a panel and 53 a column with
/// tiles against 160 without, even at 8 to 9, its products independent: 10. Q4_0: 1,245 and 53 a column against 158: 12. Fewer
/// columns take fewer cycles without tiles and give the same bits.
pub inline fn serves(comptime format: Format, span: Span) bool {
    return (comptime simd.has_tiles and format.activationKind() == .per32) and span.count() >= (if (comptime format.integer().isSigned()) 10 else 12);
}

pub fn cut(comptime _: Format, columns: usize) item_file.Cut {
    return .{ .columns_max = parts.columns_max, .panels_min = if (columns >= amx.lanes) panels_at_once else 1 };
}

/// Not inlined, so that only who needs its arrays has them on the stack.
pub noinline fn run(comptime format: Format, claim: *const Claim) void {
    claim.tiles.configure(.{ .columns = parts.lanesOf(claim.item.columns), .depth = depth });
    var out: [panels_at_once]parts.Out align(64) = undefined;
    var panel = claim.panel_first;
    while (panel + panels_at_once <= claim.panel_end) : (panel += panels_at_once) runPanels(format, panels_at_once, claim, panel, &out);
    if (panel < claim.panel_end) runPanels(format, 1, claim, panel, out[0..1]);
}

inline fn runPanels(comptime format: Format, comptime P: usize, claim: *const Claim, panel: usize, out: *[P]parts.Out) void {
    const item = claim.item;
    const count = claim.span.count();
    for (out) |*values| @memset(values[0..count], @as([rows]f32, @splat(0)));
    multiply(format, P, claim.weights(format, panel), item.k, item.quantised(0), claim.span, out);
    for (out, panel..) |*values, i| item.finishPanel(values[0..count], i, claim.span.first);
}

/// A weight tile: 32 values of K of 16 rows, as int8.
const WeightTile = [depth / 4][4 * rows]u8;

/// P panels times a span's columns, added to `out`.
fn multiply(
    comptime format: Format,
    comptime P: usize,
    weights: [*]const u8,
    k: usize,
    columns: activations.Columns,
    span: Span,
    out: *[P]parts.Out,
) void {
    var panels: [P][*]const format_file.Chunk(format) = undefined;
    for (&panels, 0..) |*panel, i| panel.* = @ptrCast(@alignCast(weights + i * format.panelBytes(k)));
    var unpacked: [P]WeightTile align(64) = undefined;
    var sums: [2]Sums(P) = undefined;
    std.debug.assert(span.count() <= parts.columns_max and k % depth == 0);
    for (0..k / depth) |block| {
        var step: Step(format, P) = .{
            .weights = undefined,
            .d = undefined,
            .m = undefined,
            .columns = columns,
            .block = block,
            .span = span,
            .sums = &sums,
            .out = out,
        };
        inline for (panels, 0..) |panel, i| {
            const chunk = &panel[block / 2];
            const is_tile = comptime holdsTiles(format);
            if (!is_tile) signedTile(format, chunk, block % 2, &unpacked[i]);
            step.weights[i] = if (is_tile) &chunk.q[block % 2] else &unpacked[i];
            step.d[i] = format_file.factorsAt(format, rows, "d", chunk, block % 2, 0);
            if (comptime hasMin(format)) step.m[i] = format_file.factorsAt(format, rows, "m", chunk, block % 2, 0);
            // Half of the next chunk comes from memory meanwhile.
            const half = @sizeOf(@TypeOf(chunk.q[0]));
            const next = @as([*]const u8, @ptrCast(&panel[block / 2 + 1])) + block % 2 * half;
            inline for (0..half / 64) |line| @prefetch(next + line * 64, .{});
        }
        parts.pipeline((parts.countOf(span) + 1) / 2, step);
    }
}

fn hasMin(comptime format: Format) bool {
    return format.integer().mins == .block;
}

/// Whether a block's quants lie in a panel as a tile wants them.
fn holdsTiles(comptime format: Format) bool {
    return @FieldType(format_file.Chunk(format), "q") == [2]WeightTile;
}

/// q − zero.
fn signedTile(comptime format: Format, chunk: *const format_file.Chunk(format), half: usize, target: *WeightTile) void {
    const zero = simd.splatBytes(format.integer().zero);
    inline for (0..tile.panel_groups) |group| {
        const source: tile.PackedSource(format) = .{ .chunk = chunk, .row = group * lanes };
        inline for (0..4) |u| {
            const unit = source.unit(half, u, 0);
            target[u][4 * source.row ..][0 .. 4 * lanes].* = unit.low -% zero;
            target[u + 4][4 * source.row ..][0 .. 4 * lanes].* = unit.high -% zero;
        }
    }
}

/// [part][panel].
fn Sums(comptime P: usize) type {
    return [2][P]amx.Sums;
}

fn RowScales(comptime P: usize) type {
    return [P][tile.panel_groups]simd.RowF32;
}

/// Up to 32 columns times 32 values of K of P panels.
fn Step(comptime format: Format, comptime P: usize) type {
    return struct {
        weights: [P]*const WeightTile,
        d: [P][rows]f32,
        m: [if (hasMin(format)) P else 0][rows]f32,
        columns: activations.Columns,
        block: usize,
        span: Span,
        sums: *[2]Sums(P),
        out: *[P]parts.Out,

        inline fn group(step: *const @This(), column: usize) *const activations.Group32 {
            return step.columns.group(activations.Group32, column, step.block / 8);
        }

        pub inline fn start(step: *const @This(), pair: usize, which: usize) void {
            inline for (step.weights, 0..) |weights, p| amx.load(6 + p, @ptrCast(weights), 4 * rows);
            inline for (0..2) |i| {
                if (2 * pair + i < parts.countOf(step.span)) step.product(i, parts.at(step.span, 2 * pair + i).load, which);
            }
        }

        inline fn product(step: *const @This(), comptime i: usize, column: usize, which: usize) void {
            amx.load(4 + i, @ptrCast(step.group(column).q[step.block % 8 * depth ..]), step.columns.stride);
            inline for (0..P) |p| {
                amx.zero(2 * i + p);
                amx.multiply(.signed, 2 * i + p, 4 + i, 6 + p);
                amx.store(2 * i + p, &step.sums[which][i][p]);
            }
        }

        pub inline fn finish(step: *const @This(), pair: usize, which: usize) void {
            for (0..2) |i| {
                if (2 * pair + i == parts.countOf(step.span)) return;
                step.finishPart(parts.at(step.span, 2 * pair + i), &step.sums[which][i]);
            }
        }

        inline fn finishPart(step: *const @This(), part: parts.Part, sums: *const [P]amx.Sums) void {
            var d: RowScales(P) = undefined;
            inline for (&d, step.d) |*groups, values| {
                inline for (groups, 0..) |*rows_d, g| rows_d.* = values[g * lanes ..][0..lanes].*;
            }
            for (0..part.count) |c| step.finishColumn(&d, part, sums, c);
        }

        /// The same float operations as ops/matmul/tile.zig.
        inline fn finishColumn(step: *const @This(), d: *const RowScales(P), part: parts.Part, sums: *const [P]amx.Sums, c: usize) void {
            const x = step.group(part.load + part.skip + c);
            const da = simd.splatRows(x.scales[step.block % 8]);
            inline for (0..P) |p| {
                inline for (0..tile.panel_groups) |g| {
                    const isum: simd.RowI32 = sums[p][part.skip + c][g * lanes ..][0..lanes].*;
                    const acc = step.out[p][part.first + c][g * lanes ..][0..lanes];
                    acc.* = simd.fma(simd.toFloat(isum), d[p][g] * da, acc.*);
                    if (comptime hasMin(format)) {
                        const m: simd.RowF32 = step.m[p][g * lanes ..][0..lanes].*;
                        acc.* = simd.fma(simd.splatRows(tile.sumOf(x.offsets[step.block % 8])), m * da, acc.*);
                    }
                }
            }
        }
    };
}
