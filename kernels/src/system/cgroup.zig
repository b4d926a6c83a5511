//! Limits of the control groups that this process is in (Linux, versions 1 and 2).

const std = @import("std");
const builtin = @import("builtin");

/// The value of one group's folder; null where it sets none.
pub const Value = *const fn (folder: []const u8) ?u64;

/// The smallest value among this process's groups and all above them; null without any. `v2` reads a folder of the
/// unified hierarchy, `v1` one of the hierarchy of `controller`.
pub fn smallest(controller: []const u8, v2: Value, v1: Value) ?u64 {
    var buffer: [4096]u8 = undefined;
    const text = readFile("/proc/self/cgroup", &buffer) orelse return null;
    return smallestIn("/sys/fs/cgroup", text, controller, v2, v1);
}

/// As `smallest`, of the groups that `text` lists as /proc/self/cgroup does, in a tree of folders like that at /sys/fs/cgroup.
pub fn smallestIn(root: []const u8, text: []const u8, controller: []const u8, v2: Value, v1: Value) ?u64 {
    var least: ?u64 = null;
    var lines = std.mem.tokenizeScalar(u8, text, '\n');
    while (lines.next()) |line| {
        var fields = std.mem.splitScalar(u8, line, ':');
        _ = fields.next();
        const controllers = fields.next() orelse continue;
        const path = fields.rest();
        if (controllers.len == 0) {
            least = smaller(least, walk(root, path, v2));
        } else if (hasController(controllers, controller)) {
            var mount: [256]u8 = undefined;
            const folder = std.fmt.bufPrint(&mount, "{s}/{s}", .{ root, controller }) catch continue;
            least = smaller(least, walk(folder, path, v1));
        }
    }
    return least;
}

fn hasController(list: []const u8, name: []const u8) bool {
    var names = std.mem.splitScalar(u8, list, ',');
    while (names.next()) |item| {
        if (std.mem.eql(u8, item, name)) return true;
    }
    return false;
}

/// The smallest value of `path` and its parents. A container often sees its own group mounted as the root,
/// so folders that do not exist are passed over.
fn walk(mount: []const u8, path: []const u8, value: Value) ?u64 {
    var least = value(mount);
    var end: usize = path.len;
    while (end > 1) {
        var buffer: [1024]u8 = undefined;
        const folder = std.fmt.bufPrint(&buffer, "{s}{s}", .{ mount, path[0..end] }) catch return least;
        least = smaller(least, value(folder));
        end = std.mem.lastIndexOfScalar(u8, path[0..end], '/') orelse break;
    }
    return least;
}

fn smaller(a: ?u64, b: ?u64) ?u64 {
    return @min(a orelse return b, b orelse return a);
}

/// The start of a group's file, as much as the buffer holds.
pub fn readIn(folder: []const u8, name: []const u8, buffer: []u8) ?[]const u8 {
    var path: [1100]u8 = undefined;
    const full = std.fmt.bufPrint(&path, "{s}/{s}", .{ folder, name }) catch return null;
    return readFile(full, buffer);
}

/// The start of a file of the kernel's, as much as the buffer holds; null where the kernel is not Linux.
pub fn readFile(path: []const u8, buffer: []u8) ?[]const u8 {
    if (builtin.os.tag != .linux) return null;
    const fd = std.posix.openat(std.posix.AT.FDCWD, path, .{ .ACCMODE = .RDONLY }, 0) catch return null;
    defer _ = std.c.close(fd);
    const len = std.posix.read(fd, buffer) catch return null;
    return buffer[0..len];
}

fn pathLength(folder: []const u8) ?u64 {
    return if (std.mem.endsWith(u8, folder, "/none")) null else folder.len;
}

test "walk asks the mount, the path and its parents" {
    try std.testing.expectEqual(2, walk("/m", "/a/b", pathLength).?);
    try std.testing.expectEqual(9, walk("/m/none", "/a", pathLength).?);
    try std.testing.expectEqual(null, walk("/none", "/", pathLength));
}

test "controllers are whole names" {
    try std.testing.expect(hasController("cpu,cpuacct", "cpu"));
    try std.testing.expect(!hasController("cpuacct,cpuset", "cpu"));
}
