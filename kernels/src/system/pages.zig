//! Pages of memory straight from the system, on each system that the library is built for.

const std = @import("std");
const builtin = @import("builtin");
const windows = @import("windows.zig");

pub const page = std.heap.page_size_min;

pub const Use = enum {
    /// Will be filled.
    memory,
    /// Address space of which a part will be touched. Windows counts all of it against what it may ever hand out, as it
    /// cannot commit on touch; elsewhere it costs nothing.
    reservation,
};

/// Zeroed pages, each of which takes memory once it is touched.
pub fn map(len: usize, use: Use) error{OutOfMemory}![]align(page) u8 {
    std.debug.assert(len > 0);
    if (builtin.os.tag == .windows) {
        const start = windows.VirtualAlloc(null, len, windows.mem_reserve | windows.mem_commit, windows.page_readwrite);
        const bytes: [*]align(page) u8 = @ptrCast(@alignCast(start orelse return error.OutOfMemory));
        return bytes[0..len];
    }
    return std.posix.mmap(
        null,
        len,
        .{ .READ = true, .WRITE = true },
        .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = use == .reservation },
        -1,
        0,
    ) catch error.OutOfMemory;
}

/// Ends what `map` returned.
pub fn unmap(mapping: []align(page) u8) void {
    std.debug.assert(mapping.len > 0);
    if (builtin.os.tag == .windows) {
        _ = windows.VirtualFree(mapping.ptr, 0, windows.mem_release);
    } else {
        std.posix.munmap(mapping);
    }
}

/// Returns the memory of whole pages to the system; they stay mapped and read as zeros. Windows takes it when it is short of
/// memory, until when they read as what they held. A refusal only means that the memory stays taken.
pub fn giveBack(part: []align(page) u8) void {
    std.debug.assert(part.len > 0 and part.len % page == 0);
    switch (builtin.os.tag) {
        .windows => _ = windows.VirtualAlloc(part.ptr, part.len, windows.mem_reset, windows.page_readwrite),
        .linux => std.posix.madvise(part.ptr, part.len, std.posix.MADV.DONTNEED) catch {},
        // Other systems' advice frees nothing at once; fresh pages in place of the old ones do.
        else => _ = std.posix.mmap(
            part.ptr,
            part.len,
            .{ .READ = true, .WRITE = true },
            .{ .TYPE = .PRIVATE, .ANONYMOUS = true, .NORESERVE = true, .FIXED = true },
            -1,
            0,
        ) catch {},
    }
}

/// Bytes of whole pages that the system holds in memory now; null where it does not tell.
pub fn residentBytes(part: []align(page) u8) ?usize {
    if (builtin.os.tag == .windows) return null;
    var states: [16 * 1024]u8 = undefined;
    const step = states.len * page;
    var held: usize = 0;
    var at: usize = 0;
    while (at < part.len) : (at += step) {
        const bytes = @min(step, part.len - at);
        std.posix.mincore(@alignCast(part.ptr + at), bytes, &states) catch return null;
        for (states[0 .. bytes / page]) |state| held += state & 1;
    }
    std.debug.assert(held * page <= std.mem.alignForward(usize, part.len, page));
    return held * page;
}

test "pages are zeroed, hold what is written, and can be given back" {
    for ([_]Use{ .memory, .reservation }) |use| {
        const mapping = try map(5 * page, use);
        defer unmap(mapping);
        try std.testing.expect(std.mem.allEqual(u8, mapping, 0));
        @memset(mapping, 7);
        if (residentBytes(mapping)) |bytes| try std.testing.expectEqual(5 * page, bytes);
        giveBack(mapping[page .. 3 * page]);
        for ([_]usize{ 0, 3, 4 }) |i| try std.testing.expect(std.mem.allEqual(u8, mapping[i * page ..][0..page], 7));
        if (builtin.os.tag != .windows) try std.testing.expect(std.mem.allEqual(u8, mapping[page .. 3 * page], 0));
        @memset(mapping, 8);
        try std.testing.expect(std.mem.allEqual(u8, mapping, 8));
    }
    try std.testing.expectError(error.OutOfMemory, map(1 << 60, .memory));
}
