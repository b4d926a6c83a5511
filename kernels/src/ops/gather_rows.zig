//! y[i] = x[index[i]]: the rows of a step whose logits are wanted.

const std = @import("std");
const Job = @import("../system/job.zig").Job;

/// x: [rows, k]; index: [n], each < rows (the caller checks); y: [n, k], not aliased with x.
pub const Args = extern struct {
    x: [*]const f32,
    index: [*]const u32,
    y: [*]f32,
    k: u32,
    n: u32,
};

pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    const k: usize = args.k;
    while (job.claim(args.n, 8)) |rows| {
        for (rows.first..rows.end) |i| @memcpy(args.y[i * k ..][0..k], args.x[args.index[i] * k ..][0..k]);
    }
}

test "gather_rows copies the named rows" {
    const x = [_]f32{ 0, 1, 10, 11, 20, 21 };
    const index = [_]u32{ 2, 0, 2 };
    for (1..4) |parts| {
        var y: [6]f32 = undefined;
        const args: Args = .{ .x = &x, .index = &index, .y = &y, .k = 2, .n = 3 };
        @import("../testing/testing.zig").runParts(run, &args, @intCast(parts));
        try std.testing.expectEqualSlices(f32, &.{ 20, 21, 0, 1, 20, 21 }, &y);
    }
}
