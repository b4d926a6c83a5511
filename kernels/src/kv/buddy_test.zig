//! The buddy allocator against a plain array of reference counts, and against planted corruption.

const std = @import("std");
const testing = @import("../testing/testing.zig");
const buddy_module = @import("buddy.zig");
const Buddy = buddy_module.Buddy;
const Fault = buddy_module.Fault;
const Run = buddy_module.Run;

const expect = std.testing.expect;
const expectEqual = std.testing.expectEqual;

/// What the allocator should hold, without any structure.
const Model = struct {
    counts: []u32,
    free: u32,
    shared: u32 = 0,
    references: u64 = 0,

    fn take(model: *Model, run: Run) !void {
        try expect(run.count > 0 and run.end() <= model.counts.len);
        for (model.counts[run.first..run.end()]) |*count| {
            try expectEqual(0, count.*); // else two owners
            count.* = 1;
        }
        model.free -= run.count;
        model.references += run.count;
    }

    fn add(model: *Model, run: Run) void {
        for (model.counts[run.first..run.end()]) |*count| {
            model.shared += @intFromBool(count.* == 1);
            count.* += 1;
        }
        model.references += run.count;
    }

    fn drop(model: *Model, run: Run) u32 {
        var freed: u32 = 0;
        for (model.counts[run.first..run.end()]) |*count| {
            count.* -= 1;
            model.shared -= @intFromBool(count.* == 1);
            freed += @intFromBool(count.* == 0);
        }
        model.free += freed;
        model.references -= run.count;
        return freed;
    }

    /// A random stretch of blocks that are all in use, or all free.
    fn stretch(model: Model, rng: *testing.Rng, in_use: bool) ?Run {
        const blocks: u32 = @intCast(model.counts.len);
        const from = rng.between(u32, 0, blocks - 1);
        const first = for (0..@min(blocks, 256)) |i| {
            const block = (from + i) % blocks;
            if ((model.counts[block] != 0) == in_use) break block;
        } else return null;
        const length_max = rng.pick(u32, &.{ 1, 4, 64, 4096 });
        var end = first;
        while (end < blocks and end - first < length_max and (model.counts[end] != 0) == in_use) end += 1;
        return .{ .first = @intCast(first), .count = @intCast(end - first) };
    }
};

/// Runs random operations on a region and on its model; at the end everything is released and must be as at the start.
pub fn fuzz(gpa: std.mem.Allocator, seed: u64, blocks: u32, operations: usize) !void {
    var rng: testing.Rng = .init(seed);
    var buddy: Buddy = try .init(blocks);
    defer buddy.deinit();
    const fresh = buddy.stats();
    const counts = try gpa.alloc(u32, blocks);
    defer gpa.free(counts);
    @memset(counts, 0);
    var model: Model = .{ .counts = counts, .free = blocks };
    const runs = try gpa.alloc(Run, blocks);
    defer gpa.free(runs);
    // Sometimes mostly full, sometimes mostly empty.
    var pressure: u32 = 50;
    for (0..operations) |i| {
        if (i % 512 == 0) pressure = rng.between(u32, 20, 80);
        try step(&buddy, &model, &rng, pressure, runs);
        try expectEqual(model.free, buddy.free);
        try expectEqual(model.shared, buddy.shared);
        try expectEqual(model.references, buddy.references);
        if (i % 2048 == 0) try expectEqual(.none, buddy.verify());
    }
    try releaseAll(&buddy, &model);
    try expectEqual(.none, buddy.verify());
    while (buddy.takeIdle(1, blocks)) |_| {}
    try expectEqual(fresh, buddy.stats());
}

fn step(buddy: *Buddy, model: *Model, rng: *testing.Rng, pressure: u32, runs: []Run) !void {
    if (rng.between(u32, 0, 99) >= pressure) {
        const run = model.stretch(rng, true) orelse return;
        if (rng.between(u32, 0, 3) == 0) {
            model.add(run);
            return buddy.share(run.first, run.count);
        }
        return expectEqual(model.drop(run), try buddy.release(run.first, run.count));
    }
    switch (rng.between(u32, 0, 9)) {
        0...1 => {
            const free = model.stretch(rng, false) orelse return;
            const longer: Run = .{ .first = free.first, .count = free.count + rng.between(u32, 0, 1) };
            const all_free = longer.end() <= buddy.blocks and
                std.mem.findNone(u32, model.counts[longer.first..longer.end()], &.{0}) == null;
            try expectEqual(all_free, buddy.allocAt(longer.first, longer.count));
            if (all_free) try model.take(longer);
        },
        2 => try takeIdle(buddy, model, rng.pick(u32, &.{ 1, 3, 64, 1000 }), rng.pick(u32, &.{ 1, 64, 0xFFFF_FFFF })),
        else => {
            const count = @min(buddy.blocks, rng.pick(u32, &.{ 1, 1, 1, 2, 5, 17, 100, 1000 }));
            const used = model.stretch(rng, true);
            const after = if (used) |run| run.end() - 1 else null;
            try allocate(buddy, model, count, after, rng.pick(u32, &.{ 0, 1, 16, 500 }), runs);
        },
    }
}

fn allocate(buddy: *Buddy, model: *Model, count: u32, after: ?u32, room: u32, runs: []Run) !void {
    const next_free = if (after) |block| block + 1 < buddy.blocks and model.counts[block + 1] == 0 else false;
    const written = buddy.allocate(count, after, room, runs[0..count]) orelse return expect(count > model.free);
    if (next_free) try expectEqual(after.? + 1, runs[0].first);
    var total: u32 = 0;
    for (runs[0..written], 0..) |run, i| {
        if (i > 0) try expect(run.first != runs[i - 1].end());
        try model.take(run);
        total += run.count;
    }
    try expectEqual(count, total);
}

fn takeIdle(buddy: *Buddy, model: *Model, blocks_min: u32, limit: u32) !void {
    const idle = buddy.idle;
    const run = buddy.takeIdle(blocks_min, limit) orelse return;
    try expect(run.count >= @min(blocks_min, limit) and run.count <= limit and buddy.idle < idle);
    for (model.counts[run.first..run.end()]) |count| try expectEqual(0, count);
}

fn releaseAll(buddy: *Buddy, model: *Model) !void {
    for (model.counts, 0..) |count, block| {
        for (0..count) |_| {
            const run: Run = .{ .first = @intCast(block), .count = 1 };
            try expectEqual(model.drop(run), try buddy.release(run.first, 1));
        }
    }
}

test "Buddy agrees with a plain array over random operations" {
    for ([_]u32{ 1, 2, 3, 63, 64, 100, 1000, 4096, 5461, 20_000 }, 0..) |blocks, seed| {
        try fuzz(std.testing.allocator, seed, blocks, 10_000);
    }
}

test "Buddy.allocate() leaves the rest of a run free behind the sequence" {
    var buddy: Buddy = try .init(256);
    defer buddy.deinit();
    var runs: [256]Run = undefined;
    try expectEqual(1, buddy.allocate(100, null, 0, &runs));
    try expectEqual(Run{ .first = 0, .count = 100 }, runs[0]);
    // 28 blocks are left behind it; a sequence that wants room goes elsewhere, one that needs little takes their end.
    try expectEqual(1, buddy.allocate(20, null, 20, &runs));
    try expectEqual(128, runs[0].first);
    try expectEqual(1, buddy.allocate(9, null, 3, &runs));
    try expectEqual(112, runs[0].first);
    try expectEqual(1, buddy.allocate(1, 99, 0, &runs));
    try expectEqual(100, runs[0].first);
    try expectEqual(null, buddy.allocate(127, null, 0, &runs));
    try expectEqual(126, buddy.free);
}

test "Buddy.allocate() uses few runs when none is long enough" {
    var buddy: Buddy = try .init(64);
    defer buddy.deinit();
    var runs: [64]Run = undefined;
    try expect(buddy.allocAt(20, 4));
    try expect(buddy.allocAt(48, 1));
    // The stretches [0, 20) and [24, 48) consist of buddies of two sizes each.
    try expectEqual(2, buddy.allocate(40, null, 0, &runs));
    try expectEqual(Run{ .first = 0, .count = 20 }, runs[0]);
    try expectEqual(Run{ .first = 24, .count = 20 }, runs[1]);
    try expectEqual(.none, buddy.verify());
}

test "Buddy refuses blocks outside the region or not in use" {
    var buddy: Buddy = try .init(10);
    defer buddy.deinit();
    try expect(!buddy.allocAt(8, 3));
    try expect(!buddy.allocAt(0xFFFF_FFFF, 2));
    try expect(buddy.allocAt(2, 4));
    try expect(!buddy.allocAt(5, 2));
    for ([_]Run{ .{ .first = 1, .count = 2 }, .{ .first = 5, .count = 2 }, .{ .first = 9, .count = 2 }, .{ .first = 3, .count = 0xFFFF_FFFF } }) |run| {
        try std.testing.expectError(error.InvalidArgument, buddy.release(run.first, run.count));
        try std.testing.expectError(error.InvalidArgument, buddy.share(run.first, run.count));
    }
    try expectEqual(6, buddy.free);
    try expectEqual(.none, buddy.verify());
    try std.testing.expectError(error.InvalidArgument, Buddy.init(0));
    try std.testing.expectError(error.InvalidArgument, Buddy.init(buddy_module.blocks_max + 1));
}

test "Buddy.stats() finds the longest free stretch across buddies" {
    var rng: testing.Rng = .init(5);
    for (0..300) |_| {
        const blocks = rng.between(u32, 1, 300);
        var buddy: Buddy = try .init(blocks);
        defer buddy.deinit();
        for (0..rng.between(u32, 0, 12)) |_| _ = buddy.allocAt(rng.between(u32, 0, blocks - 1), 1);
        var longest: u32 = 0;
        var length: u32 = 0;
        for (buddy.counts) |count| {
            length = if (count == 0) length + 1 else 0;
            longest = @max(longest, length);
        }
        try expectEqual(longest, buddy.stats().largest_free);
    }
}

/// A region with blocks free, in use and shared.
fn example() !Buddy {
    var buddy: Buddy = try .init(100);
    var runs: [60]Run = undefined;
    _ = buddy.allocate(60, null, 0, &runs);
    _ = try buddy.release(10, 20);
    try buddy.share(0, 5);
    std.debug.assert(buddy.verify() == .none);
    return buddy;
}

const Plant = struct {
    fault: Fault,
    plant: *const fn (buddy: *Buddy) void,
};

const plants = [_]Plant{
    .{
        .fault = .free_run_in_use,
        .plant = struct {
            fn plant(buddy: *Buddy) void {
                buddy.counts[13] = 1; // inside the free run [12, 16)
            }
        }.plant,
    },
    .{ .fault = .lost_block, .plant = struct {
        fn plant(buddy: *Buddy) void {
            buddy.counts[40] = 0;
        }
    }.plant },
    .{
        .fault = .lost_block,
        .plant = struct {
            fn plant(buddy: *Buddy) void {
                buddy.sets[1].remove(5); // [10, 12)
            }
        }.plant,
    },
    .{
        .fault = .overlap,
        .plant = struct {
            fn plant(buddy: *Buddy) void {
                buddy.sets[0].insert(18); // inside [16, 24)
            }
        }.plant,
    },
    .{
        .fault = .overlap,
        .plant = struct {
            fn plant(buddy: *Buddy) void {
                buddy.sets[0].insert(41); // in use
            }
        }.plant,
    },
    .{ .fault = .not_united, .plant = struct {
        fn plant(buddy: *Buddy) void {
            buddy.sets[2].remove(3);
            buddy.sets[1].insert(6);
            buddy.sets[1].insert(7);
        }
    }.plant },
    .{ .fault = .broken_set, .plant = struct {
        fn plant(buddy: *Buddy) void {
            buddy.sets[0].levels[1][0] ^= 1;
        }
    }.plant },
    .{ .fault = .run_count, .plant = struct {
        fn plant(buddy: *Buddy) void {
            buddy.free_runs[1] += 1;
        }
    }.plant },
    .{ .fault = .run_count, .plant = struct {
        fn plant(buddy: *Buddy) void {
            buddy.orders_present ^= 1 << 20;
        }
    }.plant },
    .{ .fault = .free_count, .plant = struct {
        fn plant(buddy: *Buddy) void {
            buddy.free -= 1;
        }
    }.plant },
    .{ .fault = .shared_count, .plant = struct {
        fn plant(buddy: *Buddy) void {
            buddy.counts[7] = 2;
        }
    }.plant },
    .{ .fault = .reference_count, .plant = struct {
        fn plant(buddy: *Buddy) void {
            buddy.counts[2] += 1;
        }
    }.plant },
    .{ .fault = .touched, .plant = struct {
        fn plant(buddy: *Buddy) void {
            buddy.touched[0] ^= 1 << 50;
        }
    }.plant },
    .{ .fault = .touched, .plant = struct {
        fn plant(buddy: *Buddy) void {
            buddy.idle += 1;
        }
    }.plant },
};

test "Buddy.verify() names every planted fault" {
    for (plants) |plant| {
        var buddy = try example();
        defer buddy.deinit();
        plant.plant(&buddy);
        try expectEqual(plant.fault, buddy.verify());
    }
}

test "Buddy.verify() notices any single wrong count, bit or word" {
    var rng: testing.Rng = .init(8);
    for (0..2000) |_| {
        var buddy = try example();
        defer buddy.deinit();
        const words: [*]u64 = @ptrCast(@alignCast(buddy.block.bytes.ptr));
        const counts_at = (@intFromPtr(buddy.counts.ptr) - @intFromPtr(words)) / @sizeOf(u64);
        if (rng.between(u32, 0, 1) == 0) {
            buddy.counts[rng.between(u32, 0, 99)] +%= rng.pick(u32, &.{ 1, 0xFFFF_FFFF });
        } else {
            words[rng.between(usize, 0, counts_at - 1)] ^= @as(u64, 1) << rng.between(u6, 0, 63);
        }
        try expect(buddy.verify() != .none);
    }
}
