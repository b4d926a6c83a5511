//! Where a sequence's K and V lie, chunk by chunk.

const std = @import("std");
const arena = @import("../../kv/arena.zig");
const batch = @import("../../kv/batch.zig");

const block_tokens = arena.block_tokens;
/// Positions of a chunk. Part of the definition of attention's result: changing it changes the last bits.
pub const chunk_tokens = 256;
pub const chunk_blocks = chunk_tokens / block_tokens;

/// Asks for the lines of `bytes` bytes, at most one of them in vain.
pub inline fn prefetch(address: [*]const u8, comptime bytes: usize) void {
    comptime var offset: usize = 0;
    inline while (offset < bytes) : (offset += 64) @prefetch(address + offset, .{ .locality = 2 });
}

/// The blocks of a sequence in order of position.
const Walk = struct {
    extents: []const batch.Extent,
    extent: usize = 0,
    token: u32 = 0,

    /// Number of the block in the arena.
    fn next(walk: *Walk) u32 {
        while (walk.token >= walk.extents[walk.extent].token_count) {
            walk.extent += 1;
            walk.token = 0;
        }
        defer walk.token += block_tokens;
        return (walk.extents[walk.extent].slot_first + walk.token) / block_tokens;
    }

    fn skip(walk: *Walk, tokens: u32) void {
        walk.token += tokens;
        while (walk.extent < walk.extents.len and walk.token >= walk.extents[walk.extent].token_count) {
            walk.token -= walk.extents[walk.extent].token_count;
            walk.extent += 1;
        }
    }
};

/// K and V of one KV head in a chunk's blocks, and in the next chunk's, for prefetching: valid addresses, no more, where
/// there is none. Stands before its first chunk; `advance` goes to it. Of values that are parts of keys there is no `v`.
pub const Chunk = struct {
    k_head: [*]const u8,
    v_head: [*]const u8,
    key_dim: usize,
    value_dim: usize,
    key_block_bytes: usize,
    value_block_bytes: usize,
    k: [chunk_blocks][*]const u8 = undefined,
    v: [chunk_blocks][*]const u8 = undefined,
    next_k: [chunk_blocks][*]const u8,
    next_v: [chunk_blocks][*]const u8,
    walk: Walk,
    /// Blocks after the next chunk.
    blocks_left: u32,

    /// Chunks `first` up to position `end`. extents: the sequence's. Blocks before its `kv_first` have no valid contents.
    pub fn init(
        view: arena.LayerView,
        kv_head: u32,
        seq: batch.Seq,
        extents: []const batch.Extent,
        first: u32,
        end: u32,
    ) Chunk {
        const start = first * chunk_tokens;
        std.debug.assert(start < end and kv_head < view.kv_heads);
        std.debug.assert(seq.kv_first % block_tokens == 0 and seq.kv_first < start + chunk_tokens);
        const k_head = view.k + kv_head * view.keyHeadBytes();
        const v_head = view.v + kv_head * view.valueHeadBytes();
        var chunk: Chunk = .{
            .k_head = k_head,
            .v_head = v_head,
            .key_dim = view.key_dim,
            .value_dim = view.value_dim,
            .key_block_bytes = view.keyBlockBytes(),
            .value_block_bytes = view.valueBlockBytes(),
            .next_k = @splat(k_head),
            .next_v = @splat(v_head),
            .walk = .{ .extents = extents },
            .blocks_left = (end - start + block_tokens - 1) / block_tokens,
        };
        chunk.walk.skip(start -| seq.kv_first);
        chunk.fillNext((seq.kv_first -| start) / block_tokens);
        return chunk;
    }

    pub fn advance(chunk: *Chunk) void {
        chunk.k = chunk.next_k;
        chunk.v = chunk.next_v;
        chunk.fillNext(0);
    }

    /// missing: blocks at the chunk's start that the sequence does not have any more.
    fn fillNext(chunk: *Chunk, missing: u32) void {
        const count = @min(chunk.blocks_left, chunk_blocks);
        std.debug.assert(missing == 0 or missing < count);
        for (chunk.next_k[missing..count], chunk.next_v[missing..count]) |*k, *v| {
            const block = chunk.walk.next();
            k.* = chunk.k_head + block * chunk.key_block_bytes;
            v.* = chunk.v_head + block * chunk.value_block_bytes;
        }
        chunk.blocks_left -= count;
    }
};
