//! Energy counters of the machine as Linux tells them: zones of powercap (Intel's and AMD's RAPL) in /sys/class/powercap, and
//! events of the `power` PMU. Only the reading is here; what may be added up is the caller's to know.

const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const cgroup = @import("cgroup.zig");
const CpuSet = @import("cpus.zig").CpuSet;

/// Control types that count the energy of processors: through registers, and the same through memory on newer Intel.
const control_types = [_][]const u8{ "intel-rapl", "intel-rapl-mmio" };
/// Zones are numbered without gaps; so many missing ones in a row are the end.
const gaps_max = 4;
const zones_max = 256;

/// A file's number as text, or why there is none, after an exclamation mark.
fn numberIn(folder: []const u8, name: []const u8, buffer: []u8) []const u8 {
    var path_buffer: [1200]u8 = undefined;
    const path = std.fmt.bufPrint(&path_buffer, "{s}/{s}", .{ folder, name }) catch return "!error";
    const fd = std.posix.openat(std.posix.AT.FDCWD, path, .{ .ACCMODE = .RDONLY }, 0) catch |err| return switch (err) {
        error.FileNotFound => "!absent",
        error.AccessDenied, error.PermissionDenied => "!denied",
        else => "!error",
    };
    defer _ = std.c.close(fd);
    const len = std.posix.read(fd, buffer) catch return "!error";
    const text = std.mem.trim(u8, buffer[0..len], " \n");
    for (text) |byte| if (!std.ascii.isDigit(byte)) return "!error";
    return if (text.len == 0) "!error" else text;
}

/// A line for each zone that has a name: folder, name, energy_uj, max_energy_range_uj, with tabs between. `root` is
/// /sys/class/powercap on a real machine. Nothing where the system is another.
pub fn writeZones(root: []const u8, writer: *std.Io.Writer) std.Io.Writer.Error!void {
    if (builtin.os.tag != .linux) return;
    for (control_types) |control_type| {
        var missing: u32 = 0;
        for (0..zones_max) |zone| {
            var folder: [64]u8 = undefined;
            const name = std.fmt.bufPrint(&folder, "{s}:{d}", .{ control_type, zone }) catch unreachable;
            if (try writeZone(root, name, writer)) missing = 0 else missing += 1;
            if (missing >= gaps_max) break;
            if (missing > 0) continue;
            var missing_parts: u32 = 0;
            for (0..zones_max) |part| {
                var part_folder: [80]u8 = undefined;
                const part_name = std.fmt.bufPrint(&part_folder, "{s}:{d}", .{ name, part }) catch unreachable;
                if (try writeZone(root, part_name, writer)) missing_parts = 0 else missing_parts += 1;
                if (missing_parts >= gaps_max) break;
            }
        }
    }
}

fn writeZone(root: []const u8, zone: []const u8, writer: *std.Io.Writer) std.Io.Writer.Error!bool {
    var folder_buffer: [1100]u8 = undefined;
    const folder = std.fmt.bufPrint(&folder_buffer, "{s}/{s}", .{ root, zone }) catch return false;
    var name_buffer: [64]u8 = undefined;
    const name = printable(cgroup.readIn(folder, "name", &name_buffer) orelse return false);
    var energy: [64]u8 = undefined;
    var range: [64]u8 = undefined;
    try writer.print("{s}\t{s}\t{s}\t{s}\n", .{
        zone, name, numberIn(folder, "energy_uj", &energy), numberIn(folder, "max_energy_range_uj", &range),
    });
    return true;
}

/// A name ends before anything that a line could be confused by.
fn printable(text: []const u8) []const u8 {
    for (text, 0..) |byte, i| if (!std.ascii.isPrint(byte)) return text[0..i];
    return text;
}

/// Events of the PMU that count what powercap's packages and DRAM do.
const events = [_][]const u8{ "energy-pkg", "energy-ram" };

/// What an open counter is.
pub const Event = struct { name: []const u8, cpu: u32, fd: std.posix.fd_t };

/// What opening the events found. `scale`: Joules of a count, as text.
pub const Found = union(enum) {
    event: struct { event: Event, scale: []const u8 },
    /// There is such an event and it cannot be opened: why, as of files.
    closed: struct { name: []const u8, reason: []const u8 },
};

/// Opens the energy events of the PMU that `root` describes, /sys/bus/event_source/devices/power on a real machine, once for
/// each CPU of its mask: the system has one there for each package. Calls `take` for each; nothing where there is no PMU.
pub fn openEvents(root: []const u8, taker: anytype) !void {
    if (builtin.os.tag != .linux) return;
    var type_buffer: [64]u8 = undefined;
    const kind = std.fmt.parseInt(u32, numberIn(root, "type", &type_buffer), 10) catch return;
    var mask_buffer: [4096]u8 = undefined;
    const mask = CpuSet.parse(cgroup.readIn(root, "cpumask", &mask_buffer) orelse "0") orelse return;
    for (events) |name| {
        var path: [64]u8 = undefined;
        var buffer: [64]u8 = undefined;
        const text = cgroup.readIn(root, std.fmt.bufPrint(&path, "events/{s}", .{name}) catch unreachable, &buffer) orelse continue;
        const config = parseConfig(text) orelse continue;
        var scale_path: [64]u8 = undefined;
        var scale_buffer: [64]u8 = undefined;
        const scale = cgroup.readIn(root, std.fmt.bufPrint(&scale_path, "events/{s}.scale", .{name}) catch unreachable, &scale_buffer) orelse continue;
        var cpu = mask.nextFrom(0);
        while (cpu) |at| : (cpu = mask.nextFrom(at + 1)) {
            const fd = openEvent(kind, config, at) catch |err| {
                const reason = switch (err) {
                    error.Denied => "!denied",
                    error.Absent => "!absent",
                    error.Failed => "!error",
                };
                try taker.take(.{ .closed = .{ .name = name, .reason = reason } });
                break;
            };
            try taker.take(.{ .event = .{
                .event = .{ .name = name, .cpu = at, .fd = fd },
                .scale = printable(std.mem.trim(u8, scale, " \n")),
            } });
        }
    }
}

/// "event=0x02" → 2.
fn parseConfig(text: []const u8) ?u64 {
    const prefix = "event=";
    const word = std.mem.trim(u8, text, " \n");
    if (!std.mem.startsWith(u8, word, prefix)) return null;
    return std.fmt.parseInt(u64, word[prefix.len..], 0) catch null;
}

/// The first version of `struct perf_event_attr`: all that a counter without samples needs.
const Attributes = extern struct {
    type: u32,
    size: u32 = @sizeOf(Attributes),
    config: u64,
    sample_period: u64 = 0,
    sample_type: u64 = 0,
    read_format: u64 = 0,
    flags: u64 = 0,
    wakeup_events: u32 = 0,
    breakpoint_type: u32 = 0,
    config1: u64 = 0,

    comptime {
        std.debug.assert(@sizeOf(Attributes) == 64);
    }
};

fn openEvent(kind: u32, config: u64, cpu: u32) error{ Denied, Absent, Failed }!std.posix.fd_t {
    const close_on_exec = 8;
    const all_processes: usize = @bitCast(@as(isize, -1));
    const no_group = all_processes;
    const attributes: Attributes = .{ .type = kind, .config = config };
    const rc = linux.syscall5(.perf_event_open, @intFromPtr(&attributes), all_processes, cpu, no_group, close_on_exec);
    return switch (linux.errno(rc)) {
        .SUCCESS => @intCast(rc),
        .ACCES, .PERM => error.Denied,
        .NOENT, .NODEV, .OPNOTSUPP, .INVAL, .NOSYS => error.Absent,
        else => error.Failed,
    };
}

/// The count of an open event; null where it cannot be read.
pub fn readEvent(fd: std.posix.fd_t) ?u64 {
    if (builtin.os.tag != .linux) return null;
    var count: u64 = 0;
    const len = linux.read(fd, std.mem.asBytes(&count), @sizeOf(u64));
    return if (len == @sizeOf(u64)) count else null;
}

const FileTree = @import("../testing/file_tree.zig").FileTree;

test "zones and the parts of zones are told with what their files say" {
    if (builtin.os.tag != .linux) return error.SkipZigTest;
    var tree: FileTree = try .init("", &.{
        .{ "intel-rapl:0/name", "package-0\n" },
        .{ "intel-rapl:0/energy_uj", "123456\n" },
        .{ "intel-rapl:0/max_energy_range_uj", "262143328850\n" },
        .{ "intel-rapl:0:0/name", "core\n" },
        .{ "intel-rapl:0:0/energy_uj", "nonsense\n" },
        .{ "intel-rapl:0:2/name", "dram\tx\n" },
        .{ "intel-rapl:0:2/energy_uj", "" },
        .{ "intel-rapl:2/name", "psys\n" },
        .{ "intel-rapl-mmio:0/name", "package-0\n" },
    });
    defer tree.deinit();
    var buffer: [1024]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&buffer);
    try writeZones(tree.root(), &writer);
    try std.testing.expectEqualStrings("intel-rapl:0\tpackage-0\t123456\t262143328850\n" ++
        "intel-rapl:0:0\tcore\t!error\t!absent\n" ++
        "intel-rapl:0:2\tdram\t!error\t!absent\n" ++
        "intel-rapl:2\tpsys\t!absent\t!absent\n" ++
        "intel-rapl-mmio:0\tpackage-0\t!absent\t!absent\n", writer.buffered());
    var small: std.Io.Writer = .fixed(buffer[0..20]);
    try std.testing.expectError(error.WriteFailed, writeZones(tree.root(), &small));
    var none: std.Io.Writer = .fixed(&buffer);
    try writeZones("/nowhere", &none);
    try std.testing.expectEqual(0, none.buffered().len);
}

test "events are opened where the system lets them be, and else the reason is told" {
    if (builtin.os.tag != .linux) return error.SkipZigTest;
    try std.testing.expectEqual(2, parseConfig("event=0x02\n").?);
    try std.testing.expectEqual(null, parseConfig("umask=1"));
    // The clock of a CPU, which every system counts, in the place of its energy; and an event that no system has.
    var tree: FileTree = try .init("", &.{
        .{ "type", "1\n" },
        .{ "cpumask", "0\n" },
        .{ "events/energy-pkg", "event=0x0\n" },
        .{ "events/energy-pkg.scale", "0.5\n" },
        .{ "events/energy-ram", "event=0xffffff\n" },
        .{ "events/energy-ram.scale", "1\n" },
    });
    defer tree.deinit();
    var seen: struct {
        opened: u32 = 0,
        closed: u32 = 0,
        pub fn take(self: *@This(), found: Found) !void {
            switch (found) {
                .event => |opened| {
                    defer _ = std.c.close(opened.event.fd);
                    self.opened += 1;
                    try std.testing.expectEqualStrings("0.5", opened.scale);
                    const first = readEvent(opened.event.fd) orelse return error.TestUnexpectedResult;
                    var sum: u64 = 0;
                    for (0..200_000) |i| sum +%= i *% sum +% 1;
                    std.mem.doNotOptimizeAway(sum);
                    try std.testing.expect(readEvent(opened.event.fd).? > first);
                },
                .closed => |closed| {
                    self.closed += 1;
                    try std.testing.expect(closed.reason[0] == '!');
                },
            }
        }
    } = .{};
    try openEvents(tree.root(), &seen);
    try std.testing.expect(seen.opened + seen.closed == 2 and seen.closed >= 1);
    try std.testing.expectEqual(null, readEvent(-1));
}
