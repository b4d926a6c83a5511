//! The share of one op that a member of the thread team computes.

const std = @import("std");

/// Passed to every op's `run`. Ops claim chunks of work from `next`, which the team resets to zero before each run; a
/// member that comes late may not run at all, so nothing is shared out by `part`, which only numbers members' scratch.
/// Which member computes an element never changes its value.
pub const Job = extern struct {
    part: u32,
    parts: u32,
    next: *std.atomic.Value(u32),

    /// Claims `count` consecutive units of `total`; null when none are left.
    pub fn claim(job: *const Job, total: u32, count: u32) ?struct { first: u32, end: u32 } {
        std.debug.assert(count > 0);
        const first = job.next.fetchAdd(count, .monotonic);
        if (first >= total) return null;
        return .{ .first = first, .end = @min(first +| count, total) };
    }
};
