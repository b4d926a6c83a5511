//! The share of one op that a member of the thread team computes.

const std = @import("std");

/// Passed to every op's `run`. Ops claim chunks of work from `next`, which the team resets to zero before each run; a
/// member that comes late may not run at all, so nothing is shared out by `part`, which only numbers members' scratch.
/// Which member computes an element never changes its value.
pub const Job = extern struct {
    part: u32,
    parts: u32,
    next: *std.atomic.Value(u32),
    stop: *Stop,

    /// Claims `count` consecutive units of `total`; null when none are left, or none are to be computed any more.
    pub fn claim(job: *const Job, total: u32, count: u32) ?struct { first: u32, end: u32 } {
        std.debug.assert(count > 0);
        std.debug.assert(job.part < job.parts);
        if (job.stop.isRaised()) return null;
        const first = job.next.fetchAdd(count, .monotonic);
        if (first >= total) return null;
        return .{ .first = first, .end = @min(first +| count, total) };
    }

    /// The unit that a claim would begin with at this moment; `total` when none are left.
    pub fn upcoming(job: *const Job, total: u32) u32 {
        return @min(job.next.load(.monotonic), total);
    }
};

/// Ends ops early: a word that any thread may change, polled at each claim.
pub const Stop = extern struct {
    word: *const std.atomic.Value(i32) = &quiet,
    /// The ops go on while the word has this value.
    expected: i32 = 0,
    /// 1 once a claim was refused: what that op computed is incomplete, even if the word changes back.
    refused: std.atomic.Value(u32) = .init(0),

    const quiet: std.atomic.Value(i32) = .init(0);

    fn isRaised(stop: *Stop) bool {
        if (stop.word.load(.monotonic) == stop.expected) return false;
        stop.refused.store(1, .monotonic);
        return true;
    }
};

test "claim hands out every unit once, and none after the word changed" {
    var next: std.atomic.Value(u32) = .init(0);
    var word: std.atomic.Value(i32) = .init(-3);
    var stop: Stop = .{ .word = &word, .expected = -3 };
    const job: Job = .{ .part = 0, .parts = 1, .next = &next, .stop = &stop };
    for ([_]u32{ 4, 8, 10 }) |end| {
        try std.testing.expectEqual((end - 1) / 4 * 4, job.upcoming(10));
        try std.testing.expectEqual(end, job.claim(10, 4).?.end);
    }
    try std.testing.expectEqual(10, job.upcoming(10));
    try std.testing.expectEqual(null, job.claim(10, 4));
    try std.testing.expectEqual(0, stop.refused.raw);
    next.raw = 0;
    try std.testing.expectEqual(4, job.claim(10, 4).?.end);
    word.raw = 5;
    try std.testing.expectEqual(null, job.claim(10, 4));
    try std.testing.expectEqual(4, next.raw);
    word.raw = -3;
    try std.testing.expectEqual(1, stop.refused.raw);
}
