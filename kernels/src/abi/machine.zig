//! What the machine offers this process; needs no context.

const std = @import("std");
const builtin = @import("builtin");
const detect = @import("../isa/detect.zig");
const isa_levels = @import("../isa/levels.zig");
const machine = @import("../system/machine.zig");
const buffers = @import("buffers.zig");
const status = @import("status.zig");

/// out: one f64, the bytes that this process may still use; 0 where the system does not tell.
pub fn availableMemory(out: buffers.Output, out_bytes: u32) status.Error!void {
    const place = try buffers.room(f64, out, out_bytes, 1);
    place[0] = @floatFromInt(machine.availableBytes() orelse 0);
}

/// out: the processor's name in UTF-8, at least 64 bytes of room. Returns its length, 0 where nothing tells it.
pub fn processorName(out: buffers.Output, out_bytes: u32) status.Error!u32 {
    const place = try buffers.room(u8, out, out_bytes, 64);
    return @intCast(machine.processorName(place[0..64]).len);
}

/// out: what detection found, in lines; returns the length. Lists have a space before each member.
/// The first line is the count of cores, 0 where unknown, a tab, the features that levels use and this machine has. Then a
/// line for each level of any architecture, best first: name, architecture (empty: any), features that the processor lacks,
/// kinds of registers that the system does not save, with tabs between; of other architectures the last two are empty.
pub fn isaReport(out: buffers.Output, out_bytes: u32) status.Error!u32 {
    const place = try buffers.room(u8, out, out_bytes, out_bytes);
    var writer: std.Io.Writer = .fixed(place);
    writeReport(&writer) catch return error.BufferTooSmall;
    return @intCast(writer.buffered().len);
}

fn writeReport(writer: *std.Io.Writer) std.Io.Writer.Error!void {
    try writer.print("{d}\t", .{machine.coreCount() orelse 0});
    try detect.writeFeatures(writer);
    try writer.writeByte('\n');
    const here = comptime isa_levels.of(builtin.cpu.arch);
    inline for (here) |level| {
        try writer.print("{s}\t{s}\t", .{ level.name, if (level.arch) |arch| @tagName(arch) else "" });
        if (level.arch == null) try writer.writeByte('\t') else try detect.writeMissing(level, writer);
        try writer.writeByte('\n');
    }
    for (isa_levels.all) |level| {
        const arch = level.arch orelse continue;
        if (arch != builtin.cpu.arch) try writer.print("{s}\t{t}\t\t\n", .{ level.name, arch });
    }
}

test "the report has a line for each level, and what is supported misses nothing" {
    var buffer: [4096]u8 = undefined;
    const len = try isaReport(&buffer, buffer.len);
    var lines = std.mem.splitScalar(u8, buffer[0..len], '\n');
    _ = lines.next();
    inline for (comptime isa_levels.of(builtin.cpu.arch)) |level| {
        var fields = std.mem.splitScalar(u8, lines.next().?, '\t');
        try std.testing.expectEqualStrings(level.name, fields.next().?);
        _ = fields.next();
        const missing = fields.next().?.len + fields.next().?.len;
        try std.testing.expectEqual(detect.has(level), missing == 0);
    }
    try std.testing.expectError(error.BufferTooSmall, isaReport(&buffer, 40));
}
