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
    const mask: u32 = if (allowed()) |set| set.count() else @intCast(@min(std.Thread.getCpuCount() catch 1, 1024));
    const limit = if (builtin.os.tag == .linux) cgroupLimit() else null;
    return @max(1, @min(mask, limit orelse mask));
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
