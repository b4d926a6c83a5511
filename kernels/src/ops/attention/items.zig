//! How attention's work is shared out: items of rows that share K and V, and parts of them where items are few.

const std = @import("std");
const arena = @import("../../kv/arena.zig");
const batch = @import("../../kv/batch.zig");
const chunk_tokens = @import("blocks.zig").chunk_tokens;
const floats = @import("floats.zig");
const row_lanes = @import("row_lanes.zig");

/// Rows of one item, most first: the more, the more often K and V are used while they are in the cache.
const rows_of_items = [_]u32{ 192, 96, 48 };
pub const item_rows_max = rows_of_items[0];

/// What the items are cut from. A row is one (query, head).
pub const Work = extern struct {
    seqs: [*]const batch.Seq,
    n_seqs: u32,
    heads: u32,
    kv_heads: u32,
    key_dim: u32,
    value_dim: u32,
    /// As the view's.
    window: u32,
    values: arena.Values = .own,
    /// As `Split.rows`.
    item_rows: u32,

    pub fn group(work: Work) u32 {
        return work.heads / work.kv_heads;
    }

    fn slice(work: Work) []const batch.Seq {
        return work.seqs[0..work.n_seqs];
    }

    fn rows(work: Work, seq: batch.Seq) u32 {
        return seq.token_count * work.group();
    }

    /// Rows of an item that there is room for: of long queries fewer.
    pub fn rowsMax(work: Work) u32 {
        return switch (work.values) {
            .own => floats.rowsMax(work.key_dim),
            .in_keys => row_lanes.rows_max,
        };
    }

    /// Items of one KV head.
    fn blocks(work: Work, seq: batch.Seq) u32 {
        return std.math.divCeil(u32, work.rows(seq), work.item_rows) catch unreachable;
    }

    fn items(work: Work, seq: batch.Seq) u32 {
        return work.blocks(seq) * work.kv_heads;
    }

    /// Partial results of one item: one for each chunk and row.
    fn partialsPerItem(work: Work, seq: batch.Seq) usize {
        return @as(usize, work.chunks(seq)) * @min(work.item_rows, work.rows(seq));
    }

    /// The first position that a query at `position` sees.
    pub fn firstSeen(work: Work, position: u32) u32 {
        return (position + 1) -| work.window;
    }

    /// Chunks that some query of a sequence sees.
    fn chunks(work: Work, seq: batch.Seq) u32 {
        const first = work.firstSeen(seq.position_first) / chunk_tokens;
        const end = chunksUpTo(seq.position_first + seq.token_count);
        std.debug.assert(first < end);
        return end - first;
    }

    /// Floats of one partial result: its max and sum, padding, and out.
    pub fn partialLen(work: Work) usize {
        return partial_out + work.value_dim;
    }
};

/// Where the out of a partial result begins.
pub const partial_out = 8;

/// Chunks that hold some of the first `positions` positions.
fn chunksUpTo(positions: u32) u32 {
    return (positions + chunk_tokens - 1) / chunk_tokens;
}

/// How many rows an item has, and items cut along their positions, so that several threads share one. Each chunk's result
/// goes to memory, and the thread that finishes an item last joins its chunks in their order: the bits are those of an item in
/// one piece.
pub const Split = extern struct {
    /// Rows of one item at most, up to `item_rows_max`.
    rows: u32 = rows_of_items[rows_of_items.len - 1],
    /// Chunks of one unit of work; 0: an item is one unit.
    chunks: u32 = 0,
    /// Finished units of each item, zero before the run: `Room.items` of them.
    finished: [*]u32 = undefined,
    /// `Room.floats` floats.
    partials: [*]f32 = undefined,
};

/// Sizes of what `Split` points to.
pub const Room = struct { items: usize, floats: usize };

pub fn roomOf(work: Work) Room {
    var room: Room = .{ .items = 0, .floats = 0 };
    for (work.slice()) |seq| {
        room.items += work.items(seq);
        room.floats += work.items(seq) * work.partialsPerItem(seq) * work.partialLen();
    }
    return room;
}

/// Units of work that each thread should find: enough that one which comes late or is put aside leaves little undone.
const units_per_thread = 8;
/// More memory than this for partial results is not worth the cut.
const partial_bytes_max = 32 << 20;

/// `Split.rows` for so many threads: as many as leave each thread enough items. `work.item_rows` does not count.
pub fn rowsPerItem(work: Work, threads: u32) u32 {
    var each = work;
    for (rows_of_items) |rows| {
        if (rows > work.rowsMax()) continue;
        each.item_rows = rows;
        if (threads == 1 or roomOf(each).items >= @as(usize, threads) * units_per_thread) break;
    }
    return each.item_rows;
}

/// `Split.chunks` for so many threads: items are cut where they are few and their positions many.
pub fn chunksPerUnit(work: Work, threads: u32) u32 {
    const room = roomOf(work);
    const wanted = @as(usize, threads) * units_per_thread;
    if (threads == 1 or room.items >= wanted or room.floats * @sizeOf(f32) > partial_bytes_max) return 0;
    var chunks: usize = 0;
    for (work.slice()) |seq| chunks += @as(usize, work.items(seq)) * work.chunks(seq);
    return if (chunks == room.items) 0 else @intCast(@max(1, chunks / wanted));
}

/// Consecutive rows of one sequence and one KV head, and the chunks to compute; row r is token r / group, head r % group.
pub const Unit = struct {
    seq: batch.Seq,
    kv_head: u32,
    row_first: u32,
    row_end: u32,
    /// Position after the last that any of the rows sees.
    positions: u32,
    /// First chunk that any of the rows sees, in this unit or another one of the item.
    item_chunk_first: u32,
    chunk_first: u32,
    chunk_end: u32,
    /// Number of the item, and units that it was cut into.
    item: usize,
    units: u32,
    /// The item's partial results in `Split.partials`, counted in partial results.
    partial_first: usize,

    pub fn rows(unit: Unit) u32 {
        return unit.row_end - unit.row_first;
    }

    /// Number of the partial result of a row (from 0 in this item) and chunk.
    pub fn partial(unit: Unit, chunk: u32, row: usize) usize {
        std.debug.assert(chunk >= unit.item_chunk_first and row < unit.rows());
        return unit.partial_first + @as(usize, chunk - unit.item_chunk_first) * unit.rows() + row;
    }
};

/// Walks the units, those of sequences that see the most positions first (by powers of two), and hands out the claimed ones.
pub const Units = struct {
    work: Work,
    split_chunks: u32,
    classes: u33 = 0,
    class: u6 = 33,
    seq: u32,
    /// Units, items and partial results before the current sequence.
    passed: u32 = 0,
    items_passed: usize = 0,
    partials_passed: usize = 0,
    total: u32 = 0,

    pub fn init(work: Work, split_chunks: u32) Units {
        var units: Units = .{ .work = work, .split_chunks = split_chunks, .seq = work.n_seqs };
        for (work.slice()) |seq| {
            units.total += units.count(seq);
            units.classes |= @as(u33, 1) << units.classOf(seq);
        }
        return units;
    }

    fn classOf(units: *const Units, seq: batch.Seq) u6 {
        const seen = seq.position_first + seq.token_count - units.work.firstSeen(seq.position_first);
        return 32 - @as(u6, @clz(seen));
    }

    fn perItem(units: *const Units, seq: batch.Seq) u32 {
        if (units.split_chunks == 0) return 1;
        return (units.work.chunks(seq) + units.split_chunks - 1) / units.split_chunks;
    }

    fn count(units: *const Units, seq: batch.Seq) u32 {
        return units.work.items(seq) * units.perItem(seq);
    }

    /// Unit `index`; calls have ascending indices below `total`.
    pub fn at(units: *Units, index: u32) Unit {
        while (true) : (units.seq += 1) {
            if (units.seq >= units.work.n_seqs) {
                units.class -= 1;
                while (units.classes >> units.class & 1 == 0) units.class -= 1;
                units.seq = 0;
            }
            const seq = units.work.seqs[units.seq];
            if (units.classOf(seq) != units.class) continue;
            const here = units.count(seq);
            if (index - units.passed < here) return units.unitOf(seq, index - units.passed);
            units.passed += here;
            units.items_passed += units.work.items(seq);
            units.partials_passed += units.work.items(seq) * units.work.partialsPerItem(seq);
        }
    }

    /// Unit `index` of one sequence: rows of the latest tokens, which see the most, come first.
    fn unitOf(units: *const Units, seq: batch.Seq, index: u32) Unit {
        const work = units.work;
        const per_item = units.perItem(seq);
        const item = index / per_item;
        const block = work.blocks(seq) - 1 - item / work.kv_heads;
        const row_end = @min((block + 1) * work.item_rows, work.rows(seq));
        const positions = seq.position_first + (row_end - 1) / work.group() + 1;
        const low = work.firstSeen(seq.position_first + block * work.item_rows / work.group()) / chunk_tokens;
        const chunks = chunksUpTo(positions);
        const part = index % per_item;
        std.debug.assert(low < chunks and item < work.items(seq));
        return .{
            .seq = seq,
            .kv_head = item % work.kv_heads,
            .row_first = block * work.item_rows,
            .row_end = row_end,
            .positions = positions,
            .item_chunk_first = low,
            .chunk_first = @min(low + part * units.split_chunks, chunks),
            .chunk_end = if (part + 1 == per_item) chunks else @min(low + (part + 1) * units.split_chunks, chunks),
            .item = units.items_passed + item,
            .units = per_item,
            .partial_first = units.partials_passed + item * work.partialsPerItem(seq),
        };
    }
};

test "few long items are cut, many or short ones stay whole" {
    const one: batch.Seq = .{ .token_first = 0, .token_count = 1, .position_first = 4095, .extent_first = 0, .extent_count = 1 };
    const work: Work = .{ .seqs = (&one)[0..1].ptr, .n_seqs = 1, .heads = 32, .kv_heads = 8, .key_dim = 64, .value_dim = 64, .window = arena.no_window, .item_rows = 48 };
    try std.testing.expectEqual(Room{ .items = 8, .floats = 8 * 16 * 4 * 72 }, roomOf(work));
    try std.testing.expectEqual(8, chunksPerUnit(work, 2));
    try std.testing.expectEqual(1, chunksPerUnit(work, 64));
    try std.testing.expectEqual(0, chunksPerUnit(work, 1));
    var short = one;
    short.position_first = 255;
    var other = work;
    other.seqs = (&short)[0..1].ptr;
    try std.testing.expectEqual(0, chunksPerUnit(other, 64));
    const seqs: [4]batch.Seq = @splat(one);
    other.seqs = &seqs;
    other.n_seqs = 4;
    try std.testing.expectEqual(0, chunksPerUnit(other, 4));
    // Of 4,096 positions the last 600 lie in three chunks.
    other = work;
    other.window = 600;
    try std.testing.expectEqual(Room{ .items = 8, .floats = 8 * 3 * 4 * 72 }, roomOf(other));
    var long = one;
    long.token_count = 12;
    long.position_first = 1 << 20;
    other = work;
    other.seqs = (&long)[0..1].ptr;
    try std.testing.expectEqual(0, chunksPerUnit(other, 4));
}

test "items have many rows where there are enough of them" {
    var seq: batch.Seq = .{ .token_first = 0, .token_count = 512, .position_first = 4096, .extent_first = 0, .extent_count = 1 };
    const work: Work = .{ .seqs = (&seq)[0..1].ptr, .n_seqs = 1, .heads = 32, .kv_heads = 8, .key_dim = 64, .value_dim = 64, .window = arena.no_window, .item_rows = 48 };
    // 2,048 rows of each KV head.
    try std.testing.expectEqual(192, rowsPerItem(work, 1));
    try std.testing.expectEqual(192, rowsPerItem(work, 11));
    try std.testing.expectEqual(96, rowsPerItem(work, 12));
    try std.testing.expectEqual(48, rowsPerItem(work, 64));
    var long = work;
    long.key_dim = 512;
    try std.testing.expectEqual(96, rowsPerItem(long, 1));
    long.key_dim = arena.head_dim_max;
    try std.testing.expectEqual(48, rowsPerItem(long, 1));
    seq.token_count = 1;
    try std.testing.expectEqual(48, rowsPerItem(work, 2));
}
