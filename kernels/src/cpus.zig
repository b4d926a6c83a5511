//! Which CPUs this process may use: the affinity mask and the cgroup's CPU quota.

const std = @import("std");
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
        set.words[cpu / 64] |= @as(u64, 1) << @intCast(cpu % 64);
    }

    pub fn remove(set: *CpuSet, cpu: u32) void {
        set.words[cpu / 64] &= ~(@as(u64, 1) << @intCast(cpu % 64));
    }

    pub fn contains(set: *const CpuSet, cpu: u32) bool {
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

/// Restricts the calling thread to `set`. False when the system refuses, which costs speed and nothing else.
pub fn restrict(set: *const CpuSet) bool {
    if (builtin.os.tag != .linux) return false;
    const rc = linux.syscall3(.sched_setaffinity, 0, @sizeOf(@TypeOf(set.words)), @intFromPtr(&set.words));
    return linux.errno(rc) == .SUCCESS;
}

/// The number of threads to use by default: the CPUs of the affinity mask, limited by the cgroup quota
/// rounded up, at least 1.
pub fn usable() u32 {
    return limited(if (allowed()) |set| set.count() else @intCast(@min(std.Thread.getCpuCount() catch 1, 1024)));
}

/// At most so many threads as the cgroup quota gives CPUs, rounded up, at least 1.
pub fn limited(threads: u32) u32 {
    const limit = if (builtin.os.tag == .linux) cgroupLimit() else null;
    return @max(1, @min(threads, limit orelse threads));
}

/// CPUs' worth of quota of this process's cgroup or any above it, rounded up; null without a limit.
fn cgroupLimit() ?u32 {
    return @intCast(cgroup.smallest("cpu", quotaV2, quotaV1) orelse return null);
}

fn quotaV2(folder: []const u8) ?u64 {
    var buffer: [64]u8 = undefined;
    return parseCpuMax(cgroup.readIn(folder, "cpu.max", &buffer) orelse return null);
}

fn quotaV1(folder: []const u8) ?u64 {
    var quota_buffer: [64]u8 = undefined;
    var period_buffer: [64]u8 = undefined;
    const quota = cgroup.readIn(folder, "cpu.cfs_quota_us", &quota_buffer) orelse return null;
    const period = cgroup.readIn(folder, "cpu.cfs_period_us", &period_buffer) orelse return null;
    return ratio(quota, period);
}

/// "max 100000" → null, "150000 100000" → 2.
fn parseCpuMax(text: []const u8) ?u64 {
    var fields = std.mem.tokenizeAny(u8, text, " \n");
    const quota = fields.next() orelse return null;
    return ratio(quota, fields.next() orelse "100000");
}

fn ratio(quota_text: []const u8, period_text: []const u8) ?u64 {
    const quota = std.fmt.parseInt(u64, std.mem.trim(u8, quota_text, " \n"), 10) catch return null;
    const period = std.fmt.parseInt(u64, std.mem.trim(u8, period_text, " \n"), 10) catch return null;
    if (quota == 0 or period == 0) return null;
    const cpus = std.math.divCeil(u64, quota, period) catch return null;
    return @min(cpus, CpuSet.bits);
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

test "quotas are rounded up and absent limits are null" {
    try std.testing.expectEqual(null, parseCpuMax("max 100000\n"));
    try std.testing.expectEqual(2, parseCpuMax("150000 100000\n").?);
    try std.testing.expectEqual(1, parseCpuMax("50000 100000\n").?);
    try std.testing.expectEqual(4, parseCpuMax("400000 100000").?);
    try std.testing.expectEqual(null, ratio("-1\n", "100000\n"));
    try std.testing.expectEqual(null, parseCpuMax("nonsense"));
}

test "usable is between 1 and the machine's CPUs" {
    const cpus = usable();
    try std.testing.expect(cpus >= 1);
    try std.testing.expect(cpus <= try std.Thread.getCpuCount());
}
