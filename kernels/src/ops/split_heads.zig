//! Takes rows apart in which two things of each head alternate: queries and their gates.

const std = @import("std");
const Job = @import("../system/job.zig").Job;

/// x: [n, heads, 2, dim]; first, second: [n, heads, dim] each, not aliased.
pub const Args = extern struct {
    x: [*]const f32,
    first: [*]f32,
    second: [*]f32,
    n: u32,
    heads: u32,
    dim: u32,
};

pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    const dim: usize = args.dim;
    while (job.claim(args.n * args.heads, 4)) |claimed| for (claimed.first..claimed.end) |i| {
        @memcpy(args.first[i * dim ..][0..dim], args.x[2 * i * dim ..]);
        @memcpy(args.second[i * dim ..][0..dim], args.x[(2 * i + 1) * dim ..]);
    };
}

test "split_heads takes heads apart" {
    const x = [_]f32{ 0, 1, 10, 11, 2, 3, 12, 13, 4, 5, 14, 15, 6, 7, 16, 17 };
    for (1..4) |parts| {
        var first: [8]f32 = undefined;
        var second: [8]f32 = undefined;
        const args: Args = .{ .x = &x, .first = &first, .second = &second, .n = 2, .heads = 2, .dim = 2 };
        @import("../testing/testing.zig").runParts(run, &args, @intCast(parts));
        try std.testing.expectEqualSlices(f32, &.{ 0, 1, 2, 3, 4, 5, 6, 7 }, &first);
        try std.testing.expectEqualSlices(f32, &.{ 10, 11, 12, 13, 14, 15, 16, 17 }, &second);
    }
}
