//! The matmul of a level with tile registers (amx.zig): which columns go through tiles, and how they are cut into them.
//!
//! A tile takes 16 columns. Where fewer are left at the end, the last tile begins earlier and repeats some columns, whose
//! results are dropped: so all tiles have one shape, and none reads behind the last column. Fewer than 16 columns in all
//! are one smaller tile.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const amx = @import("../../isa/amx.zig");
const Format = @import("../../quant/format.zig").Format;

/// Columns at once: their sums wait in an array while the tiles go along K.
pub const columns_max = 128;
/// Panels of an integer format at once: those of a step's weight tiles.
pub fn panelsAtOnce(comptime format: Format) comptime_int {
    return switch (format.traits()) {
        .float => 1,
        .integer => |traits| if (traits.isPer32()) 2 else 1,
    };
}

/// From how many columns on a matmul uses tiles; null: never. Fewer columns of an integer format take fewer cycles without,
/// and give the same bits; BF16 would not, so tiles are for any number there.
///
/// From executed instructions per panel and 256 of K (kernels/README.md). Q4_K: 1,150 to unpack a panel, and 17 a column with
/// tiles against 170 without: 7 to 8 columns are even. But up to 16 columns have two sums in flight, whose four products of 52
/// cycles each hide behind little: 12. Q8_0: 880 and 53 a column against 160, even at 8 to 9, its products independent: 10.
/// Q4_0: 1,245 and 53 a column against 158: 12.
pub fn columnsMin(comptime format: Format) ?usize {
    if (!simd.has_tiles) return null;
    return switch (format.traits()) {
        .float => |kind| if (kind == .pairs) 1 else null,
        .integer => |traits| if (traits.isSigned()) 10 else 12,
    };
}

/// Panels that a claim should have at least: two share their columns' tiles; of BF16 more share the rounding of columns, which
/// takes as many cycles as a tile's products with one panel do.
pub fn panelsMin(format: Format, columns: usize) u32 {
    return switch (format.traits()) {
        .float => |kind| if (kind == .pairs and columns > amx.lanes) 8 else 1,
        .integer => |traits| if (traits.isPer32() and columns >= amx.lanes) 2 else 1,
    };
}

/// The shape of all an item's tiles.
pub fn shapeOf(comptime format: Format, columns: usize) amx.Shape {
    const depth = switch (format.traits()) {
        .float => 64,
        .integer => |traits| if (traits.isPer32()) 32 else 64,
    };
    return .{ .columns = @intCast(@min(columns, amx.lanes)), .depth = depth };
}

/// Columns [first, end) of an item's `total`, at most columns_max.
pub const Span = struct {
    first: usize,
    end: usize,
    total: usize,

    pub fn count(span: Span) usize {
        return span.end - span.first;
    }

    pub fn parts(span: Span) usize {
        return (span.count() + amx.lanes - 1) / amx.lanes;
    }

    pub fn part(span: Span, index: usize) Part {
        const wanted = index * amx.lanes;
        const lanes = @min(amx.lanes, span.total);
        const load = @min(span.first + wanted, span.end - lanes);
        return .{
            .load = load,
            .skip = span.first + wanted - load,
            .first = wanted,
            .count = @min(amx.lanes, span.count() - wanted),
        };
    }
};

/// The columns of one tile.
pub const Part = struct {
    /// The item's column in the tile's first row.
    load: usize,
    /// Rows of the tile that belong to the part before.
    skip: usize,
    /// The columns after those, counted from the span's first.
    first: usize,
    count: usize,
};

/// One panel's results of a span.
pub const Out = [columns_max][simd.panel_rows]f32;

/// Computes panels [0, P) of `panel_bytes` each for the span. Tiles are configured as `shapeOf` says.
pub fn panelsTimesColumns(
    comptime format: Format,
    comptime P: usize,
    weights: [*]const u8,
    k: usize,
    columns: @import("tile.zig").Columns,
    span: Span,
    out: *[P]Out,
) void {
    std.debug.assert(span.count() <= columns_max and span.end <= span.total);
    for (out) |*values| @memset(values[0..span.count()], @as([simd.panel_rows]f32, @splat(0)));
    switch (comptime format.integer().activation) {
        .per256 => @import("amx_k.zig").multiply(format, weights, k, columns, span, &out[0]),
        .per32 => @import("amx_32.zig").multiply(format, P, weights, k, columns, span, out),
    }
}

/// Software pipelining: the tiles of a step are given their work before the vector unit takes up the sums of the step
/// before, so that both are busy. `start(i, which)` fills buffer `which`, `finish(i, which)` empties it.
pub inline fn pipeline(steps: usize, context: anytype) void {
    for (0..steps) |i| {
        context.start(i, i % 2);
        if (i > 0) context.finish(i - 1, (i - 1) % 2);
    }
    context.finish(steps - 1, (steps - 1) % 2);
}

test "a span's parts cover each column once and stay within the item" {
    for ([_]usize{ 1, 7, 15, 16, 17, 31, 33, 128, 129, 145, 300 }) |total| {
        var first: usize = 0;
        while (first < total) : (first += columns_max) {
            const span: Span = .{ .first = first, .end = @min(first + columns_max, total), .total = total };
            var next: usize = 0;
            for (0..span.parts()) |i| {
                const part = span.part(i);
                const lanes = shapeOf(.q8_0, total).columns;
                try std.testing.expectEqual(next, part.first);
                try std.testing.expectEqual(first + part.first, part.load + part.skip);
                try std.testing.expect(part.load + lanes <= total and part.skip + part.count <= lanes);
                next += part.count;
            }
            try std.testing.expectEqual(span.count(), next);
        }
    }
}
