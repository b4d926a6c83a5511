//! How a span of columns is cut into tiles (isa/amx.zig), and what the strategies of tiles share.
//!
//! A tile takes 16 columns. Where fewer are left at the end, the last tile begins earlier and repeats some columns, whose
//! results are dropped: so all tiles have one shape, and none reads behind the last column. Fewer than 16 columns in all
//! are one smaller tile.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const amx = @import("../../isa/amx.zig");
const Span = @import("item.zig").Span;

/// Columns at once: their sums wait in an array while the tiles go along K.
pub const columns_max = 128;

/// How many tiles a span takes.
pub fn countOf(span: Span) usize {
    return (span.count() + amx.lanes - 1) / amx.lanes;
}

/// Columns of each tile of an item.
pub fn lanesOf(total: usize) u8 {
    std.debug.assert(total > 0);
    return @intCast(@min(amx.lanes, total));
}

/// The span's tile number `index`.
pub fn at(span: Span, index: usize) Part {
    const wanted = index * amx.lanes;
    std.debug.assert(wanted < span.count());
    const load = @min(span.first + wanted, span.end - lanesOf(span.total));
    return .{
        .load = load,
        .skip = span.first + wanted - load,
        .first = wanted,
        .count = @min(amx.lanes, span.count() - wanted),
    };
}

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

/// Software pipelining: the tiles of a step are given their work before the vector unit takes up the sums of the step
/// before, so that both are busy. `start(i, which)` fills buffer `which`, `finish(i, which)` empties it.
pub inline fn pipeline(steps: usize, context: anytype) void {
    std.debug.assert(steps > 0);
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
            for (0..countOf(span)) |i| {
                const part = at(span, i);
                const lanes = lanesOf(total);
                try std.testing.expectEqual(next, part.first);
                try std.testing.expectEqual(first + part.first, part.load + part.skip);
                try std.testing.expect(part.load + lanes <= total and part.skip + part.count <= lanes);
                next += part.count;
            }
            try std.testing.expectEqual(span.count(), next);
        }
    }
}
