//! What is multiplied, and the share of it that a member of the team claims at a time.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const amx = @import("../../isa/amx.zig");
const activations = @import("../../quant/activations.zig");
const format_file = @import("../../quant/format.zig");
const Format = format_file.Format;

/// y (+)= w · x (+ bias) with one matrix.
pub const Item = extern struct {
    weights: [*]const u8,
    /// Columns in the form that the format reads: f32 row-major, or quantised in the format's kind.
    x: *const anyopaque,
    bias: ?[*]const f32,
    y: [*]f32,
    format: u32,
    rows: u32,
    k: u32,
    columns: u32,
    y_stride: u32,
    accumulate: u32,

    pub fn kind(item: *const Item) Format {
        return Format.fromId(item.format).?;
    }

    pub fn panels(item: *const Item) u32 {
        return @intCast(format_file.panelCount(item.rows));
    }

    /// Activations of a float format, [columns, k], from a column on.
    pub fn floats(item: *const Item, column: usize) [*]const f32 {
        std.debug.assert(column < item.columns and item.kind().activationKind() == null);
        const first: [*]const f32 = @ptrCast(@alignCast(item.x));
        return first + column * item.k;
    }

    /// Quantised activations of an integer format, from a column on.
    pub fn quantised(item: *const Item, column: usize) activations.Columns {
        std.debug.assert(column < item.columns);
        const first: [*]const u8 = @ptrCast(item.x);
        const stride = activations.columnBytes(item.kind().activationKind().?, item.k);
        return .{ .first = first + column * stride, .stride = stride };
    }

    /// Bias, residual and store of `count` ≤ 16 rows from `row` on.
    pub inline fn finish(item: *const Item, sum: simd.F32x16, row: usize, count: usize, column: usize) void {
        const y = item.y + column * item.y_stride + row;
        var result = sum;
        if (count == simd.lanes) {
            if (item.bias) |bias| result += simd.load(bias + row);
            if (item.accumulate != 0) result = simd.load(y) + result;
            simd.store(y, result);
        } else {
            if (item.bias) |bias| result += simd.loadPartial(bias + row, count);
            if (item.accumulate != 0) result = simd.loadPartial(y, count) + result;
            simd.storePartial(y, result, count);
        }
    }

    /// As `finish`, of a panel's rows and columns from `column` on. out[c][r].
    pub fn finishPanel(item: *const Item, out: []const [simd.panel_rows]f32, panel: usize, column: usize) void {
        std.debug.assert(panel < item.panels() and column + out.len <= item.columns);
        const row = panel * simd.panel_rows;
        const rows = @min(simd.panel_rows, item.rows - row);
        for (out, 0..) |values, c| item.finish(values, row, rows, column + c);
    }
};

/// Products by one call.
pub const Group = extern struct {
    items: [*]const Item,
    count: u32,

    pub fn of(items: []const Item) Group {
        return .{ .items = items.ptr, .count = @intCast(items.len) };
    }

    pub fn slice(group: *const Group) []const Item {
        return group.items[0..group.count];
    }
};

/// Columns [first, end) of an item's `total`.
pub const Span = struct {
    first: usize,
    end: usize,
    total: usize,

    pub fn count(span: Span) usize {
        std.debug.assert(span.first < span.end and span.end <= span.total);
        return span.end - span.first;
    }
};

/// How a strategy wants an item to be cut.
pub const Cut = struct {
    /// Columns whose activations stay in the second-level cache while panel after panel passes over them.
    columns_max: usize = 64,
    /// Panels that a claim should have at least.
    panels_min: u32 = 1,
    /// Whether memory decides how long a claim takes. Then claims become smaller towards the end of a run, so that all members
    /// end together, and each asks for the first lines of the member's next one.
    streams: bool = false,
};

/// Panels per claim at most: enough that claiming costs nothing, few enough that the last claims end together.
pub const panels_max = 16;

/// Panels [panel_first, panel_end) of an item times a span of columns: one member's work.
pub const Claim = struct {
    item: *const Item,
    panel_first: usize,
    panel_end: usize,
    span: Span,
    /// What the member reads behind the last panel, as far as that is known: most likely not what lies there, which another
    /// member has claimed.
    next: ?[*]const u8 = null,
    /// The member's tile registers, on a level that has them.
    tiles: *amx.Tiles,

    pub fn panels(claim: *const Claim) usize {
        std.debug.assert(claim.panel_first < claim.panel_end and claim.panel_end <= claim.item.panels());
        return claim.panel_end - claim.panel_first;
    }

    pub inline fn weights(claim: *const Claim, comptime format: Format, panel: usize) [*]const u8 {
        return claim.item.weights + panel * format.panelBytes(claim.item.k);
    }
};

/// Calls context.tile(C, column) for columns [first, end), `columns` of them at a time and the rest in smaller tiles.
pub inline fn forEachTile(comptime columns: usize, first: usize, end: usize, context: anytype) void {
    var column = first;
    while (end - column >= columns) : (column += columns) context.tile(columns, column);
    inline for (.{ 4, 3, 2, 1 }) |rest| {
        if (rest < columns and end - column >= rest) {
            context.tile(rest, column);
            column += rest;
        }
    }
}
