//! Where a sequence's K and V lie, chunk by chunk.

const arena = @import("../../kv/arena.zig");
const batch = @import("../../kv/batch.zig");

const block_tokens = arena.block_tokens;
/// Positions of a chunk. Part of the definition of attention's result: changing it changes the last bits.
pub const chunk_tokens = 256;
pub const chunk_blocks = chunk_tokens / block_tokens;

/// The blocks of a sequence in order of position.
const Walk = struct {
    extents: []const batch.Extent,
    extent: usize = 0,
    token: u32 = 0,

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
/// there is none. Stands before its first chunk; `advance` goes to it.
pub const Chunk = struct {
    k_head: [*]const u8,
    v_head: [*]const u8,
    dim: usize,
    block_bytes: usize,
    k: [chunk_blocks][*]const u8 = undefined,
    v: [chunk_blocks][*]const u8 = undefined,
    next_k: [chunk_blocks][*]const u8,
    next_v: [chunk_blocks][*]const u8,
    walk: Walk,
    /// Blocks after the next chunk.
    blocks_left: u32,

    /// Chunks `first` up to position `end`.
    pub fn init(view: arena.LayerView, kv_head: u32, extents: []const batch.Extent, first: u32, end: u32) Chunk {
        const offset = kv_head * view.headBytes();
        var chunk: Chunk = .{
            .k_head = view.k + offset,
            .v_head = view.v + offset,
            .dim = view.head_dim,
            .block_bytes = view.blockBytes(),
            .next_k = @splat(view.k + offset),
            .next_v = @splat(view.v + offset),
            .walk = .{ .extents = extents },
            .blocks_left = (end - first * chunk_tokens + block_tokens - 1) / block_tokens,
        };
        chunk.walk.skip(first * chunk_tokens);
        chunk.fillNext();
        return chunk;
    }

    pub fn advance(chunk: *Chunk) void {
        chunk.k = chunk.next_k;
        chunk.v = chunk.next_v;
        chunk.fillNext();
    }

    fn fillNext(chunk: *Chunk) void {
        const count = @min(chunk.blocks_left, chunk_blocks);
        for (chunk.next_k[0..count], chunk.next_v[0..count]) |*k, *v| {
            const offset = chunk.walk.next() * chunk.block_bytes;
            k.* = chunk.k_head + offset;
            v.* = chunk.v_head + offset;
        }
        chunk.blocks_left -= count;
    }
};
