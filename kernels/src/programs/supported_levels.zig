//! Prints every level of this architecture, best first, with "yes" or "no": whether this machine can run it.

const std = @import("std");
const dispatch = @import("../isa/dispatch.zig");

pub fn main() void {
    for (dispatch.levels, 0..) |level, i| {
        std.debug.print("{s} {s}\n", .{ level.name, if (dispatch.supported(@intCast(i))) "yes" else "no" });
    }
}
