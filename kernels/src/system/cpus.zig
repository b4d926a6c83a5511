//! Which CPUs this process may use: the affinity mask and the cgroup's CPU quota.

const std = @import("std");
const FileTree = @import("../testing/file_tree.zig").FileTree;
const builtin = @import("builtin");
const linux = std.os.linux;
const cgroup = @import("cgroup.zig");

/// A CPU set of 8,192 bits, the most that Linux can be built for.
pub const CpuSet = struct {
    pub const bits = 8192;
    words: [bits / 64]u64 = @splat(0),

    pub fn count(set: *const CpuSet) u32 {
        var total: u32 = 0;
        for (set.words) |word| total += @popCount(word);
        return total;
    }

    pub fn add(set: *CpuSet, cpu: u32) void {
        std.debug.assert(cpu < bits);
        set.words[cpu / 64] |= @as(u64, 1) << @intCast(cpu % 64);
    }

    pub fn remove(set: *CpuSet, cpu: u32) void {
        std.debug.assert(cpu < bits);
        set.words[cpu / 64] &= ~(@as(u64, 1) << @intCast(cpu % 64));
    }

    pub fn contains(set: *const CpuSet, cpu: u32) bool {
        std.debug.assert(cpu < bits);
        return set.words[cpu / 64] >> @intCast(cpu % 64) & 1 != 0;
    }

    pub fn unite(set: *CpuSet, other: *const CpuSet) void {
        for (&set.words, other.words) |*word, theirs| word.* |= theirs;
    }

    pub fn intersect(set: *CpuSet, other: *const CpuSet) void {
        for (&set.words, other.words) |*word, theirs| word.* &= theirs;
    }

    pub fn subtract(set: *CpuSet, other: *const CpuSet) void {
        for (&set.words, other.words) |*word, theirs| word.* &= ~theirs;
    }

    pub fn containsAll(set: *const CpuSet, other: *const CpuSet) bool {
        for (set.words, other.words) |word, theirs| if (theirs & ~word != 0) return false;
        return true;
    }

    /// "0-3,8" as the system writes it, "" for the empty set; null for anything else.
    pub fn parse(text: []const u8) ?CpuSet {
        var set: CpuSet = .{};
        var parts = std.mem.tokenizeAny(u8, text, ",\n ");
        while (parts.next()) |part| {
            var ends = std.mem.splitScalar(u8, part, '-');
            const low = std.fmt.parseInt(u32, ends.first(), 10) catch return null;
            const high = if (ends.next()) |end| std.fmt.parseInt(u32, end, 10) catch return null else low;
            if (ends.next() != null or high < low or high >= bits) return null;
            for (low..high + 1) |cpu| set.add(@intCast(cpu));
        }
        return set;
    }

    /// The largest member; null when there is none.
    pub fn last(set: *const CpuSet) ?u32 {
        var cpu: u32 = bits;
        while (cpu > 0) : (cpu -= 1) {
            if (set.contains(cpu - 1)) return cpu - 1;
        }
        return null;
    }

    /// The first member that is at least `from`; null when there is none.
    pub fn nextFrom(set: *const CpuSet, from: u32) ?u32 {
        var cpu = from;
        while (cpu < bits) : (cpu += 1) {
            if (set.contains(cpu)) return cpu;
        }
        return null;
    }
};

/// The calling thread's affinity mask; null where the system has none.
pub fn allowed() ?CpuSet {
    if (builtin.os.tag != .linux) return null;
    var set: CpuSet = .{};
    const rc = linux.syscall3(.sched_getaffinity, 0, @sizeOf(@TypeOf(set.words)), @intFromPtr(&set.words));
    if (linux.errno(rc) != .SUCCESS) return null;
    return set;
}

/// The CPU that the calling thread is on; null where the system does not tell.
pub fn current() ?u32 {
    if (builtin.os.tag != .linux) return null;
    var cpu: u32 = 0;
    const rc = linux.syscall3(.getcpu, @intFromPtr(&cpu), 0, 0);
    return if (linux.errno(rc) == .SUCCESS and cpu < CpuSet.bits) cpu else null;
}

/// A tenth of the time of a CPU that others want, all of it where nobody does.
const background_nice = 10;

/// Lets other threads go before the calling one, for the rest of its life. False when the system has no such thing.
pub fn giveWay() bool {
    if (builtin.os.tag != .linux) return false;
    const calling_thread = 0;
    return linux.errno(linux.syscall3(.setpriority, 0, calling_thread, background_nice)) == .SUCCESS;
}

/// Gives the calling thread only the time that no other wants, for the rest of its life. A thread of the lowest priority
/// still keeps a waking one off its CPU for some ms; one of this class does not (sched(7), SCHED_IDLE). False when the system
/// refuses.
pub fn standBack() bool {
    if (builtin.os.tag != .linux) return false;
    const calling_thread = 0;
    const sched_idle = 5;
    const priority: i32 = 0;
    return linux.errno(linux.syscall3(.sched_setscheduler, calling_thread, sched_idle, @intFromPtr(&priority))) == .SUCCESS;
}

/// Restricts the calling thread to `set`. False when the system refuses, which costs speed and nothing else.
pub fn restrict(set: *const CpuSet) bool {
    if (builtin.os.tag != .linux) return false;
    const rc = linux.syscall3(.sched_setaffinity, 0, @sizeOf(@TypeOf(set.words)), @intFromPtr(&set.words));
    return linux.errno(rc) == .SUCCESS;
}

/// The number of threads to use by default: the CPUs of the affinity mask, limited by the cgroup quota, at least 1.
pub fn usable() u32 {
    return limited(if (allowed()) |set| set.count() else @intCast(@min(std.Thread.getCpuCount() catch 1, 1024)));
}

/// At most so many threads as the cgroup quota feeds, at least 1.
pub fn limited(threads: u32) u32 {
    return @max(1, @min(threads, if (quota()) |millis| threadsFor(millis) else threads));
}

/// Thousandths of a CPU's time that this process's cgroup, or one above it, may use; null without a limit.
pub fn quota() ?u32 {
    if (builtin.os.tag != .linux) return null;
    return @intCast(cgroup.smallest("cpu", quotaV2, quotaV1) orelse return null);
}

/// Threads for a quota: its whole CPUs, one more for half of another, at least 1. A team that wants more time than the quota
/// gives stands still until the period of 100 ms ends. Measured (docs/running.md): at 1.5 CPUs two threads decode 1.38 times as
/// fast as one, with steps of up to 33 ms between those of 7; at 1.25 they gain 16 % and lose 8 % of prefill, which the pauses
/// are not worth.
fn threadsFor(millis: u32) u32 {
    return @max(1, (millis + 500) / 1000);
}

fn quotaV2(folder: []const u8) ?u64 {
    var buffer: [64]u8 = undefined;
    return parseCpuMax(cgroup.readIn(folder, "cpu.max", &buffer) orelse return null);
}

fn quotaV1(folder: []const u8) ?u64 {
    var quota_buffer: [64]u8 = undefined;
    var period_buffer: [64]u8 = undefined;
    const microseconds = cgroup.readIn(folder, "cpu.cfs_quota_us", &quota_buffer) orelse return null;
    const period = cgroup.readIn(folder, "cpu.cfs_period_us", &period_buffer) orelse return null;
    return ratio(microseconds, period);
}

/// "max 100000" → null, "150000 100000" → 1500.
fn parseCpuMax(text: []const u8) ?u64 {
    var fields = std.mem.tokenizeAny(u8, text, " \n");
    const microseconds = fields.next() orelse return null;
    return ratio(microseconds, fields.next() orelse "100000");
}

/// In thousandths, rounded down; never 0.
fn ratio(quota_text: []const u8, period_text: []const u8) ?u64 {
    const microseconds = std.fmt.parseInt(u64, std.mem.trim(u8, quota_text, " \n"), 10) catch return null;
    const period = std.fmt.parseInt(u64, std.mem.trim(u8, period_text, " \n"), 10) catch return null;
    if (microseconds == 0 or period == 0) return null;
    return std.math.clamp((microseconds *| 1000) / period, 1, CpuSet.bits * 1000);
}

test "the current CPU is an allowed one" {
    const cpu = current() orelse return error.SkipZigTest;
    const set = allowed() orelse return error.SkipZigTest;
    try std.testing.expect(set.contains(cpu));
}

test "CpuSet counts and finds its members" {
    var set: CpuSet = .{};
    set.add(3);
    set.add(700);
    set.add(8191);
    try std.testing.expectEqual(3, set.count());
    try std.testing.expectEqual(3, set.nextFrom(0).?);
    try std.testing.expectEqual(700, set.nextFrom(4).?);
    set.remove(700);
    try std.testing.expectEqual(8191, set.nextFrom(4).?);
    set.remove(8191);
    try std.testing.expectEqual(null, set.nextFrom(4));
}

test "CpuSet reads lists, and knows the operations on sets" {
    var set = CpuSet.parse("0-3,8,10-11\n").?;
    try std.testing.expectEqual(7, set.count());
    try std.testing.expectEqual(11, set.last().?);
    try std.testing.expectEqual(0, CpuSet.parse("\n").?.count());
    try std.testing.expectEqual(null, CpuSet.parse("").?.last());
    for ([_][]const u8{ "a", "1-", "-1", "3-1", "1-2-3", "8192", "1;2" }) |bad| try std.testing.expectEqual(null, CpuSet.parse(bad));
    const some = CpuSet.parse("3,8").?;
    try std.testing.expect(set.containsAll(&some) and !some.containsAll(&set));
    set.subtract(&some);
    try std.testing.expectEqual(CpuSet.parse("0-2,10-11").?, set);
    set.intersect(&CpuSet.parse("2-10").?);
    try std.testing.expectEqual(CpuSet.parse("2,10").?, set);
    set.unite(&some);
    try std.testing.expectEqual(CpuSet.parse("2-3,8,10").?, set);
}

test "quotas are thousandths and absent limits are null" {
    try std.testing.expectEqual(null, parseCpuMax("max 100000\n"));
    try std.testing.expectEqual(1500, parseCpuMax("150000 100000\n").?);
    try std.testing.expectEqual(500, parseCpuMax("50000 100000\n").?);
    try std.testing.expectEqual(4000, parseCpuMax("400000 100000").?);
    try std.testing.expectEqual(333, parseCpuMax("10000 30000").?);
    try std.testing.expectEqual(1, parseCpuMax("1 1000000").?);
    try std.testing.expectEqual(8192_000, parseCpuMax("18446744073709551615 1").?);
    try std.testing.expectEqual(null, ratio("-1\n", "100000\n"));
    try std.testing.expectEqual(null, ratio("0", "100000"));
    try std.testing.expectEqual(null, ratio("1", "0"));
    try std.testing.expectEqual(null, parseCpuMax("nonsense"));
}

test "a quota gives a thread for each whole CPU and for half of one, at least 1" {
    const cases = [_][2]u32{ .{ 1, 1 }, .{ 500, 1 }, .{ 1000, 1 }, .{ 1250, 1 }, .{ 1499, 1 }, .{ 1500, 2 }, .{ 2000, 2 }, .{ 2499, 2 }, .{ 2500, 3 }, .{ 3500, 4 }, .{ 64_000, 64 } };
    for (cases) |case| try std.testing.expectEqual(case[1], threadsFor(case[0]));
}

/// The quota of a process whose groups are those of `text`, in a tree of control groups as the system shows one.
fn quotaOf(groups: *const FileTree, text: []const u8) ?u64 {
    return cgroup.smallestIn(groups.root(), text, "cpu", quotaV2, quotaV1);
}

test "the least quota of a group and those above it counts, in both versions of control groups" {
    if (builtin.os.tag != .linux) return error.SkipZigTest;
    var v2: FileTree = try .init("", &.{
        .{ "kubepods/cpu.max", "350000 100000\n" },
        .{ "kubepods/pod1/cpu.max", "75000 50000\n" },
        .{ "kubepods/pod1/free/cpu.max", "max 100000\n" },
    });
    defer v2.deinit();
    try std.testing.expectEqual(1500, quotaOf(&v2, "0::/kubepods/pod1/free\n").?);
    try std.testing.expectEqual(3500, quotaOf(&v2, "0::/kubepods\n").?);
    try std.testing.expectEqual(null, quotaOf(&v2, "0::/\n"));
    var v1: FileTree = try .init("", &.{
        .{ "cpu/cpu.cfs_quota_us", "-1\n" },
        .{ "cpu/cpu.cfs_period_us", "100000\n" },
        .{ "cpu/box/cpu.cfs_quota_us", "250000\n" },
        .{ "cpu/box/cpu.cfs_period_us", "100000\n" },
    });
    defer v1.deinit();
    try std.testing.expectEqual(2500, quotaOf(&v1, "5:memory:/\n4:cpu,cpuacct:/box\n0::/\n").?);
    try std.testing.expectEqual(null, quotaOf(&v1, "4:cpu,cpuacct:/\n3:cpuset:/box\n"));
    // A container sees its own group as the root of what is mounted there, under a path that only the host knows.
    var inside: FileTree = try .init("", &.{.{ "cpu.max", "50000 100000\n" }});
    defer inside.deinit();
    try std.testing.expectEqual(500, quotaOf(&inside, "0::/docker/abc\n").?);
}

test "usable is between 1 and the machine's CPUs" {
    const cpus = usable();
    try std.testing.expect(cpus >= 1);
    try std.testing.expect(cpus <= try std.Thread.getCpuCount());
}
