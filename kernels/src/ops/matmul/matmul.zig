//! y[c, r] (+)= Σᵢ w[r, i] · x[c, i] (+ bias[r]) for some weight matrices in one call, each with its own columns: those of a
//! layer, or of each expert that tokens chose.
//!
//! w: packed [rows, k] (quant/format.zig); x: [columns, k], f32 row-major for the float formats, quantised columns
//! (quant/activations.zig) for the integer formats; y: f32, columns `y_stride` values apart. First the bias is added
//! to the sum, then, with accumulate = 1, the result to y. No output element is ever split over K or over threads.
//!
//! Here the work is cut into claims; how a claim is computed is up to the first of strategies.zig that serves it.

const std = @import("std");
const read_ahead = @import("../../isa/read_ahead.zig");
const simd = @import("../../isa/simd.zig");
const amx = @import("../../isa/amx.zig");
const Job = @import("../../system/job.zig").Job;
const activations = @import("../../quant/activations.zig");
const codec = @import("../../quant/codec.zig");
const format_file = @import("../../quant/format.zig");
const Format = format_file.Format;
const item_file = @import("item.zig");
const strategies = @import("strategies.zig");

pub const Item = item_file.Item;
pub const Group = item_file.Group;

/// The same sums in the same order, one element at a time.
pub fn reference(group: *const Group) void {
    for (group.slice()) |*item| {
        for (0..item.columns) |column| {
            for (0..item.rows) |row| {
                const sum = switch (item.kind().layout()) {
                    inline else => |f| if (comptime f.layout() != f) unreachable else switch (comptime f.traits()) {
                        .float => referenceFloat(f, item, row, column),
                        .integer => referenceInteger(f, item, row, column),
                    },
                };
                item.finish(simd.splat(sum), row, 1, column);
            }
        }
    }
}

fn referenceFloat(comptime format: Format, item: *const Item, row: usize, column: usize) f32 {
    const Codec = format_file.Codec(format);
    const panel = item.weights + row / simd.panel_rows * format.panelBytes(item.k);
    const x = item.floats(column)[0..item.k];
    if (comptime strategies.WithReference(format)) |Strategy| return Strategy.reference(panel, row % simd.panel_rows, x);
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
    const x: [*]const activations.Group32 = @ptrCast(@alignCast(item.quantised(column).first));
    // Values that share an activation's scale; a block may have several such parts.
    const len = comptime format.integer().activation.blockLen();
    var sum: f32 = 0;
    for (0..item.k / Codec.block_len) |b| {
        const block = Codec.unpackBlock(&chunks[b / per_chunk], row % simd.panel_rows, b % per_chunk);
        const parts = if (Codec.block_len == len) [1]codec.Integers(len){Codec.integers(&block)} else Codec.integers(&block);
        for (parts, 0..) |values, part| {
            const first = b * Codec.block_len + part * len;
            const group = &x[first / 256];
            var isum: i32 = 0;
            var msum: i32 = 0;
            for (values.weights, values.mins, group.q[first % 256 ..][0..len]) |weight, min, q| {
                isum += weight * q;
                msum += min * q;
            }
            const x256: *const activations.Group256 = @ptrCast(group);
            const da = if (len == 32) group.scales[first % 256 / 32] else x256.scale;
            sum = simd.fma(@as(f32, @floatFromInt(isum)), values.d * da, sum);
            if (comptime format.integer().mins != .none) sum = simd.fma(-@as(f32, @floatFromInt(msum)), values.dmin * da, sum);
        }
    }
    return sum;
}

/// How the work is cut into units, of which members claim some: item after item, groups of panels, each times every block of
/// columns. So what an item takes decides into how many units it is cut, and one with many columns keeps all members busy.
const Plan = struct {
    group: *const Group,
    panels_per_unit: u32,
    units: u32 = 0,
    /// Units of one claim at most.
    units_max: u32 = 1,

    fn of(group: *const Group, parts: u32) Plan {
        std.debug.assert(parts > 0);
        var units: u32 = 0;
        var least: u32 = 1;
        // Units that take as long as each other.
        var even = true;
        for (group.slice()) |*item| {
            units += item.panels() * columnBlocks(item);
            const cut = strategies.cut(item.kind(), item.columns);
            least = @max(least, cut.panels_min);
            even = even and cut.streams and item.columns == group.items[0].columns;
        }
        var plan: Plan = .{
            .group = group,
            .panels_per_unit = if (even) 1 else std.math.clamp(units / (8 * parts), least, item_file.panels_max),
            .units_max = if (even) item_file.panels_max else 1,
        };
        for (group.slice()) |*item| plan.units += plan.unitsOf(item);
        return plan;
    }

    fn unitsOf(plan: Plan, item: *const Item) u32 {
        const groups = (item.panels() + plan.panels_per_unit - 1) / plan.panels_per_unit;
        return groups * columnBlocks(item);
    }

    fn streams(plan: Plan) bool {
        return plan.units_max > 1;
    }

    /// Units of a claim that begins at or behind `next`: a part of what is left, so that the last claims end together.
    fn share(plan: Plan, next: u32, parts: u32) u32 {
        return std.math.clamp((plan.units - next) / (2 * parts), 1, plan.units_max);
    }
};

fn columnBlocks(item: *const Item) u32 {
    return @intCast((item.columns + strategies.columns_max - 1) / strategies.columns_max);
}

/// How many units a team of `parts` members claims, one or some at a time.
pub fn unitCount(group: *const Group, parts: u32) u32 {
    return Plan.of(group, parts).units;
}

/// Where a unit is: its item, and its place there.
const Place = struct {
    index: usize = 0,
    /// Units of the items before.
    passed: u32 = 0,

    /// A later unit, or the same.
    fn at(place: Place, plan: Plan, unit: u32) Place {
        std.debug.assert(unit >= place.passed and unit < plan.units);
        var found = place;
        while (true) : (found.index += 1) {
            const units = plan.unitsOf(&plan.group.items[found.index]);
            if (unit - found.passed < units) return found;
            found.passed += units;
        }
    }

    fn item(place: Place, plan: Plan) *const Item {
        return &plan.group.items[place.index];
    }
};

/// Executed by every member of the team.
pub fn run(group: *const Group, job: *const Job) callconv(.c) void {
    const plan: Plan = .of(group, job.parts);
    var tiles: amx.Tiles = .{};
    defer tiles.release();
    if (plan.streams()) return stream(plan, job, &tiles);
    // A member's claims ascend.
    var place: Place = .{};
    while (job.claim(plan.units, 1)) |claimed| {
        place = place.at(plan, claimed.first);
        const item = place.item(plan);
        const unit = claimed.first - place.passed;
        const panel = unit / columnBlocks(item) * plan.panels_per_unit;
        const column = unit % columnBlocks(item) * strategies.columns_max;
        multiply(&.{
            .item = item,
            .panel_first = panel,
            .panel_end = @min(panel + plan.panels_per_unit, item.panels()),
            .span = .{ .first = column, .end = @min(column + strategies.columns_max, item.columns), .total = item.columns },
            .tiles = &tiles,
        });
    }
}

/// As `run`, of units that are panels.
fn stream(plan: Plan, job: *const Job, tiles: *amx.Tiles) void {
    var place: Place = .{};
    var upcoming = job.upcoming(plan.units);
    while (job.claim(plan.units, plan.share(upcoming, job.parts))) |claimed| {
        var unit = claimed.first;
        while (unit < claimed.end) {
            place = place.at(plan, unit);
            const item = place.item(plan);
            const end = @min(claimed.end, place.passed + item.panels());
            const bytes = item.kind().panelBytes(item.k);
            // The last panels apart: while they are read it shows what the member claims next.
            const last = @max(unit, end -| @as(u32, @intCast((read_ahead.far_bytes + bytes - 1) / bytes)));
            if (last > unit) streamPanels(plan, place, unit, last, weightsOf(plan, place, last), tiles);
            upcoming = if (end < claimed.end) end else job.upcoming(plan.units);
            streamPanels(plan, place, last, end, weightsOf(plan, place, upcoming), tiles);
            unit = end;
        }
    }
}

/// Units [first, end) of one item.
fn streamPanels(plan: Plan, place: Place, first: u32, end: u32, next: ?[*]const u8, tiles: *amx.Tiles) void {
    const item = place.item(plan);
    multiply(&.{
        .item = item,
        .panel_first = first - place.passed,
        .panel_end = end - place.passed,
        .span = .{ .first = 0, .end = item.columns, .total = item.columns },
        .next = next,
        .tiles = tiles,
    });
}

/// Where the weights of a later unit begin, which is a panel; null behind the last one.
fn weightsOf(plan: Plan, from: Place, unit: u32) ?[*]const u8 {
    if (unit == plan.units) return null;
    const place = from.at(plan, unit);
    const item = place.item(plan);
    return item.weights + (unit - place.passed) * item.kind().panelBytes(item.k);
}

fn multiply(claim: *const item_file.Claim) void {
    switch (claim.item.kind().layout()) {
        inline else => |format| if (comptime format.layout() == format) strategies.run(format, claim) else unreachable,
    }
}

test {
    _ = @import("matmul_test.zig");
}
