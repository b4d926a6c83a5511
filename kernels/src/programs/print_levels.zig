//! Prints the levels that this machine can run, best first, one a line. Tests run it on models of other machines.

const builtin = @import("builtin");
const std = @import("std");
const detect = @import("../isa/detect.zig");
const isa_levels = @import("../isa/levels.zig");

pub fn main(init: std.process.Init) !void {
    var text: std.Io.Writer.Allocating = .init(init.arena.allocator());
    inline for (comptime isa_levels.of(builtin.cpu.arch)) |level| {
        if (detect.has(level)) try text.writer.print("{s}\n", .{level.name});
    }
    try std.Io.File.stdout().writeStreamingAll(init.io, text.written());
}
