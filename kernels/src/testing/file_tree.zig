//! A folder of small files for tests of what reads /sys and /proc.

const std = @import("std");
const io = std.testing.io;

pub const FileTree = struct {
    dir: std.testing.TmpDir,
    root_buffer: [std.fs.max_path_bytes]u8 = undefined,
    root_len: usize = 0,

    /// files: path below `prefix` (empty, or with a slash at its end) and content of each.
    pub fn init(prefix: []const u8, files: []const [2][]const u8) !FileTree {
        // Where a test runs on an emulated processor without a system there are no files, and tmpDir would end it all.
        std.Io.Dir.cwd().createDirPath(io, ".zig-cache/tmp") catch return error.SkipZigTest;
        var tree: FileTree = .{ .dir = std.testing.tmpDir(.{}) };
        errdefer tree.deinit();
        for (files) |file| {
            var path: [128]u8 = undefined;
            const full = try std.fmt.bufPrint(&path, "{s}{s}", .{ prefix, file[0] });
            try tree.dir.dir.createDirPath(io, std.fs.path.dirname(full) orelse ".");
            try tree.dir.dir.writeFile(io, .{ .sub_path = full, .data = file[1] });
        }
        tree.root_len = try tree.dir.dir.realPath(io, &tree.root_buffer);
        return tree;
    }

    pub fn deinit(tree: *FileTree) void {
        tree.dir.cleanup();
    }

    pub fn root(tree: *const FileTree) []const u8 {
        return tree.root_buffer[0..tree.root_len];
    }
};
