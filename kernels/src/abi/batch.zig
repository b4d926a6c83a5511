//! What one step computes: checked once, then used by every layer's RoPE and attention.

const std = @import("std");
const arena_module = @import("../kv/arena.zig");
const kv_batch = @import("../kv/batch.zig");
const StateSlot = @import("../kv/states.zig").Slot;
const objects = @import("objects.zig");
const buffers = @import("buffers.zig");
const status = @import("status.zig");
const Arena = @import("arenas.zig").Arena;
const Context = @import("context.zig").Context;

const gpa = std.heap.c_allocator;
const block = arena_module.block_tokens;

/// What precedes the tokens, sequences and extents in the buffer. Tokens and sequences come once for each group of the arena,
/// all of group 0 first; they differ only in slots and extents.
pub const Header = extern struct {
    /// Of one group.
    token_count: u32,
    /// Of one group.
    seq_count: u32,
    /// Of all groups together.
    extent_count: u32,
    /// As the arena's.
    group_count: u32,
};

/// The step as the layers of one group see it.
pub const Group = struct {
    tokens: []const kv_batch.Token,
    seqs: []const kv_batch.Seq,
    extents: []const kv_batch.Extent,
};

pub const Batch = struct {
    /// The arena that the slots refer to; `objects.none` before the first batch.
    arena: u32 = objects.none,
    tokens: std.ArrayList(kv_batch.Token) = .empty,
    seqs: std.ArrayList(kv_batch.Seq) = .empty,
    extents: std.ArrayList(kv_batch.Extent) = .empty,
    /// Largest position of any token plus 1.
    positions_end: u32 = 0,
    /// Of one group.
    token_count: u32 = 0,
    seq_count: u32 = 0,
    /// The states that the slots refer to; `objects.none` where none were set since the batch was.
    states: u32 = objects.none,
    slots: std.ArrayList(StateSlot) = .empty,

    pub fn group(batch: *const Batch, index: u32) Group {
        std.debug.assert(batch.arena != objects.none);
        std.debug.assert((index + 1) * batch.token_count <= batch.tokens.items.len);
        return .{
            .tokens = batch.tokens.items[index * batch.token_count ..][0..batch.token_count],
            .seqs = batch.seqs.items[index * batch.seq_count ..][0..batch.seq_count],
            .extents = batch.extents.items,
        };
    }

    pub fn deinit(batch: *Batch) void {
        batch.tokens.deinit(gpa);
        batch.seqs.deinit(gpa);
        batch.extents.deinit(gpa);
        batch.slots.deinit(gpa);
        batch.* = .{};
    }
};

/// desc: u32 words: a Header, then its tokens, sequences and extents. A refused batch leaves none set.
pub fn set(context: *Context, arena_id: u32, desc: buffers.Input, desc_bytes: u32) status.Error!void {
    const batch = &context.batch;
    batch.arena = objects.none;
    batch.states = objects.none;
    const arena = try objects.get(Arena, arena_id);
    const words = try buffers.all(u32, desc, desc_bytes);
    try copy(batch, words, arena.native.groups);
    if (!try valid(batch, arena)) return error.InvalidBatch;
    batch.arena = arena_id;
}

/// The context's batch, which must be for this arena.
pub fn current(context: *Context, arena_id: u32) status.Error!*const Batch {
    if (context.batch.arena == objects.none) return error.NoBatch;
    if (context.batch.arena != arena_id) return error.ArenaMismatch;
    return &context.batch;
}

/// Copies the arrays, so that the caller cannot change them after they were checked.
fn copy(batch: *Batch, words: []const u32, groups: u32) status.Error!void {
    const header_words = @sizeOf(Header) / 4;
    if (words.len < header_words) return error.BufferTooSmall;
    const header: *const Header = @ptrCast(words.ptr);
    if (header.group_count != groups or header.token_count == 0) return error.InvalidBatch;
    const tokens = std.math.mul(u32, header.token_count, groups) catch return error.Overflow;
    const seqs = std.math.mul(u32, header.seq_count, groups) catch return error.Overflow;
    var rest = words[header_words..];
    inline for (.{
        .{ &batch.tokens, kv_batch.Token, tokens },
        .{ &batch.seqs, kv_batch.Seq, seqs },
        .{ &batch.extents, kv_batch.Extent, header.extent_count },
    }) |part| {
        const list, const T, const count = part;
        const length = std.math.mul(usize, count, @sizeOf(T) / 4) catch return error.Overflow;
        if (length > rest.len) return error.BufferTooSmall;
        const items: [*]const T = @ptrCast(rest.ptr);
        list.clearRetainingCapacity();
        try list.appendSlice(gpa, items[0..count]);
        rest = rest[length..];
    }
    if (rest.len != 0) return error.InvalidBatch;
    batch.token_count = header.token_count;
    batch.seq_count = header.seq_count;
}

/// In each group sequences must divide the tokens among themselves in order, and their extents lead each token to its slot;
/// the groups must agree in all but slots.
fn valid(batch: *Batch, arena: *Arena) status.Error!bool {
    const stamp = arena.nextStamp();
    batch.positions_end = 0;
    for (0..arena.native.groups) |group| {
        const window = arena.native.windowOf(@intCast(group));
        const seqs = batch.seqs.items[group * batch.seq_count ..][0..batch.seq_count];
        const tokens = batch.tokens.items[group * batch.token_count ..][0..batch.token_count];
        var token_next: u32 = 0;
        for (seqs, batch.seqs.items[0..batch.seq_count]) |seq, first_group| {
            if (seq.position_first != first_group.position_first or seq.token_count != first_group.token_count) return false;
            if (seq.token_count == 0 or seq.token_first != token_next) return false;
            std.debug.assert(token_next <= tokens.len);
            token_next = add(token_next, seq.token_count) orelse return false;
            if (token_next > tokens.len) return false;
            const end = add(seq.position_first, seq.token_count) orelse return false;
            batch.positions_end = @max(batch.positions_end, end);
            const extents_end = add(seq.extent_first, seq.extent_count) orelse return false;
            if (extents_end > batch.extents.items.len) return false;
            // What the first query sees, and with it all others, has to be there.
            if (seq.kv_first % block != 0 or seq.kv_first > (seq.position_first + 1) -| window) return false;
            const extents = batch.extents.items[seq.extent_first..extents_end];
            if (!extentsCover(extents, end - seq.kv_first, arena.native.slots)) return false;
            if (!tokensFollow(tokens[seq.token_first..token_next], seq, extents, arena, stamp)) return false;
        }
        if (token_next != tokens.len) return false;
    }
    return true;
}

/// Whether extents hold exactly `positions` positions.
fn extentsCover(extents: []const kv_batch.Extent, positions: u32, slots: u32) bool {
    var covered: u32 = 0;
    for (extents, 0..) |extent, i| {
        if (extent.token_count == 0 or extent.slot_first % block != 0) return false;
        if (i + 1 < extents.len and extent.token_count % block != 0) return false;
        const slots_end = add(extent.slot_first, extent.token_count) orelse return false;
        if (slots_end > slots) return false;
        covered = add(covered, extent.token_count) orelse return false;
    }
    return covered == positions;
}

fn tokensFollow(
    tokens: []const kv_batch.Token,
    seq: kv_batch.Seq,
    extents: []const kv_batch.Extent,
    arena: *Arena,
    stamp: u32,
) bool {
    std.debug.assert(tokens.len == seq.token_count and seq.kv_first <= seq.position_first);
    var extent: usize = 0;
    var extent_position = seq.kv_first; // of its first slot
    for (tokens, seq.position_first..) |token, position| {
        if (token.position != position) return false;
        while (position - extent_position >= extents[extent].token_count) {
            extent_position += extents[extent].token_count;
            extent += 1;
            std.debug.assert(extent < extents.len); // they cover every position
        }
        std.debug.assert(position >= extent_position);
        if (token.slot != extents[extent].slot_first + (position - extent_position)) return false;
        // Two tokens that write one slot would make the result depend on which thread comes last.
        if (arena.stamps[token.slot] == stamp) return false;
        arena.stamps[token.slot] = stamp;
    }
    return true;
}

fn add(a: u32, b: u32) ?u32 {
    return std.math.add(u32, a, b) catch null;
}
