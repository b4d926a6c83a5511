//! Buddy allocator over the block indices of a KV cache. It owns no cache memory: a block is a number, and the arena
//! turns it into addresses.
//!
//! The life of a block: free blocks lie in runs of 2ᵏ blocks that start at multiples of 2ᵏ and are kept in one set per
//! order k. `allocate` takes the front part of a run and leaves the rest free behind it, where the sequence can grow
//! in address order; its blocks then have one reference. `share` adds references. `release` takes references away, for any
//! part of what was allocated; a block without references is free again and unites with its buddies as far as it goes.
//!
//! The region need not be a power of two: it starts as a forest of the largest aligned runs that fit.
//!
//! A block is "touched" from its allocation until `takeIdle` reports it: the arena has memory behind it that could be
//! given back when it is free.
//!
//! Choosing a run takes O(log n); everything else is proportional to the blocks that change. Memory is taken in `init`
//! only. After Knowlton, "A fast storage allocator", CACM 1965; address order after Knuth, TAOCP 1, 2.5.

const std = @import("std");
const memory = @import("../system/memory.zig");
const BitTree = @import("bit_tree.zig").BitTree;

/// Blocks that a region may have: 2³¹ tokens.
pub const blocks_max = 1 << 27;
const orders = 28;

/// Blocks with consecutive numbers.
pub const Run = extern struct {
    first: u32,
    count: u32,

    pub fn end(run: Run) u32 {
        return run.first + run.count;
    }
};

pub const Stats = extern struct {
    blocks: u32,
    free: u32,
    /// Blocks with more than one reference.
    shared: u32,
    /// References of all blocks, at most 2³² − 1 reported.
    references: u32,
    /// Free blocks that the arena may still hold memory for.
    idle: u32,
    /// Blocks of the largest free run, whether or not it is one buddy: 0 when nothing is free.
    largest_free: u32,
    /// Free runs of 2ᵏ blocks for k = 0, 1, ….
    free_runs: [orders]u32,
};

/// What `verify` found wrong first.
pub const Fault = enum(u32) {
    none = 0,
    /// A free run reaches over the region's end or holds a block with references.
    free_run_in_use = 1,
    /// A block without references lies in no free run.
    lost_block = 2,
    /// A block lies in two free runs.
    overlap = 3,
    /// Two free buddies are not united.
    not_united = 4,
    /// A set of free runs contradicts itself.
    broken_set = 5,
    free_count = 6,
    run_count = 7,
    shared_count = 8,
    reference_count = 9,
    /// An allocated block counts as untouched, or the count of touched ones is wrong.
    touched = 10,
};

pub const Buddy = struct {
    /// Blocks of the region.
    blocks: u32,
    free: u32,
    /// Blocks with more than one reference.
    shared: u32 = 0,
    references: u64 = 0,
    /// Free blocks that are touched.
    idle: u32 = 0,
    /// Per block its references; 0 is free.
    counts: []u32,
    touched: []u64,
    /// Per order k the free runs, each by its first block / 2ᵏ.
    sets: [orders]BitTree = @splat(.{}),
    free_runs: [orders]u32 = @splat(0),
    /// Bit k: there are free runs of order k.
    orders_present: u32 = 0,
    block: memory.Block,

    pub const InitError = error{ OutOfMemory, InvalidArgument };
    pub const ReferenceError = error{InvalidArgument};

    /// blocks: 1 to `blocks_max`, all free.
    pub fn init(blocks: u32) InitError!Buddy {
        if (blocks == 0 or blocks > blocks_max) return error.InvalidArgument;
        const touched_words = (blocks + 63) / 64;
        var total: usize = touched_words;
        for (0..orders) |order| total += BitTree.words(blocks >> @intCast(order));
        const words_bytes = total * @sizeOf(u64);
        const block: memory.Block = try .init(words_bytes + @as(usize, blocks) * @sizeOf(u32));
        const words: [*]u64 = @ptrCast(@alignCast(block.bytes.ptr));
        const counts: [*]u32 = @ptrCast(@alignCast(block.bytes.ptr + words_bytes));
        var buddy: Buddy = .{
            .blocks = blocks,
            .free = 0,
            .counts = counts[0..blocks],
            .touched = words[0..touched_words],
            .block = block,
        };
        var rest = words[touched_words..total];
        for (&buddy.sets, 0..) |*set, order| {
            const bound = blocks >> @intCast(order);
            const length = BitTree.words(bound);
            set.* = .init(bound, rest[0..length]);
            rest = rest[length..];
        }
        std.debug.assert(rest.len == 0);
        buddy.insertRange(0, blocks);
        std.debug.assert(buddy.free == blocks);
        return buddy;
    }

    pub fn deinit(buddy: *Buddy) void {
        buddy.block.deinit();
        buddy.* = undefined;
    }

    /// Takes `count` blocks and writes their runs in the order in which a sequence fills them; gives the number of runs,
    /// or null and takes nothing when fewer blocks are free. Blocks that follow `after` come first, then the front of the
    /// least free run that has `room` blocks more than wanted, else of the least that has enough, else the stretches around
    /// the largest runs: on request lengths of real traffic, beginning with the smallest left five times as many runs.
    /// runs: room for `count` of them.
    pub fn allocate(buddy: *Buddy, count: u32, after: ?u32, room: u32, runs: []Run) ?u32 {
        std.debug.assert(count > 0 and runs.len >= count);
        if (count > buddy.free) return null;
        var left = count;
        var written: u32 = 0;
        var at: u32 = if (after) |block| block +| 1 else buddy.blocks;
        while (left > 0) {
            const run = buddy.freeRunAt(at) orelse {
                at = buddy.choose(left, room);
                continue;
            };
            const taken = @min(left, run.end() - at);
            buddy.takeFrom(run, .{ .first = at, .count = taken });
            if (written > 0 and runs[written - 1].end() == at) {
                runs[written - 1].count += taken;
            } else {
                runs[written] = .{ .first = at, .count = taken };
                written += 1;
            }
            left -= taken;
            at += taken;
        }
        std.debug.assert(written > 0 and written <= count);
        return written;
    }

    /// Takes exactly these blocks if all of them are free.
    pub fn allocAt(buddy: *Buddy, first: u32, count: u32) bool {
        const end = std.math.add(u32, first, count) catch return false;
        var at = first;
        while (at < end) at = (buddy.freeRunAt(at) orelse return false).end();
        at = first;
        while (at < end) {
            const run = buddy.freeRunAt(at).?;
            const taken: Run = .{ .first = at, .count = @min(end, run.end()) - at };
            buddy.takeFrom(run, taken);
            at = taken.end();
        }
        return true;
    }

    /// Adds a reference to each of these blocks, which must have some; changes nothing otherwise.
    pub fn share(buddy: *Buddy, first: u32, count: u32) ReferenceError!void {
        const counts = try buddy.inUse(first, count);
        for (counts) |references| if (references == std.math.maxInt(u32)) return error.InvalidArgument;
        for (counts) |*references| {
            buddy.shared += @intFromBool(references.* == 1);
            references.* += 1;
        }
        buddy.references += count;
    }

    /// Takes a reference from each of these blocks, which must have some; changes nothing otherwise. Gives how many blocks
    /// became free.
    pub fn release(buddy: *Buddy, first: u32, count: u32) ReferenceError!u32 {
        const counts = try buddy.inUse(first, count);
        std.debug.assert(buddy.references >= count);
        buddy.references -= count;
        const free_before = buddy.free;
        var free_from = first;
        for (counts, first..) |*references, block| {
            references.* -= 1;
            if (references.* == 0) continue;
            buddy.shared -= @intFromBool(references.* == 1);
            buddy.insertRange(free_from, @intCast(block));
            free_from = @intCast(block + 1);
        }
        buddy.insertRange(free_from, first + count);
        const freed = buddy.free - free_before;
        std.debug.assert(freed <= count and buddy.free <= buddy.blocks);
        buddy.idle += freed;
        return freed;
    }

    fn inUse(buddy: *Buddy, first: u32, count: u32) ReferenceError![]u32 {
        const end = std.math.add(u32, first, count) catch return error.InvalidArgument;
        if (end > buddy.blocks) return error.InvalidArgument;
        const counts = buddy.counts[first..end];
        if (std.mem.findScalar(u32, counts, 0) != null) return error.InvalidArgument;
        return counts;
    }

    /// References of a block, 0 when it is free.
    pub fn referencesOf(buddy: *const Buddy, block: u32) ReferenceError!u32 {
        return if (block < buddy.blocks) buddy.counts[block] else error.InvalidArgument;
    }

    /// The next stretch of up to `blocks_limit` blocks, the first one touched, in a free run of at least `blocks_min` of which
    /// as many are touched; from here on they count as untouched. Null when there is none.
    pub fn takeIdle(buddy: *Buddy, blocks_min: u32, blocks_limit: u32) ?Run {
        const least = @max(blocks_min, 1);
        if (buddy.idle < least or least > blocks_max) return null;
        var order: u32 = std.math.log2_int_ceil(u32, least);
        while (order < orders) : (order += 1) {
            var from: u32 = 0;
            while (buddy.sets[order].atLeast(from)) |index| : (from = index + 1) {
                const run: Run = .{ .first = index << @intCast(order), .count = sizeOf(order) };
                if (buddy.touchedIn(run) < least) continue;
                return buddy.untouch(run, @max(blocks_limit, 1));
            }
        }
        return null;
    }

    fn touchedIn(buddy: *const Buddy, run: Run) u32 {
        std.debug.assert(run.end() <= buddy.blocks);
        var total: u32 = 0;
        var at = run.first;
        while (at < run.end()) {
            const end = @min(run.end(), (at | 63) + 1);
            total += @popCount(buddy.touched[at / 64] & mask(at, end));
            at = end;
        }
        std.debug.assert(total <= run.count);
        return total;
    }

    /// From the first touched block to the last one: fewer, longer stretches are cheaper to give back.
    fn untouch(buddy: *Buddy, run: Run, limit: u32) Run {
        std.debug.assert(limit > 0 and buddy.counts[run.first] == 0);
        var first = run.first;
        while (!buddy.isTouched(first)) first += 1;
        var end = @min(run.end(), first +| limit);
        while (!buddy.isTouched(end - 1)) end -= 1;
        const found: Run = .{ .first = first, .count = end - first };
        std.debug.assert(found.count > 0 and found.count <= limit);
        buddy.idle -= buddy.touchedIn(found);
        buddy.setTouched(found, false);
        return found;
    }

    fn isTouched(buddy: *const Buddy, block: u32) bool {
        std.debug.assert(block < buddy.blocks);
        return buddy.touched[block / 64] & (@as(u64, 1) << @intCast(block % 64)) != 0;
    }

    fn setTouched(buddy: *Buddy, run: Run, value: bool) void {
        std.debug.assert(run.count > 0 and run.end() <= buddy.blocks);
        var at = run.first;
        while (at < run.end()) {
            const end = @min(run.end(), (at | 63) + 1);
            const word = &buddy.touched[at / 64];
            word.* = if (value) word.* | mask(at, end) else word.* & ~mask(at, end);
            at = end;
        }
    }

    pub fn stats(buddy: *const Buddy) Stats {
        std.debug.assert(buddy.idle <= buddy.free and buddy.free <= buddy.blocks);
        std.debug.assert(buddy.shared <= buddy.blocks - buddy.free);
        return .{
            .blocks = buddy.blocks,
            .free = buddy.free,
            .shared = buddy.shared,
            .references = std.math.lossyCast(u32, buddy.references),
            .idle = buddy.idle,
            .largest_free = buddy.largestFree(),
            .free_runs = buddy.free_runs,
        };
    }

    /// The longest stretch of free blocks.
    fn largestFree(buddy: *const Buddy) u32 {
        if (buddy.orders_present == 0) return 0;
        var largest: u32 = 0;
        const top = std.math.log2_int(u32, buddy.orders_present);
        // Along a stretch the runs grow and then shrink, each size at most twice: n blocks hold a run of more than n / 4.
        for (top -| 1..top + 1) |order| {
            var from: u32 = 0;
            while (buddy.sets[order].atLeast(from)) |index| : (from = index + 1) {
                const first = index << @intCast(order);
                largest = @max(largest, buddy.freeAfter(first) + buddy.freeBefore(first));
            }
        }
        std.debug.assert(largest > 0 and largest <= buddy.free);
        return largest;
    }

    fn freeAfter(buddy: *const Buddy, first: u32) u32 {
        var at = first;
        while (buddy.freeRunAt(at)) |run| at = run.end();
        return at - first;
    }

    fn freeBefore(buddy: *const Buddy, first: u32) u32 {
        var at = first;
        while (at > 0) at = (buddy.freeRunAt(at - 1) orelse break).first;
        return first - at;
    }

    /// The free run that holds this block.
    fn freeRunAt(buddy: *const Buddy, block: u32) ?Run {
        if (block >= buddy.blocks or buddy.counts[block] != 0) return null;
        var present = buddy.orders_present;
        while (present != 0) : (present &= present - 1) {
            const order = @ctz(present);
            const index = block >> @intCast(order);
            if (buddy.sets[order].contains(index)) {
                return .{ .first = index << @intCast(order), .count = sizeOf(order) };
            }
        }
        return null;
    }

    /// First block of the run to take from. Some block is free.
    fn choose(buddy: *const Buddy, count: u32, room: u32) u32 {
        std.debug.assert(count > 0 and buddy.free > 0 and buddy.orders_present != 0);
        for ([_]u32{ count +| room, count }) |wanted| {
            const least: u5 = @intCast(std.math.log2_int_ceil(u32, @min(wanted, blocks_max)));
            const fitting = buddy.orders_present >> least << least;
            if (fitting != 0) return buddy.firstOfOrder(@intCast(@ctz(fitting)));
        }
        // The rest of the stretch before the run saves the sequence a run of its own.
        const largest = buddy.firstOfOrder(std.math.log2_int(u32, buddy.orders_present));
        return largest - buddy.freeBefore(largest);
    }

    /// The first of the free runs of an order that has some.
    fn firstOfOrder(buddy: *const Buddy, order: u5) u32 {
        std.debug.assert(buddy.free_runs[order] > 0);
        return buddy.sets[order].first().? << order;
    }

    /// Takes `part` out of the free run that holds it.
    fn takeFrom(buddy: *Buddy, run: Run, part: Run) void {
        std.debug.assert(part.count > 0 and part.first >= run.first and part.end() <= run.end());
        std.debug.assert(std.math.isPowerOfTwo(run.count) and run.first % run.count == 0);
        buddy.removeRun(run.first, @ctz(run.count));
        buddy.insertRange(run.first, part.first);
        buddy.insertRange(part.end(), run.end());
        @memset(buddy.counts[part.first..part.end()], 1);
        buddy.references += part.count;
        buddy.idle -= buddy.touchedIn(part);
        buddy.setTouched(part, true);
    }

    /// Makes [first, end) free, in the largest aligned runs.
    fn insertRange(buddy: *Buddy, first: u32, end: u32) void {
        std.debug.assert(first <= end and end <= buddy.blocks);
        var at = first;
        while (at < end) {
            const fitting = std.math.log2_int(u32, end - at);
            const order: u32 = @min(@ctz(at), fitting);
            buddy.insertRun(at, order);
            at += sizeOf(order);
        }
    }

    /// Adds a free run and unites it with its buddies. Reaching over the region's end, a buddy is never free.
    fn insertRun(buddy: *Buddy, first: u32, order_first: u32) void {
        std.debug.assert(first % sizeOf(order_first) == 0);
        buddy.free += sizeOf(order_first);
        std.debug.assert(buddy.free <= buddy.blocks);
        var index = first >> @intCast(order_first);
        var order = order_first;
        while (buddy.sets[order].contains(index ^ 1)) : (order += 1) {
            buddy.setRun(order, index ^ 1, false);
            index >>= 1;
        }
        buddy.setRun(order, index, true);
    }

    fn removeRun(buddy: *Buddy, first: u32, order: u32) void {
        std.debug.assert(buddy.free >= sizeOf(order) and first % sizeOf(order) == 0);
        buddy.free -= sizeOf(order);
        buddy.setRun(order, first >> @intCast(order), false);
    }

    fn setRun(buddy: *Buddy, order: u32, index: u32, present: bool) void {
        const runs = &buddy.free_runs[order];
        if (present) {
            buddy.sets[order].insert(index);
            runs.* += 1;
        } else {
            buddy.sets[order].remove(index);
            runs.* -= 1;
        }
        const bit = @as(u32, 1) << @intCast(order);
        buddy.orders_present = if (runs.* > 0) buddy.orders_present | bit else buddy.orders_present & ~bit;
    }

    /// Checks every invariant; the first one violated, or `none`. Reads everything.
    pub fn verify(buddy: *const Buddy) Fault {
        var free: u32 = 0;
        var found: [orders]u32 = @splat(0);
        var shared: u32 = 0;
        var references: u64 = 0;
        var block: u32 = 0;
        while (block < buddy.blocks) {
            if (buddy.counts[block] != 0) {
                shared += @intFromBool(buddy.counts[block] > 1);
                references += buddy.counts[block];
                if (!buddy.isTouched(block)) return .touched;
                block += 1;
                continue;
            }
            const order = buddy.orderOfRun(block) orelse return .lost_block;
            const end = @as(u64, block) + sizeOf(order);
            if (end > buddy.blocks) return .free_run_in_use;
            if (std.mem.findNone(u32, buddy.counts[block..@intCast(end)], &.{0}) != null) return .free_run_in_use;
            if (buddy.sets[order].contains((block >> @intCast(order)) ^ 1)) return .not_united;
            found[order] += 1;
            free += sizeOf(order);
            block = @intCast(end);
        }
        for (&buddy.sets, found, buddy.free_runs, 0..) |*set, count, runs, order| {
            if (!set.consistent()) return .broken_set;
            // A run that the walk above did not meet lies inside another one or among blocks in use.
            if (set.count() != count) return .overlap;
            if (runs != count) return .run_count;
            if ((buddy.orders_present >> @intCast(order)) & 1 != @intFromBool(count > 0)) return .run_count;
        }
        if (free != buddy.free) return .free_count;
        if (shared != buddy.shared) return .shared_count;
        if (references != buddy.references) return .reference_count;
        var touched: u32 = 0;
        for (buddy.touched) |word| touched += @popCount(word);
        return if (touched != buddy.idle + (buddy.blocks - free)) .touched else .none;
    }

    /// Order of the free run that starts here.
    fn orderOfRun(buddy: *const Buddy, block: u32) ?u32 {
        for (0..@min(@as(u32, @ctz(block)) + 1, orders)) |order| {
            if (buddy.sets[order].contains(block >> @intCast(order))) return @intCast(order);
        }
        return null;
    }
};

fn sizeOf(order: u32) u32 {
    std.debug.assert(order < orders);
    return @as(u32, 1) << @intCast(order);
}

/// Bits of the blocks [first, end) in their word.
fn mask(first: u32, end: u32) u64 {
    std.debug.assert(first < end and first / 64 == (end - 1) / 64);
    const length: u6 = @intCast(end - first - 1);
    return (~@as(u64, 0) >> (63 - length)) << @intCast(first % 64);
}
