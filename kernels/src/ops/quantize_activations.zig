//! Quantises f32 activations for the integer matmuls (quant/activations.zig has the rule and the layout).
//! x: [n, k] f32 row-major; q32, q256: n columns of columnBytes(kind, k) bytes, aligned to 64; null: not wanted.

const std = @import("std");
const Job = @import("../system/job.zig").Job;
const activations = @import("../quant/activations.zig");

pub const Args = extern struct {
    x: [*]const f32,
    q32: ?[*]u8,
    q256: ?[*]u8,
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
    if (args.q32) |target| quantizeInto(.per32, x, target, row);
    if (args.q256) |target| quantizeInto(.per256, x, target, row);
}

fn quantizeInto(kind: activations.Kind, x: []const f32, target: [*]u8, row: usize) void {
    const bytes = activations.columnBytes(kind, x.len);
    activations.quantizeColumn(kind, x, target[row * bytes ..][0..bytes]);
}

const testing = @import("../testing/testing.zig");

test "every row is quantised, by any number of members" {
    var rng: testing.Rng = .init(51);
    const k = 512;
    const n = 5;
    var x = try testing.guarded(f32, n * k);
    defer x.deinit();
    rng.fill(x.slice(f32), 4);
    const bytes = comptime activations.columnBytes(.per32, k);
    try std.testing.expectEqual(bytes, activations.columnBytes(.per256, k));
    var q32: testing.GuardedBuffer = try .init(n * bytes);
    defer q32.deinit();
    var q256: testing.GuardedBuffer = try .init(n * bytes);
    defer q256.deinit();
    const args: Args = .{ .x = x.slice(f32).ptr, .q32 = q32.bytes.ptr, .q256 = q256.bytes.ptr, .k = k, .n = n };
    testing.runParts(run, &args, 3);
    var want: [bytes]u8 align(64) = undefined;
    for (0..n) |row| {
        activations.quantizeColumn(.per32, x.slice(f32)[row * k ..][0..k], &want);
        try std.testing.expectEqualSlices(u8, &want, q32.bytes[row * bytes ..][0..bytes]);
        activations.quantizeColumn(.per256, x.slice(f32)[row * k ..][0..k], &want);
        try std.testing.expectEqualSlices(u8, &want, q256.bytes[row * bytes ..][0..bytes]);
    }
    reference(&.{ .x = x.slice(f32).ptr, .q32 = q32.bytes.ptr, .q256 = null, .k = k, .n = n });
}
