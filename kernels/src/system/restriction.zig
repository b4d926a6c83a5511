//! Threads that contexts keep on some CPUs, and what these threads could use before.
//!
//! A thread inherits the mask of the one that starts it, so the mask alone does not tell what a thread started by a
//! restricted one may be given; `available` does.

const std = @import("std");
const builtin = @import("builtin");
const cpus = @import("cpus.zig");
const futex = @import("futex.zig");

/// The calling thread on some CPUs, from `enter` to `leave`. Must not move in between.
pub const Restriction = struct {
    /// 0 while not entered.
    thread: u32 = 0,
    /// The thread's mask before its first restriction.
    before: cpus.CpuSet = .{},
    next: ?*Restriction = null,

    /// Restricts the calling thread; false, and nothing done, where the system refuses.
    pub fn enter(restriction: *Restriction, set: *const cpus.CpuSet) bool {
        std.debug.assert(restriction.thread == 0);
        lock.acquire();
        defer lock.release();
        const thread = threadId();
        const before = if (find(thread)) |earlier| earlier.before else cpus.allowed() orelse return false;
        if (!cpus.restrict(set)) return false;
        restriction.* = .{ .thread = thread, .before = before, .next = first };
        first = restriction;
        return true;
    }

    /// Gives the thread its mask back with the last of its restrictions. From another thread, which frees what an ended
    /// one left, it only forgets.
    pub fn leave(restriction: *Restriction) void {
        if (restriction.thread == 0) return;
        lock.acquire();
        defer lock.release();
        var link = &first;
        while (link.* != restriction) link = &link.*.?.next;
        link.* = restriction.next;
        if (restriction.thread == threadId() and find(restriction.thread) == null) _ = cpus.restrict(&restriction.before);
        restriction.* = .{};
    }
};

var lock: futex.Lock = .{};
var first: ?*Restriction = null;

fn find(thread: u32) ?*Restriction {
    var at = first;
    while (at) |restriction| : (at = restriction.next) {
        if (restriction.thread == thread) return restriction;
    }
    return null;
}

fn threadId() u32 {
    return if (builtin.os.tag == .linux) @intCast(std.os.linux.gettid()) else std.math.maxInt(u32);
}

/// The CPUs that a context may be given: the calling thread's, and those that restricted threads had before. Null where
/// the system has no masks.
pub fn available() ?cpus.CpuSet {
    var set = cpus.allowed() orelse return null;
    lock.acquire();
    defer lock.release();
    var at = first;
    while (at) |restriction| : (at = restriction.next) set.unite(&restriction.before);
    return set;
}

test "a thread gets its mask back with its last restriction, in whatever order they end" {
    const all = cpus.allowed() orelse return error.SkipZigTest;
    var one: cpus.CpuSet = .{};
    one.add(all.nextFrom(0).?);
    var last: cpus.CpuSet = .{};
    last.add(all.last().?);
    for ([_]bool{ false, true }) |oldest_first| {
        var a: Restriction = .{};
        var b: Restriction = .{};
        if (!a.enter(&one)) return error.SkipZigTest;
        try std.testing.expectEqual(one, cpus.allowed().?);
        try std.testing.expect(b.enter(&last));
        try std.testing.expectEqual(last, cpus.allowed().?);
        try std.testing.expectEqual(all, available().?);
        if (oldest_first) a.leave() else b.leave();
        try std.testing.expect(!std.meta.eql(all, cpus.allowed().?) or all.count() == 1);
        if (oldest_first) b.leave() else a.leave();
        try std.testing.expectEqual(all, cpus.allowed().?);
        a.leave();
    }
}

test "another thread inherits a restriction, sees past it, and ends it without changing itself" {
    const all = cpus.allowed() orelse return error.SkipZigTest;
    var one: cpus.CpuSet = .{};
    one.add(all.last().?);
    var restriction: Restriction = .{};
    if (!restriction.enter(&one)) return error.SkipZigTest;
    const Other = struct {
        fn work(own: *cpus.CpuSet, seen: *cpus.CpuSet, held: *Restriction) void {
            seen.* = available().?;
            held.leave();
            own.* = cpus.allowed().?;
        }
    };
    var own: cpus.CpuSet = .{};
    var seen: cpus.CpuSet = .{};
    (try std.Thread.spawn(.{}, Other.work, .{ &own, &seen, &restriction })).join();
    try std.testing.expectEqual(one, own);
    try std.testing.expectEqual(all, seen);
    try std.testing.expectEqual(one, cpus.allowed().?);
    try std.testing.expect(cpus.restrict(&all));
}

test "a set without any CPU of this machine is refused and changes nothing" {
    const all = cpus.allowed() orelse return error.SkipZigTest;
    var absent: cpus.CpuSet = .{};
    absent.add(cpus.CpuSet.bits - 1);
    var restriction: Restriction = .{};
    try std.testing.expect(!restriction.enter(&absent));
    restriction.leave();
    try std.testing.expectEqual(all, cpus.allowed().?);
}
