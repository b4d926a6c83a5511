//! What the machine offers this process: memory and the processor's name. Deno lets a program read these from /proc and
//! /sys only with every permission, so the library does it.

const std = @import("std");
const builtin = @import("builtin");
const cgroup = @import("cgroup.zig");
const cpus = @import("cpus.zig");
const detect = @import("../isa/detect.zig");
const windows = @import("windows.zig");

/// Bytes this process may still use: the smaller of the machine's available memory and what its control groups leave,
/// page cache that can be dropped counted as free. Null where the system does not tell.
pub fn availableBytes() ?u64 {
    if (builtin.os.tag == .windows) {
        var status: windows.MemoryStatus = .{};
        return if (windows.GlobalMemoryStatusEx(&status) != 0) status.physical_free_bytes else null;
    }
    var buffer: [4096]u8 = undefined;
    const text = cgroup.readFile("/proc/meminfo", &buffer) orelse return null;
    const machine = 1024 * (field(text, "MemAvailable") orelse return null);
    return @min(machine, cgroup.smallest("memory", headroomV2, headroomV1) orelse machine);
}

fn headroomV2(folder: []const u8) ?u64 {
    return headroom(folder, "memory.max", "memory.current", "");
}

fn headroomV1(folder: []const u8) ?u64 {
    return headroom(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_");
}

fn headroom(folder: []const u8, limit_name: []const u8, used_name: []const u8, comptime prefix: []const u8) ?u64 {
    var buffer: [8192]u8 = undefined;
    const limit = number(cgroup.readIn(folder, limit_name, &buffer) orelse return null) orelse return null;
    const used = number(cgroup.readIn(folder, used_name, &buffer) orelse return null) orelse return null;
    const stat = cgroup.readIn(folder, "memory.stat", &buffer) orelse "";
    return limit -| (used -| pageCache(stat, prefix));
}

/// A model file that was read twice is active and can be dropped all the same.
fn pageCache(stat: []const u8, comptime prefix: []const u8) u64 {
    return (field(stat, prefix ++ "inactive_file") orelse 0) +| (field(stat, prefix ++ "active_file") orelse 0);
}

/// "max" → null.
fn number(text: []const u8) ?u64 {
    return std.fmt.parseInt(u64, std.mem.trim(u8, text, " \n"), 10) catch null;
}

/// The number after `name` at the start of a line.
fn field(text: []const u8, name: []const u8) ?u64 {
    const value = lineOf(text, name) orelse return null;
    var words = std.mem.tokenizeAny(u8, value, " \t:");
    return number(words.next() orelse return null);
}

fn lineOf(text: []const u8, name: []const u8) ?[]const u8 {
    var lines = std.mem.tokenizeScalar(u8, text, '\n');
    while (lines.next()) |line| {
        if (!std.mem.startsWith(u8, line, name)) continue;
        const rest = line[name.len..];
        if (rest.len > 0 and std.mem.indexOfScalar(u8, " \t:", rest[0]) != null) return rest;
    }
    return null;
}

/// "AMD EPYC 9B14 96-Core Processor" and the like, into `buffer`; empty where neither processor nor system tells.
pub fn processorName(buffer: *[64]u8) []const u8 {
    if (builtin.cpu.arch == .x86_64) {
        const words = detect.brand() orelse return "";
        buffer[0..48].* = words;
        const end = std.mem.indexOfScalar(u8, buffer[0..48], 0) orelse 48;
        return std.mem.trim(u8, buffer[0..end], " ");
    }
    if (builtin.os.tag == .macos) {
        var len: usize = buffer.len;
        if (std.c.sysctlbyname("machdep.cpu.brand_string", buffer, &len, null, 0) != 0) return "";
        return std.mem.sliceTo(buffer[0..len], 0);
    }
    var text_buffer: [8192]u8 = undefined;
    const text = cgroup.readFile("/proc/cpuinfo", &text_buffer) orelse return "";
    const line = lineOf(text, "model name") orelse lineOf(text, "Model") orelse return "";
    const name = std.mem.trim(u8, line, " \t:");
    const len = @min(name.len, buffer.len);
    @memcpy(buffer[0..len], name[0..len]);
    return buffer[0..len];
}

/// Cores that the CPUs of this process belong to, threads of one core counted once; null where the system does not tell.
pub fn coreCount() ?u32 {
    const set = cpus.allowed() orelse return null;
    var counted: cpus.CpuSet = .{};
    var cores: u32 = 0;
    var next = set.nextFrom(0);
    while (next) |cpu| : (next = set.nextFrom(cpu + 1)) {
        if (counted.contains(cpu)) continue;
        var path_buffer: [96]u8 = undefined;
        const path = std.fmt.bufPrint(&path_buffer, "/sys/devices/system/cpu/cpu{d}/topology/thread_siblings_list", .{cpu}) catch unreachable;
        var buffer: [256]u8 = undefined;
        const siblings = cpus.CpuSet.parse(cgroup.readFile(path, &buffer) orelse return null) orelse return null;
        counted.unite(&siblings);
        cores += 1;
    }
    return cores;
}

test "cores are at most CPUs" {
    if (coreCount()) |cores| try std.testing.expect(cores >= 1 and cores <= cpus.allowed().?.count());
}

test "fields are found by whole names" {
    const text = "MemTotal:       100 kB\nMemAvailable:    42 kB\ninactive_file 7\n";
    try std.testing.expectEqual(42, field(text, "MemAvailable").?);
    try std.testing.expectEqual(7, field(text, "inactive_file").?);
    try std.testing.expectEqual(null, field(text, "Mem"));
    try std.testing.expectEqual(12, pageCache("inactive_file 7\nactive_file 5\ntotal_active_file 9\n", ""));
    try std.testing.expectEqual(9, pageCache("inactive_file 7\nactive_file 5\ntotal_active_file 9\n", "total_"));
    try std.testing.expectEqual(null, number("max\n"));
}

test "some memory is available and the name is printable" {
    if (builtin.os.tag == .linux) try std.testing.expect((availableBytes() orelse 1) > 0);
    var buffer: [64]u8 = undefined;
    for (processorName(&buffer)) |byte| try std.testing.expect(std.ascii.isPrint(byte));
}
