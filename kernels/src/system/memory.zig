//! Large blocks of memory straight from the system: zeroed, committed on first touch, on huge pages where offered.

const std = @import("std");
const builtin = @import("builtin");
const numa = @import("numa.zig");
const pages = @import("pages.zig");
const page = pages.page;

pub const huge_page = 2 * 1024 * 1024;
/// More than any address space has; keeps sums of lengths from overflowing.
pub const bytes_max = 1 << 46;

pub const Block = struct {
    mapping: []align(page) u8 = &.{},
    bytes: []align(page) u8 = &.{},
    /// The memory node that this block, and what it grows to, should lie on.
    node: ?u32 = null,

    /// Maps `len` zeroed bytes; 0 gives an empty block.
    pub fn init(len: usize) error{OutOfMemory}!Block {
        return initOn(null, len);
    }

    /// As `init`, on a memory node where the system has room there.
    pub fn initOn(node: ?u32, len: usize) error{OutOfMemory}!Block {
        if (len == 0) return .{ .node = node };
        if (len > bytes_max) return error.OutOfMemory;
        // Large blocks start at a huge page's border, so that weights and workspace need few TLB entries.
        const slack: usize = if (len >= 2 * huge_page) huge_page else 0;
        const mapping = try pages.map(std.mem.alignForward(usize, len + slack, page), .memory);
        const address = @intFromPtr(mapping.ptr);
        const skip = if (slack == 0) 0 else std.mem.alignForward(usize, address, huge_page) - address;
        const block: Block = .{ .mapping = mapping, .bytes = @alignCast(mapping[skip..][0..len]), .node = node };
        std.debug.assert(skip + len <= mapping.len);
        std.debug.assert(slack == 0 or @intFromPtr(block.bytes.ptr) % huge_page == 0);
        // Before anything is touched; a refusal only costs speed.
        if (node) |id| _ = numa.bind(mapping, id);
        if (slack != 0 and builtin.os.tag == .linux) {
            // A refusal only costs speed.
            std.posix.madvise(block.bytes.ptr, len, std.posix.MADV.HUGEPAGE) catch {};
        }
        return block;
    }

    pub fn deinit(block: *Block) void {
        if (block.mapping.len > 0) pages.unmap(block.mapping);
        block.* = .{ .node = block.node };
    }

    /// Makes room for at least `len` bytes; the contents are lost when it has to grow.
    pub fn reserve(block: *Block, len: usize) error{OutOfMemory}!void {
        if (len <= block.bytes.len) return;
        const grown = try initOn(block.node, len);
        block.deinit();
        block.* = grown;
        std.debug.assert(block.bytes.len >= len);
    }
};

test "Block is zeroed, aligned and keeps its length" {
    for ([_]usize{ 1, 4096, 4097, 3 * huge_page + 5 }) |len| {
        var block: Block = try .init(len);
        defer block.deinit();
        try std.testing.expectEqual(len, block.bytes.len);
        try std.testing.expectEqual(0, block.bytes[0]);
        try std.testing.expectEqual(0, block.bytes[len - 1]);
        block.bytes[len - 1] = 1;
        if (len >= 2 * huge_page) try std.testing.expectEqual(0, @intFromPtr(block.bytes.ptr) % huge_page);
    }
    try std.testing.expectError(error.OutOfMemory, Block.init(1 << 47));
    var empty: Block = try .init(0);
    try empty.reserve(10);
    try std.testing.expectEqual(10, empty.bytes.len);
    empty.deinit();
    empty.deinit();
}
