//! y[c, r] (+)= Σᵢ w[r, i] · x[c, i] (+ bias[r]) for up to three weight matrices in one call.
//!
//! w: packed [rows, k] (quant/format.zig); x: [columns, k], f32 row-major for the float formats, quantised columns
//! (quant/activations.zig) for the integer formats; y: f32, columns `y_stride` values apart. First the bias is added
//! to the sum, then, with accumulate = 1, the result to y. No output element is ever split over K or over threads.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const Job = @import("../../system/job.zig").Job;
const activations = @import("../../quant/activations.zig");
const format_file = @import("../../quant/format.zig");
const Format = format_file.Format;
const integer = @import("tile.zig");
const expanded = @import("expanded.zig");
const i8mm = @import("i8mm.zig");
const vnni = @import("vnni.zig");
const float = @import("float.zig");
const amx = @import("../../isa/amx.zig");
const matmul_amx = @import("amx.zig");
const matmul_amx_bf16 = @import("amx_bf16.zig");
const bf16 = @import("bf16.zig");

pub const Item = extern struct {
    weights: [*]const u8,
    x_f32: ?[*]const f32,
    x_q32: ?[*]const u8,
    x_q256: ?[*]const u8,
    bias: ?[*]const f32,
    y: [*]f32,
    format: u32,
    rows: u32,
    k: u32,
    columns: u32,
    y_stride: u32,
    accumulate: u32,

    fn kind(item: *const Item) Format {
        return Format.fromId(item.format).?;
    }

    fn columnBlocks(item: *const Item) u32 {
        return (item.columns + column_block - 1) / column_block;
    }

    fn panels(item: *const Item) u32 {
        return @intCast(format_file.panelCount(item.rows));
    }

    /// Quantised activations of an integer format.
    fn quantised(item: *const Item) integer.Columns {
        const activation = item.kind().activationKind().?;
        const first = switch (activation) {
            .per32 => item.x_q32.?,
            .per256 => item.x_q256.?,
        };
        return .{ .first = first, .stride = activations.columnBytes(activation, item.k) };
    }
};

pub const Group = extern struct {
    items: [3]Item,
    count: u32,
};

/// Columns whose activations stay in the second-level cache while panel after panel passes over them.
const column_block = if (simd.has_tiles) matmul_amx.columns_max else expanded.columns_max;
comptime {
    std.debug.assert(simd.has_tiles or column_block == bf16.columns_max and claim_panels_max == bf16.panels_max);
}
/// Panels per claim at most: enough that claiming costs nothing, few enough that the last claims end together.
const claim_panels_max = 16;

/// Whether this level multiplies bf16 pairs (ops/matmul/bf16.zig) with these weights.
fn isBf16Dot(comptime format: Format) bool {
    return isPairs(format) and simd.has_bf16_dot and !simd.has_tiles;
}

fn isPairs(comptime format: Format) bool {
    return switch (format.traits()) {
        .float => |kind| kind == .pairs,
        .integer => false,
    };
}

/// The same sums in the same order, one element at a time.
pub fn reference(group: *const Group) void {
    for (group.items[0..group.count]) |*item| {
        for (0..item.columns) |column| {
            for (0..item.rows) |row| {
                const sum = switch (item.kind()) {
                    inline else => |f| switch (comptime f.traits()) {
                        .float => referenceFloat(f, item, row, column),
                        .integer => referenceInteger(f, item, row, column),
                    },
                };
                finish(item, simd.splat(sum), row, 1, column);
            }
        }
    }
}

fn referenceFloat(comptime format: Format, item: *const Item, row: usize, column: usize) f32 {
    const Codec = format_file.Codec(format);
    const panel = item.weights + row / simd.panel_rows * format.panelBytes(item.k);
    const x = item.x_f32.?[column * item.k ..][0..item.k];
    if (isPairs(format) and simd.has_tiles) return matmul_amx_bf16.reference(panel, row % simd.panel_rows, x);
    if (isBf16Dot(format)) return bf16.reference(panel, row % simd.panel_rows, x);
    const chunks: [*]const Codec.Packed = @ptrCast(@alignCast(panel));
    var sum: f32 = 0;
    for (0..item.k) |i| {
        const block = Codec.unpackBlock(&chunks[i / Codec.chunk_len], row % simd.panel_rows, i % Codec.chunk_len);
        sum = simd.fma(Codec.decode(&block)[0], x[i], sum);
    }
    return sum;
}

fn referenceInteger(comptime format: Format, item: *const Item, row: usize, column: usize) f32 {
    const Codec = format_file.Codec(format);
    const per_chunk = Codec.chunk_len / Codec.block_len;
    const panel = item.weights + row / simd.panel_rows * format.panelBytes(item.k);
    const chunks: [*]const Codec.Packed = @ptrCast(@alignCast(panel));
    const columns = item.quantised();
    const x: [*]const activations.Group32 = @ptrCast(@alignCast(columns.first + column * columns.stride));
    var sum: f32 = 0;
    for (0..item.k / Codec.block_len) |b| {
        const block = Codec.unpackBlock(&chunks[b / per_chunk], row % simd.panel_rows, b % per_chunk);
        const values = Codec.integers(&block);
        const first = b * Codec.block_len;
        var isum: i32 = 0;
        var msum: i32 = 0;
        for (values.weights, values.mins, x[first / 256].q[first % 256 ..][0..Codec.block_len]) |weight, min, q| {
            isum += weight * q;
            msum += min * q;
        }
        const x256: *const activations.Group256 = @ptrCast(&x[first / 256]);
        const da = if (Codec.block_len == 32) x[b / 8].scales[b % 8] else x256.scale;
        sum = simd.fma(@as(f32, @floatFromInt(isum)), values.d * da, sum);
        if (comptime format.integer().mins != .none) sum = simd.fma(-@as(f32, @floatFromInt(msum)), values.dmin * da, sum);
    }
    return sum;
}

/// Bias, residual and store of `count` ≤ 16 rows from `row` on.
inline fn finish(item: *const Item, sum: simd.F32x16, row: usize, count: usize, column: usize) void {
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

/// How the work is cut into claims: item after item, groups of panels, each times every block of columns.
const Plan = struct {
    panels_per_claim: u32,
    first: [4]u32,

    fn of(group: *const Group, parts: u32) Plan {
        var units: u32 = 0;
        var least: u32 = 1;
        for (group.items[0..group.count]) |*item| {
            units += item.panels() * item.columnBlocks();
            if (simd.has_tiles) least = @max(least, matmul_amx.panelsMin(item.kind(), item.columns));
        }
        var plan: Plan = .{
            .panels_per_claim = std.math.clamp(units / (8 * parts), least, claim_panels_max),
            .first = @splat(0),
        };
        for (group.items[0..group.count], 0..) |*item, i| {
            const groups = (item.panels() + plan.panels_per_claim - 1) / plan.panels_per_claim;
            plan.first[i + 1] = plan.first[i] + groups * item.columnBlocks();
        }
        return plan;
    }
};

/// How many claims a team of `parts` members makes.
pub fn claimCount(group: *const Group, parts: u32) u32 {
    return Plan.of(group, parts).first[group.count];
}

/// Executed by every member of the team.
pub fn run(group: *const Group, job: *const Job) callconv(.c) void {
    const plan: Plan = .of(group, job.parts);
    var tiles: amx.Tiles = .{};
    defer tiles.release();
    while (job.claim(plan.first[group.count], 1)) |claim| {
        var index: usize = 0;
        while (claim.first >= plan.first[index + 1]) index += 1;
        const item = &group.items[index];
        const unit = claim.first - plan.first[index];
        const panel_first = unit / item.columnBlocks() * plan.panels_per_claim;
        const panel_end = @min(panel_first + plan.panels_per_claim, item.panels());
        const column_first = unit % item.columnBlocks() * column_block;
        const column_end = @min(column_first + column_block, item.columns);
        switch (item.kind()) {
            inline else => |format| {
                const tiled_min = comptime matmul_amx.columnsMin(format);
                if (tiled_min == 1 or (tiled_min != null and column_end - column_first >= tiled_min.?)) {
                    tiles.configure(matmul_amx.shapeOf(format, item.columns));
                    const span: matmul_amx.Span = .{ .first = column_first, .end = column_end, .total = item.columns };
                    runTiles(format, item, panel_first, panel_end, span);
                } else if (comptime isBf16Dot(format)) {
                    runBf16(item, panel_first, panel_end, column_first, column_end);
                } else if ((comptime i8mm.serves(format)) and column_end - column_first >= 2) {
                    runPairs(format, item, panel_first, panel_end, column_first, column_end - column_first);
                } else for (panel_first..panel_end) |panel| {
                    runPanel(format, item, panel, column_first, column_end);
                }
            },
        }
    }
}

/// Panels times a span of columns in tile registers. Not inlined, so that only who needs its arrays has them on the stack.
noinline fn runTiles(comptime format: Format, item: *const Item, panel_first: usize, panel_end: usize, span: matmul_amx.Span) void {
    if (comptime isPairs(format)) return runTilesBf16(item, panel_first, panel_end, span);
    const P = matmul_amx.panelsAtOnce(format);
    var out: [P]matmul_amx.Out align(64) = undefined;
    var panel = panel_first;
    while (panel < panel_end) : (panel += P) {
        const weights = item.weights + panel * format.panelBytes(item.k);
        const count = @min(P, panel_end - panel);
        if (count == P) {
            matmul_amx.panelsTimesColumns(format, P, weights, item.k, item.quantised(), span, &out);
        } else {
            matmul_amx.panelsTimesColumns(format, 1, weights, item.k, item.quantised(), span, out[0..1]);
        }
        for (out[0..count], panel..) |*values, i| finishPanel(item, values[0..span.count()], i, span.first);
    }
}

noinline fn runTilesBf16(item: *const Item, panel_first: usize, panel_end: usize, span: matmul_amx.Span) void {
    const bytes = Format.bf16.panelBytes(item.k);
    var scratch: matmul_amx_bf16.Scratch = undefined;
    matmul_amx_bf16.multiply(item.weights + panel_first * bytes, bytes, panel_end - panel_first, item.x_f32.?, item.k, span, &scratch);
    for (panel_first..panel_end) |panel| {
        const row = panel * simd.panel_rows;
        const rows = @min(simd.panel_rows, item.rows - row);
        for (0..span.parts()) |i| {
            const part = span.part(i);
            for (0..part.count) |c| {
                finish(item, scratch.values(panel - panel_first, i, part.skip + c), row, rows, span.first + part.first + c);
            }
        }
    }
}

fn runBf16(item: *const Item, panel_first: usize, panel_end: usize, column_first: usize, column_end: usize) void {
    const count = column_end - column_first;
    const bytes = Format.panelBytes(.bf16, item.k);
    var sums: bf16.Sums = undefined;
    bf16.run(&.{
        .weights = item.weights + panel_first * bytes,
        .panels = panel_end - panel_first,
        .k = item.k,
        .first = item.x_f32.? + column_first * item.k,
        .columns = count,
    }, &sums);
    for (panel_first..panel_end, sums[0 .. panel_end - panel_first]) |panel, *columns| {
        finishPanel(item, columns[0..count], panel, column_first);
    }
}

fn runPanel(comptime format: Format, item: *const Item, panel: usize, column_first: usize, column_end: usize) void {
    const shape: Shape = comptime .of(format);
    var column = column_first;
    if (comptime vnni.serves(format)) {
        if (vnni.takes(format, column_end - column, item.columns)) {
            const count = (column_end - column) / vnni.tile_columns * vnni.tile_columns;
            runWide(format, item, panel, column, count);
            column += count;
        }
    } else if (comptime format.activationKind() == .per256) {
        if (column_end - column >= expanded.columns_min) {
            const count = (column_end - column) / shape.columns * shape.columns;
            runExpanded(format, shape, item, panel, column, count);
            column += count;
        }
    }
    while (column_end - column >= shape.columns) : (column += shape.columns) {
        runTile(format, shape, item, panel, column);
    }
    inline for (.{ 4, 3, 2, 1 }) |rest| {
        if (rest < shape.columns and column_end - column >= rest) {
            runTile(format, .{ .columns = rest }, item, panel, column);
            column += rest;
        }
    }
}

fn runPairs(comptime format: Format, item: *const Item, panel_first: usize, panel_end: usize, column: usize, count: usize) void {
    var out: i8mm.Out = undefined;
    var x = item.quantised();
    x.first += column * x.stride;
    var panel = panel_first;
    while (panel < panel_end) : (panel += i8mm.panels_max) {
        const panels = @min(i8mm.panels_max, panel_end - panel);
        const weights = item.weights + panel * format.panelBytes(item.k);
        i8mm.panelsTimesColumns(format, weights, panels, item.k, x, count, &out);
        for (out[0..panels], panel..) |*sums, index| finishPanel(item, sums[0..count], index, column);
    }
}

const Shape = struct {
    columns: usize,
    /// Row groups at once, which share each broadcast activation; a panel is then also read in address order, once.
    /// (Float formats: the whole panel.)
    groups: usize = @min(2, integer.panel_groups),

    /// Measured on AVX2 and AVX-512: what keeps the multipliers busy although it spills a sum now and then.
    fn of(comptime format: Format) Shape {
        if (!simd.fast) return .{ .columns = 1 };
        const wide = simd.row_lanes == 16;
        return switch (format.traits()) {
            .float => .{ .columns = 6 },
            .integer => |traits| switch (traits.activation) {
                .per32 => .{ .columns = if (wide) 6 else 4 },
                // Sums of mins or offsets, too, wait in registers: of AVX-VNNI's 16, three columns leave enough (1.2 times as fast).
                .per256 => .{ .columns = if (wide) 6 else if (simd.has_short_dot) 3 else 4 },
            },
        };
    }
};

fn runTile(comptime format: Format, comptime shape: Shape, item: *const Item, panel: usize, column: usize) void {
    const C = shape.columns;
    const bytes = format.panelBytes(item.k);
    var out: [C][simd.panel_rows]f32 = undefined;
    if (comptime format.activationKind() == null) {
        const x: float.Columns = .{ .first = item.x_f32.? + column * item.k, .stride = item.k };
        float.tile(format, C, item.weights + panel * bytes, item.k, x, &out);
    } else {
        var x = item.quantised();
        x.first += column * x.stride;
        var group: usize = 0;
        while (group < integer.panel_groups) : (group += shape.groups) {
            integer.tile(format, C, shape.groups, item.weights + panel * bytes, item.k, x, group * simd.row_lanes, &out);
        }
    }
    finishPanel(item, &out, panel, column);
}

fn runExpanded(comptime format: Format, comptime shape: Shape, item: *const Item, panel: usize, column: usize, count: usize) void {
    var out: [expanded.columns_max][simd.panel_rows]f32 = undefined;
    var x = item.quantised();
    x.first += column * x.stride;
    const weights = item.weights + panel * format.panelBytes(item.k);
    expanded.panelTimesColumns(format, shape.columns, shape.groups, weights, item.k, x, count, &out);
    finishPanel(item, out[0..count], panel, column);
}

fn runWide(comptime format: Format, item: *const Item, panel: usize, column: usize, count: usize) void {
    var out: [expanded.columns_max][simd.panel_rows]f32 align(64) = undefined;
    var x = item.quantised();
    x.first += column * x.stride;
    vnni.panelTimesColumns(format, item.weights + panel * format.panelBytes(item.k), item.k, x, count, &out);
    finishPanel(item, out[0..count], panel, column);
}

fn finishPanel(item: *const Item, out: []const [simd.panel_rows]f32, panel: usize, column: usize) void {
    const row = panel * simd.panel_rows;
    const rows = @min(simd.panel_rows, item.rows - row);
    for (out, 0..) |values, c| finish(item, values, row, rows, column + c);
}

test {
    _ = @import("matmul_test.zig");
}
