//! Sleeping and waking on a 32-bit word, a lock built on it, and the monotonic clock.
//! Linux has futexes, macOS and Windows have the like; elsewhere a waiter yields in a loop: correct, but it does not save
//! power.

const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const windows = @import("windows.zig");

/// Sleeps until woken, unless `word` no longer holds `expected`. May also return for no reason.
pub fn wait(word: *const std.atomic.Value(u32), expected: u32) void {
    switch (builtin.os.tag) {
        .linux => _ = linux.futex_4arg(word, .{ .cmd = .WAIT, .private = true }, expected, null),
        .macos => _ = std.c.__ulock_wait(.{ .op = .COMPARE_AND_WAIT, .NO_ERRNO = true }, word, expected, 0),
        .windows => _ = windows.RtlWaitOnAddress(word, &expected, @sizeOf(u32), null),
        else => std.Thread.yield() catch {},
    }
}

/// Wakes at most `count` of the threads that sleep on `word`.
pub fn wake(word: *const std.atomic.Value(u32), count: u31) void {
    std.debug.assert(count > 0);
    switch (builtin.os.tag) {
        .linux => _ = linux.futex_3arg(word, .{ .cmd = .WAKE, .private = true }, count),
        // Only one or all: a waiter that is woken too often looks at its word and sleeps again.
        .macos => _ = std.c.__ulock_wake(.{ .op = .COMPARE_AND_WAIT, .NO_ERRNO = true, .WAKE_ALL = count > 1 }, word, 0),
        .windows => if (count > 1) windows.RtlWakeAddressAll(word) else windows.RtlWakeAddressSingle(word),
        else => {},
    }
}

/// Monotonic time in nanoseconds.
pub fn nowNs() u64 {
    if (builtin.os.tag == .windows) return windowsNowNs();
    var time: std.c.timespec = undefined;
    if (std.c.clock_gettime(.MONOTONIC, &time) != 0) return 0;
    return @as(u64, @intCast(time.sec)) * std.time.ns_per_s + @as(u64, @intCast(time.nsec));
}

fn windowsNowNs() u64 {
    var ticks: i64 = 0;
    var per_second: i64 = 1; // the same while the system runs; asking is a read of memory
    _ = windows.QueryPerformanceCounter(&ticks);
    _ = windows.QueryPerformanceFrequency(&per_second);
    return @intCast(@divTrunc(@as(i128, ticks) * std.time.ns_per_s, per_second));
}

/// A mutual-exclusion lock: 0 free, 1 held, 2 held and somebody waits.
pub const Lock = struct {
    state: std.atomic.Value(u32) = .init(0),

    pub fn acquire(lock: *Lock) void {
        if (lock.state.cmpxchgStrong(0, 1, .acquire, .monotonic) == null) return;
        while (lock.state.swap(2, .acquire) != 0) wait(&lock.state, 2);
    }

    pub fn release(lock: *Lock) void {
        const state = lock.state.swap(0, .release);
        std.debug.assert(state == 1 or state == 2); // held
        if (state == 2) wake(&lock.state, 1);
    }
};

test "a wait ends once the word has changed and the waiter is woken" {
    const Sleeper = struct {
        word: std.atomic.Value(u32) = .init(0),
        awake: std.atomic.Value(u32) = .init(0),

        fn work(sleeper: *@This()) void {
            while (sleeper.word.load(.acquire) == 0) wait(&sleeper.word, 0);
            _ = sleeper.awake.fetchAdd(1, .monotonic);
        }
    };
    var sleeper: Sleeper = .{};
    var threads: [3]std.Thread = undefined;
    for (&threads) |*thread| thread.* = try std.Thread.spawn(.{}, Sleeper.work, .{&sleeper});
    sleeper.word.store(1, .release);
    wake(&sleeper.word, std.math.maxInt(u31));
    for (threads) |thread| thread.join();
    try std.testing.expectEqual(3, sleeper.awake.load(.monotonic));
    const start = nowNs();
    wait(&sleeper.word, 0); // comes back at once: the word has another value
    try std.testing.expect(nowNs() >= start);
}

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
