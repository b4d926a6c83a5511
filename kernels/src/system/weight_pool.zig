//! Memory of packed weights: pieces cut one after the other from large mappings, so that small matrices lie on huge
//! pages too and no matrix leaves the rest of one unused. A mapping goes back to the system with its last piece.
//!
//! Fresh pages are zeroed by the system when they are first touched. Left to the packing threads, two of them would
//! often touch the same huge page at once and both would zero one, so `prefault` shares the pages out beforehand.

const std = @import("std");
const builtin = @import("builtin");
const memory = @import("memory.zig");
const Job = @import("job.zig").Job;
const Team = @import("thread_team.zig").Team;
const pages = @import("pages.zig");
const page = pages.page;

const huge_page = memory.huge_page;
/// Address space taken at once. What is never touched costs nothing; the last huge page is wasted in part.
const chunk_bytes = 128 << 20;
const piece_align = 64;

/// Where a context's weights come from. One thread at a time.
pub const Pool = struct {
    gpa: std.mem.Allocator,
    open: ?*Chunk = null,
    /// The memory node that the weights should lie on.
    node: ?u32 = null,

    /// `len` zero bytes, aligned to 64.
    pub fn take(pool: *Pool, len: usize) error{OutOfMemory}!Piece {
        if (len > memory.bytes_max) return error.OutOfMemory;
        const size = std.mem.alignForward(usize, len, piece_align);
        if (pool.open) |chunk| {
            if (chunk.cut(size, len)) |piece| return piece;
        }
        const whole = std.mem.alignForward(usize, size, huge_page);
        const chunk = Chunk.create(pool, @max(whole, chunk_bytes)) catch try Chunk.create(pool, whole);
        if (pool.open) |previous| previous.release();
        pool.open = chunk;
        return chunk.cut(size, len).?;
    }

    /// Pieces stay valid.
    pub fn deinit(pool: *Pool) void {
        if (pool.open) |chunk| chunk.release();
        pool.open = null;
    }
};

/// Part of a mapping. Freed from any thread.
pub const Piece = struct {
    chunk: *Chunk,
    bytes: []align(piece_align) u8,

    pub fn deinit(piece: *Piece) void {
        const start = @intFromPtr(piece.bytes.ptr);
        const first = std.mem.alignForward(usize, start, page) - start;
        const end = std.mem.alignBackward(usize, start + piece.bytes.len, page) -| start;
        // Nobody gets these bytes again; a refusal only keeps them until the mapping goes.
        if (first < end) pages.giveBack(@alignCast(piece.bytes.ptr[first..end]));
        piece.chunk.release();
        piece.* = undefined;
    }

    /// Has the team touch the memory up to byte `end` of the piece, every huge page by one member, and that of the
    /// pieces behind as far as gives each member work.
    pub fn prefault(piece: *const Piece, team: *Team, end: usize) void {
        const chunk = piece.chunk;
        std.debug.assert(end <= std.mem.alignForward(usize, piece.bytes.len, piece_align));
        std.debug.assert(chunk.touched % huge_page == 0);
        const wanted = @intFromPtr(piece.bytes.ptr) - @intFromPtr(chunk.block.bytes.ptr) + end;
        if (wanted <= chunk.touched) return;
        const ahead = @min(chunk.used, wanted + team.count * huge_page);
        const args: Prefault = .{
            .first = chunk.block.bytes.ptr + chunk.touched,
            .pages = @intCast((ahead - chunk.touched + huge_page - 1) / huge_page),
        };
        team.run(@ptrCast(&Prefault.run), &args);
        chunk.touched += @as(usize, args.pages) * huge_page;
    }
};

const Chunk = struct {
    gpa: std.mem.Allocator,
    block: memory.Block,
    used: usize = 0,
    /// Bytes that were touched by `prefault`, whole huge pages.
    touched: usize = 0,
    /// Pieces, and the pool while this is the open one.
    users: std.atomic.Value(u32) = .init(1),

    fn create(pool: *const Pool, len: usize) error{OutOfMemory}!*Chunk {
        const gpa = pool.gpa;
        std.debug.assert(len % huge_page == 0);
        const chunk = try gpa.create(Chunk);
        errdefer gpa.destroy(chunk);
        chunk.* = .{ .gpa = gpa, .block = try .initOn(pool.node, len) };
        return chunk;
    }

    fn cut(chunk: *Chunk, size: usize, len: usize) ?Piece {
        std.debug.assert(size >= len and size % piece_align == 0 and chunk.used % piece_align == 0);
        if (size > chunk.block.bytes.len - chunk.used) return null;
        const bytes = chunk.block.bytes[chunk.used..][0..len];
        chunk.used += size;
        _ = chunk.users.fetchAdd(1, .monotonic);
        return .{ .chunk = chunk, .bytes = @alignCast(bytes) };
    }

    fn release(chunk: *Chunk) void {
        const users = chunk.users.fetchSub(1, .acq_rel);
        std.debug.assert(users > 0);
        if (users != 1) return;
        chunk.block.deinit();
        chunk.gpa.destroy(chunk);
    }
};

const Prefault = extern struct {
    first: [*]u8,
    pages: u32,

    /// Since Linux 5.14; elsewhere the pages are touched when they are written.
    const populate_write = 23;

    fn run(args: *const Prefault, job: *const Job) callconv(.c) void {
        while (job.claim(args.pages, 1)) |part| {
            if (builtin.os.tag != .linux) continue;
            _ = std.os.linux.madvise(args.first + part.first * huge_page, huge_page, populate_write);
        }
    }
};

test "pieces are zeroed, aligned and apart, and outlive the pool" {
    const gpa = std.testing.allocator;
    var pool: Pool = .{ .gpa = gpa };
    const lens = [_]usize{ 64, 100, 5 << 20, chunk_bytes - (5 << 20), 0, 3 << 20 };
    var pieces: [lens.len]Piece = undefined;
    for (&pieces, lens) |*piece, len| {
        piece.* = try pool.take(len);
        try std.testing.expectEqual(len, piece.bytes.len);
        try std.testing.expectEqual(0, @intFromPtr(piece.bytes.ptr) % piece_align);
    }
    try std.testing.expect(pieces[0].chunk == pieces[2].chunk and pieces[2].chunk != pieces[3].chunk);
    for (pieces, 1..) |piece, mark| {
        try std.testing.expect(std.mem.allEqual(u8, piece.bytes, 0));
        @memset(piece.bytes, @intCast(mark));
    }
    pool.deinit();
    for (&pieces, 1..) |*piece, mark| {
        try std.testing.expect(std.mem.allEqual(u8, piece.bytes, @intCast(mark)));
        piece.deinit();
    }
    try std.testing.expectError(error.OutOfMemory, pool.take(1 << 47));
}

test "prefault touches each page once and keeps what is there" {
    const gpa = std.testing.allocator;
    for ([_]u32{ 1, 3 }) |threads| {
        var team: Team = .{};
        try team.start(gpa, threads);
        defer team.stop(gpa);
        var pool: Pool = .{ .gpa = gpa };
        defer pool.deinit();
        var small = try pool.take(1000);
        defer small.deinit();
        var large = try pool.take(9 << 20);
        defer large.deinit();
        @memset(small.bytes, 7);
        small.prefault(&team, small.bytes.len);
        const ahead = small.chunk.touched;
        try std.testing.expectEqual(huge_page * (1 + threads), ahead);
        large.prefault(&team, 100);
        try std.testing.expectEqual(ahead, large.chunk.touched);
        large.prefault(&team, large.bytes.len);
        try std.testing.expectEqual(10 << 20, large.chunk.touched);
        for (small.bytes) |byte| try std.testing.expectEqual(7, byte);
        for (large.bytes) |byte| try std.testing.expectEqual(0, byte);
    }
}
