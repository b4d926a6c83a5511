//! y[c, r] (+)= Σᵢ w[r, i] · x[c, i] (+ bias[r]) for some weight matrices in one call, each with its own columns: those of a
//! layer, or of each expert that tokens chose.
//!
//! w: packed [rows, k] (quant/format.zig); x: [columns, k], f32 row-major for the float formats, quantised columns
//! (quant/activations.zig) for the integer formats; y: f32, columns `y_stride` values apart. First the bias is added
//! to the sum, then, with accumulate = 1, the result to y. No output element is ever split over K or over threads.
//!
//! Here the work is cut into claims; how a claim is computed is up to the first of strategies.zig that serves it.

const std = @import("std");
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

/// How the work is cut into claims: item after item, groups of panels, each times every block of columns. So what an item takes
/// decides into how many claims it is cut, and one with many columns keeps all members busy.
const Plan = struct {
    panels_per_claim: u32,
    claims: u32 = 0,

    fn of(group: *const Group, parts: u32) Plan {
        std.debug.assert(parts > 0);
        var units: u32 = 0;
        var least: u32 = 1;
        for (group.slice()) |*item| {
            units += item.panels() * columnBlocks(item);
            least = @max(least, strategies.cut(item.kind(), item.columns).panels_min);
        }
        var plan: Plan = .{ .panels_per_claim = std.math.clamp(units / (8 * parts), least, item_file.panels_max) };
        for (group.slice()) |*item| plan.claims += plan.claimsOf(item);
        return plan;
    }

    fn claimsOf(plan: Plan, item: *const Item) u32 {
        const groups = (item.panels() + plan.panels_per_claim - 1) / plan.panels_per_claim;
        return groups * columnBlocks(item);
    }
};

fn columnBlocks(item: *const Item) u32 {
    return @intCast((item.columns + strategies.columns_max - 1) / strategies.columns_max);
}

/// How many claims a team of `parts` members makes.
pub fn claimCount(group: *const Group, parts: u32) u32 {
    return Plan.of(group, parts).claims;
}

/// Executed by every member of the team.
pub fn run(group: *const Group, job: *const Job) callconv(.c) void {
    const plan: Plan = .of(group, job.parts);
    var tiles: amx.Tiles = .{};
    defer tiles.release();
    // A member's claims ascend: the item of the last one, and the claims of those before it.
    var index: usize = 0;
    var passed: u32 = 0;
    while (job.claim(plan.claims, 1)) |claimed| {
        while (claimed.first - passed >= plan.claimsOf(&group.items[index])) : (index += 1) passed += plan.claimsOf(&group.items[index]);
        const item = &group.items[index];
        const unit = claimed.first - passed;
        const panel = unit / columnBlocks(item) * plan.panels_per_claim;
        const column = unit % columnBlocks(item) * strategies.columns_max;
        const claim: item_file.Claim = .{
            .item = item,
            .panel_first = panel,
            .panel_end = @min(panel + plan.panels_per_claim, item.panels()),
            .span = .{ .first = column, .end = @min(column + strategies.columns_max, item.columns), .total = item.columns },
            .tiles = &tiles,
        };
        switch (item.kind().layout()) {
            inline else => |format| if (comptime format.layout() == format) strategies.run(format, &claim) else unreachable,
        }
    }
}

test {
    _ = @import("matmul_test.zig");
}
