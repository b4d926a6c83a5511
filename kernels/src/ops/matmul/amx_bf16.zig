//! Tiles for BF16: 32 values of K a product, any number of columns, whole K in one tile of sums.
//!
//! One product adds to an output element, with K pairs ascending (x and w are bfloat16, all else is f32):
//!   even = fma(x₀, w₀, even), odd = fma(x₁, w₁, odd), both from 0        sum = sum + (even + odd)
//! Every operation rounds to nearest even, takes denormals as zero and gives zero for them: Intel's manual, volume 2,
//! TDPBF16PS. K is padded with zeros to a multiple of 32. Activations are rounded to bfloat16 first, denormals to zero. So a
//! result depends on K alone and not on the number of columns, but it is not that of the levels without tiles.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const model_bf16 = @import("../../isa/model_bf16.zig");
const amx = @import("../../isa/amx.zig");
const Format = @import("../../quant/format.zig").Format;
const Codec = @import("../../quant/format.zig").Codec(.bf16);
const parts = @import("amx_parts.zig");
const item_file = @import("item.zig");
const Claim = item_file.Claim;
const Span = item_file.Span;

const rows = simd.panel_rows;
/// Values of K in a product.
const depth = 32;
/// Products between one conversion of activations and the next.
const products_max = 8;
const group_len = products_max * depth;
const parts_max = parts.columns_max / amx.lanes;

/// Panels whose columns are converted once.
const panels_max = item_file.panels_max;

/// 32 values of K of 16 columns or of 16 rows; of rows as [pair of K][row][2].
const Tile = [amx.lanes][depth]u16;

/// For any number of columns: fewer would have other bits without tiles.
pub inline fn serves(comptime format: Format, _: Span) bool {
    return comptime simd.has_tiles and format.isPairs();
}

/// With one panel the rounding of columns takes as many cycles as a tile's products do, so more share it.
pub fn cut(comptime _: Format, columns: usize) item_file.Cut {
    return .{ .columns_max = parts.columns_max, .panels_min = if (columns > amx.lanes) 8 else 1 };
}

/// Not inlined, so that only who needs its arrays has them on the stack.
pub noinline fn run(comptime format: Format, claim: *const Claim) void {
    const item = claim.item;
    const span = claim.span;
    claim.tiles.configure(.{ .columns = parts.lanesOf(item.columns), .depth = 2 * depth });
    var scratch: Scratch = undefined;
    multiply(claim.weights(format, claim.panel_first), format.panelBytes(item.k), claim.panels(), item.floats(0), item.k, span, &scratch);
    for (claim.panel_first..claim.panel_end) |panel| {
        const row = panel * simd.panel_rows;
        const count = @min(simd.panel_rows, item.rows - row);
        for (0..parts.countOf(span)) |i| {
            const part = parts.at(span, i);
            for (0..part.count) |c| {
                item.finish(scratch.values(panel - claim.panel_first, i, part.skip + c), row, count, span.first + part.first + c);
            }
        }
    }
}

/// One thread's memory for a claim; too large for the first-level cache, which holds what one step needs.
const Scratch = struct {
    sums: [panels_max][parts_max]amx.Sums align(64),
    x: [parts_max][products_max]Tile align(64),
    /// The last values of K of two panels, padded.
    tail: [2]Tile align(64),

    /// Row `lane` of a part's tile in a panel: 16 rows of one column.
    fn values(scratch: *const Scratch, panel: usize, part: usize, lane: usize) simd.F32x16 {
        return @bitCast(@as(simd.I32x16, scratch.sums[panel][part][lane]));
    }
};

/// `panels` panels of `panel_bytes` times a span's columns, to scratch.sums. x: [total, k].
fn multiply(
    weights: [*]const u8,
    panel_bytes: usize,
    panels: usize,
    x: [*]const f32,
    k: usize,
    span: Span,
    scratch: *Scratch,
) void {
    std.debug.assert(panels <= panels_max);
    var first: usize = 0;
    while (first < k) : (first += group_len) {
        const group: Group = .{
            .weights = weights + first / depth * @sizeOf(Tile),
            .panel_bytes = panel_bytes,
            .first = first,
            .len = @min(group_len, k - first),
            .span = span,
            .scratch = scratch,
        };
        group.convert(x, k);
        var panel: usize = 0;
        while (panel + 2 <= panels) : (panel += 2) group.multiplyPanels(2, panel);
        if (panel < panels) group.multiplyPanels(1, panel);
    }
}

/// Up to 256 values of K.
const Group = struct {
    weights: [*]const u8,
    panel_bytes: usize,
    first: usize,
    len: usize,
    span: Span,
    scratch: *Scratch,

    fn convert(group: Group, x: [*]const f32, k: usize) void {
        const lanes = @min(amx.lanes, group.span.total);
        for (0..parts.countOf(group.span)) |i| {
            const load = parts.at(group.span, i).load;
            for (0..lanes) |lane| {
                const column = x[(load + lane) * k + group.first ..][0..group.len];
                const tiles = &group.scratch.x[i];
                if (group.len == group_len) {
                    inline for (0..products_max) |p| roundValues(column[p * depth ..][0..depth], &tiles[p][lane]);
                } else {
                    for (0..group.len / depth) |p| roundValues(column[p * depth ..][0..depth], &tiles[p][lane]);
                }
                if (group.len % depth != 0) {
                    const p = group.len / depth;
                    var rest: [depth]f32 = @splat(0);
                    @memcpy(rest[0 .. group.len % depth], column[p * depth ..]);
                    roundValues(&rest, &tiles[p][lane]);
                }
            }
        }
    }

    fn multiplyPanels(group: Group, comptime P: usize, panel: usize) void {
        var weights: [P][*]const u8 = undefined;
        inline for (&weights, 0..) |*pointer, i| {
            pointer.* = group.weights + (panel + i) * group.panel_bytes;
            const rest = group.len % depth;
            if (rest != 0) {
                const bytes = (rest + 1) / 2 * @sizeOf([rows][2]u16);
                const target = std.mem.asBytes(&group.scratch.tail[i]);
                @memcpy(target[0..bytes], pointer.*[group.len / depth * @sizeOf(Tile) ..]);
                @memset(target[bytes..], 0);
            }
        }
        var part: usize = 0;
        while (part + 2 <= parts.countOf(group.span)) : (part += 2) group.multiplyParts(P, 2, panel, part, weights);
        if (part < parts.countOf(group.span)) group.multiplyParts(P, 1, panel, part, weights);
    }

    inline fn multiplyParts(group: Group, comptime P: usize, comptime C: usize, panel: usize, part: usize, weights: [P][*]const u8) void {
        inline for (0..C) |c| inline for (0..P) |p| {
            const sum = 2 * c + p;
            if (group.first == 0) amx.zero(sum) else amx.load(sum, @ptrCast(&group.scratch.sums[panel + p][part + c]), @sizeOf([rows]i32));
        };
        var product: usize = 0;
        while (product < group.len / depth) : (product += 1) {
            inline for (0..P) |p| amx.load(6 + p, weights[p] + product * @sizeOf(Tile), 4 * rows);
            group.multiplyTiles(P, C, part, product);
        }
        if (group.len % depth != 0) {
            inline for (0..P) |p| amx.load(6 + p, @ptrCast(&group.scratch.tail[p]), 4 * rows);
            group.multiplyTiles(P, C, part, product);
        }
        inline for (0..C) |c| inline for (0..P) |p| {
            amx.store(2 * c + p, &group.scratch.sums[panel + p][part + c]);
        };
    }

    inline fn multiplyTiles(group: Group, comptime P: usize, comptime C: usize, part: usize, product: usize) void {
        inline for (0..C) |c| {
            amx.load(4 + c, @ptrCast(&group.scratch.x[part + c][product]), 2 * depth);
            inline for (0..P) |p| amx.multiply(.bf16, 2 * c + p, 4 + c, 6 + p);
        }
    }
};

inline fn roundValues(values: *const [depth]f32, target: *[depth]u16) void {
    inline for (0..2) |half| target[16 * half ..][0..16].* = simd.roundToBf16(values[16 * half ..][0..16]);
}

/// The same roundings in the same order for one output element: a panel's row times one column x: [k].
pub fn reference(panel: [*]const u8, row: usize, x: []const f32) f32 {
    const pairs: [*]const Codec.Packed = @ptrCast(@alignCast(panel));
    var sum: f32 = 0;
    var first: usize = 0;
    while (first < x.len) : (first += depth) {
        var xs: [depth]f32 = @splat(0);
        var ws: [depth]u16 = @splat(0);
        for (first..@min(first + depth, x.len), 0..) |k, i| {
            xs[i] = x[k];
            ws[i] = Codec.unpackBlock(&pairs[k / 2], row, k % 2);
        }
        var rounded: [depth]u16 = undefined;
        roundValues(&xs, &rounded);
        sum = referenceProduct(sum, &rounded, &ws);
    }
    return sum;
}

fn referenceProduct(sum: f32, x: *const [depth]u16, w: *const [depth]u16) f32 {
    var halves: [2]simd.F32x16 = @splat(@splat(0));
    for (x, w, 0..) |a, b, i| {
        const part = &halves[i % 2];
        part.* = model_bf16.fmaToNormal(simd.splat(simd.bf16ToF32(1, .{a})[0]), simd.splat(simd.bf16ToF32(1, .{b})[0]), part.*);
    }
    return model_bf16.flushed(model_bf16.flushed(simd.splat(sum)) + model_bf16.flushed(halves[0] + halves[1]))[0];
}

const testing = @import("../../testing/testing.zig");

test "a product of tiles rounds as the reference does, denormals and infinities included" {
    if (!simd.has_tiles) return error.SkipZigTest;
    _ = @import("../../isa/detect.zig").permitTiles();
    var rng: testing.Rng = .init(81);
    var tiles: amx.Tiles = .{};
    defer tiles.release();
    tiles.configure(.{ .columns = amx.lanes, .depth = 2 * depth });
    for (0..200) |round| {
        var x: Tile align(64) = undefined;
        var w: [depth / 2][rows][2]u16 align(64) = undefined;
        var sums: [amx.lanes][rows]f32 align(64) = undefined;
        for (&x) |*row| for (row) |*value| {
            value.* = randomBf16(&rng, round);
        };
        for (&w) |*pair| for (pair) |*row| for (row) |*value| {
            value.* = randomBf16(&rng, round);
        };
        for (&sums) |*row| for (row) |*value| {
            value.* = simd.bf16ToF32(1, .{randomBf16(&rng, round)})[0] * 1.0000001;
        };
        const start = sums;
        amx.load(0, @ptrCast(&sums), 64);
        amx.load(4, @ptrCast(&x), 64);
        amx.load(6, @ptrCast(&w), 64);
        amx.multiply(.bf16, 0, 4, 6);
        amx.store(0, @ptrCast(&sums));
        for (0..amx.lanes) |column| for (0..rows) |row| {
            var ws: [depth]u16 = undefined;
            for (&ws, 0..) |*value, i| value.* = w[i / 2][row][i % 2];
            const want = referenceProduct(start[column][row], &x[column], &ws);
            if (std.math.isNan(want) and std.math.isNan(sums[column][row])) continue;
            try testing.expectBitwise(&.{want}, &.{sums[column][row]});
        };
    }
}

/// Ordinary values in some rounds, around the smallest normal product in others, now and then an extreme one.
fn randomBf16(rng: *testing.Rng, round: usize) u16 {
    const bits = rng.random().int(u16) & 0x83ff;
    if (rng.between(u32, 0, 20_000) == 0) return rng.pick(u16, &.{ 0x7f80, 0xff80, 0x0000, 0x8000, 0x0001, 0x807f, 0x7f7f });
    return bits + @as(u16, if (round % 2 == 0) 0x3e00 else 0x1f00);
}
