//! What the machine offers this process; needs no context.

const machine = @import("../machine.zig");
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
