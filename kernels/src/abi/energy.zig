//! The machine's energy counters; needs no context.

const std = @import("std");
const context = @import("context.zig");
const energy = @import("../system/energy.zig");
const objects = @import("objects.zig");
const buffers = @import("buffers.zig");
const status = @import("status.zig");

/// root: a folder like /sys/class/powercap. out: a line for each zone: folder, name, energy in µJ, where that begins at 0
/// again, with tabs between; what cannot be read is `!denied`, `!absent` or `!error`. Returns the length.
pub fn zones(root: buffers.Input, root_bytes: u32, out: buffers.Output, out_bytes: u32) status.Error!u32 {
    const path = try buffers.all(u8, root, root_bytes);
    const place = try buffers.room(u8, out, out_bytes, out_bytes);
    var writer: std.Io.Writer = .fixed(place);
    energy.writeZones(path, &writer) catch return error.BufferTooSmall;
    return @intCast(writer.buffered().len);
}

/// An open event of the power PMU.
const Counter = struct {
    pub const kind: objects.Kind = .energy_counter;
    fd: std.posix.fd_t,

    pub fn destroy(counter: *Counter) void {
        _ = std.c.close(counter.fd);
        context.gpa.destroy(counter);
    }
};

/// Writes what was opened.
const Opened = struct {
    writer: *std.Io.Writer,

    pub fn take(opened: *Opened, found: energy.Found) (status.Error || std.Io.Writer.Error)!void {
        switch (found) {
            .closed => |closed| try opened.writer.print("{s}\t\t{s}\t\n", .{ closed.name, closed.reason }),
            .event => |open| {
                const counter = context.gpa.create(Counter) catch |err| {
                    _ = std.c.close(open.event.fd);
                    return err;
                };
                counter.* = .{ .fd = open.event.fd };
                errdefer counter.destroy();
                const id = try objects.add(Counter, counter, null);
                try opened.writer.print("{s}\t{d}\t{d}\t{s}\n", .{ open.event.name, open.event.cpu, id, open.scale });
            },
        }
    }
};

/// root: a folder like /sys/bus/event_source/devices/power. Opens its energy counters. out: a line for each: event, CPU,
/// the id for `eventRead` and `destroy`, Joules of a count, with tabs between; or the event, nothing, `!denied`, `!absent`
/// or `!error`. Returns the length. The buffer has 16 KiB at least.
pub fn eventsOpen(root: buffers.Input, root_bytes: u32, out: buffers.Output, out_bytes: u32) status.Error!u32 {
    const path = try buffers.all(u8, root, root_bytes);
    const place = try buffers.room(u8, out, out_bytes, 16 * 1024);
    var writer: std.Io.Writer = .fixed(place);
    var opened: Opened = .{ .writer = &writer };
    energy.openEvents(path, &opened) catch |err| return switch (err) {
        error.WriteFailed => error.BufferTooSmall,
        else => |other| @as(status.Error, @errorCast(other)),
    };
    return @intCast(writer.buffered().len);
}

/// out: one f64, the count of an open counter.
pub fn eventRead(id: u32, out: buffers.Output, out_bytes: u32) status.Error!void {
    const counter = try objects.get(Counter, id);
    const place = try buffers.room(f64, out, out_bytes, 1);
    place[0] = @floatFromInt(energy.readEvent(counter.fd) orelse return error.InvalidArgument);
}
