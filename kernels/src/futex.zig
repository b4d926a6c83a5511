//! Sleeping and waking on a 32-bit word, a lock built on it, and the monotonic clock.
//! Linux has futexes; elsewhere a waiter yields in a loop: correct, but it does not save power.

const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;

/// Sleeps until woken, unless `word` no longer holds `expected`. May also return for no reason.
pub fn wait(word: *const std.atomic.Value(u32), expected: u32) void {
    if (builtin.os.tag == .linux) {
        _ = linux.futex_4arg(word, .{ .cmd = .WAIT, .private = true }, expected, null);
    } else {
        std.Thread.yield() catch {};
    }
}

/// Wakes at most `count` of the threads that sleep on `word`.
pub fn wake(word: *const std.atomic.Value(u32), count: u31) void {
    if (builtin.os.tag == .linux) {
        _ = linux.futex_3arg(word, .{ .cmd = .WAKE, .private = true }, count);
    }
}

/// Monotonic time in nanoseconds.
pub fn nowNs() u64 {
    var time: std.c.timespec = undefined;
    if (std.c.clock_gettime(.MONOTONIC, &time) != 0) return 0;
    return @as(u64, @intCast(time.sec)) * std.time.ns_per_s + @as(u64, @intCast(time.nsec));
}

/// A mutual-exclusion lock: 0 free, 1 held, 2 held and somebody waits.
pub const Lock = struct {
    state: std.atomic.Value(u32) = .init(0),

    pub fn acquire(lock: *Lock) void {
        if (lock.state.cmpxchgStrong(0, 1, .acquire, .monotonic) == null) return;
        while (lock.state.swap(2, .acquire) != 0) wait(&lock.state, 2);
    }

    pub fn release(lock: *Lock) void {
        if (lock.state.swap(0, .release) == 2) wake(&lock.state, 1);
    }
};

test "Lock excludes" {
    const Shared = struct {
        lock: Lock = .{},
        value: u64 = 0,

        fn work(shared: *@This()) void {
            for (0..20_000) |_| {
                shared.lock.acquire();
                defer shared.lock.release();
                shared.value += 1;
            }
        }
    };
    var shared: Shared = .{};
    var threads: [3]std.Thread = undefined;
    for (&threads) |*thread| thread.* = try std.Thread.spawn(.{}, Shared.work, .{&shared});
    for (threads) |thread| thread.join();
    try std.testing.expectEqual(60_000, shared.value);
}
