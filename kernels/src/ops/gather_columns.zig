//! Copies what tokens multiply to the rows of their experts, in one form: f32 or quantised columns.

const std = @import("std");
const Job = @import("../system/job.zig").Job;
const Copy = @import("expert_rows.zig").Copy;

/// source: tokens, target: rows, both `stride` bytes apart, not aliased.
pub const Args = extern struct {
    source: [*]const u8,
    target: [*]u8,
    copies: [*]const Copy,
    stride: usize,
    n: u32,
};

/// Columns that a member claims at once: some microseconds of work.
const claim_columns = 8;

pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    while (job.claim(args.n, claim_columns)) |claimed| {
        for (args.copies[claimed.first..claimed.end]) |copy| {
            const source = args.source[copy.token * args.stride ..][0..args.stride];
            @memcpy(args.target[copy.row * args.stride ..][0..args.stride], source);
        }
    }
}

test "gather_columns copies tokens to the rows that are named" {
    const source = [_]u8{ 1, 2, 3, 4, 5, 6 };
    const copies = [_]Copy{ .{ .token = 2, .row = 0 }, .{ .token = 0, .row = 3 } };
    for (1..4) |parts| {
        var target: [8]u8 = @splat(0);
        const args: Args = .{ .source = &source, .target = &target, .copies = &copies, .stride = 2, .n = 2 };
        @import("../testing/testing.zig").runParts(run, &args, @intCast(parts));
        try std.testing.expectEqualSlices(u8, &.{ 5, 6, 0, 0, 0, 0, 1, 2 }, &target);
    }
}
