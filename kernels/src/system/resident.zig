//! Keeps the library in the process once threads of it run.
//!
//! A caller may close the library while a thread still sleeps in it, or a Deno worker may end without stopping its team:
//! that thread would wake up in code that is no longer there. Linux has a flag of the linker against this (`-z nodelete`,
//! see build.zig); elsewhere the library asks for it when it starts its first thread.

const std = @import("std");
const builtin = @import("builtin");
const windows = @import("windows.zig");

/// From now on closing the library does not unmap it. A refusal leaves things as they were.
pub fn stay() void {
    switch (builtin.os.tag) {
        .windows => {
            var module: ?*anyopaque = null;
            _ = windows.GetModuleHandleExW(windows.module_pin | windows.module_from_address, &stay, &module);
        },
        .macos => {
            var info: std.c.dl_info = undefined;
            if (std.c.dladdr(@ptrCast(&stay), &info) == 0) return;
            // Nobody gives this handle back.
            _ = std.c.dlopen(info.fname, .{ .LAZY = true, .NOLOAD = true, .NODELETE = true });
        },
        else => {},
    }
}
