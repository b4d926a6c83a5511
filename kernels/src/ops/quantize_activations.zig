//! Quantises f32 activations for the integer matmuls (quant/activations.zig has the rule and the layout), where no norm before
//! them does that in its epilogue.

const std = @import("std");
const Job = @import("../system/job.zig").Job;
const activations = @import("../quant/activations.zig");

/// x: [n, k] f32 row-major; y: the forms that are wanted; its f32 is a copy, or x itself.
pub const Args = extern struct {
    x: [*]const f32,
    y: activations.Activation,
    k: u32,
    n: u32,
};

pub fn reference(args: *const Args) void {
    for (0..args.n) |i| quantizeRow(args, i);
}

/// Executed by every member of the team, a row a claim.
pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    while (job.claim(args.n, 1)) |claim| quantizeRow(args, claim.first);
}

fn quantizeRow(args: *const Args, row: usize) void {
    const x = args.x[row * args.k ..][0..args.k];
    activations.quantizeRow(x, &args.y, row);
    if (args.y.f32) |copy| if (copy != args.x) @memcpy(copy[row * args.k ..][0..args.k], x);
}

const testing = @import("../testing/testing.zig");

test "every row is quantised in every kind, by any number of members" {
    var rng: testing.Rng = .init(51);
    const k = 512;
    const n = 5;
    var x = try testing.guarded(f32, n * k);
    defer x.deinit();
    rng.fill(x.slice(f32), 4);
    const layout: activations.Layout = try .of(activations.forms_all, n, k);
    var region: testing.GuardedBuffer = try .init(layout.bytes);
    defer region.deinit();
    const args: Args = .{ .x = x.slice(f32).ptr, .y = layout.at(@alignCast(region.bytes.ptr)), .k = k, .n = n };
    testing.runParts(run, &args, 3);
    try std.testing.expectEqualSlices(f32, x.slice(f32), args.y.f32.?[0 .. n * k]);
    for (std.enums.values(activations.Kind)) |kind| {
        const bytes = activations.columnBytes(kind, k);
        const want = try std.testing.allocator.alignedAlloc(u8, .@"64", bytes);
        defer std.testing.allocator.free(want);
        for (0..n) |row| {
            activations.quantizeColumn(kind, x.slice(f32)[row * k ..][0..k], want);
            try std.testing.expectEqualSlices(u8, want, args.y.of(kind).?[row * bytes ..][0..bytes]);
        }
    }
    reference(&args);
}
