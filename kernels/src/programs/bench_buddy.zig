//! A bench and long fuzz of the buddy allocator: `zig build bench-programs -Dlevel=baseline`, then
//!
//!   bench_buddy_baseline                        ns per operation at several sizes and occupancies
//!   bench_buddy_baseline fuzz OPERATIONS SEEDS  random operations against a plain array, spread over so many seeds
//!
//! Build the fuzz with -Doptimize=safe, so that assertions are on.

const std = @import("std");
const buddy_module = @import("../kv/buddy.zig");
const buddy_test = @import("../kv/buddy_test.zig");
const testing = @import("../testing/testing.zig");
const Buddy = buddy_module.Buddy;
const Run = buddy_module.Run;

fn nanoseconds() u64 {
    var now: std.c.timespec = undefined;
    _ = std.c.clock_gettime(.THREAD_CPUTIME_ID, &now);
    return @as(u64, @intCast(now.sec)) * 1_000_000_000 + @as(u64, @intCast(now.nsec));
}

const gpa = std.heap.c_allocator;

/// What reading the clock twice adds to what lies between.
fn clockCost() u64 {
    var least: u64 = std.math.maxInt(u64);
    for (0..1000) |_| {
        const start = nanoseconds();
        least = @min(least, nanoseconds() - start);
    }
    return least;
}

/// One sequence: what it has, in order.
const Sequence = struct { runs: [64]Run = undefined, count: u32 = 0 };

/// Sequences of 1 to 128 blocks come and go at an occupancy; times allocation of the prompt, growth by one block, and
/// release of everything, in ns per operation, until 20,000 sequences have gone.
fn bench(blocks: u32, occupancy: f64) !void {
    var buddy: Buddy = try .init(blocks);
    defer buddy.deinit();
    var rng: testing.Rng = .init(1);
    const target: u32 = @intFromFloat(occupancy * @as(f64, @floatFromInt(blocks)));
    var sequences: std.ArrayList(Sequence) = .empty;
    defer sequences.deinit(gpa);
    var spent: [3]u64 = @splat(0);
    var calls: [3]u64 = @splat(0);
    const clock_cost = clockCost();
    while (calls[2] < 20_000) {
        while (blocks - buddy.free > target and sequences.items.len > 0) {
            const index = rng.between(usize, 0, sequences.items.len - 1);
            const sequence = sequences.swapRemove(index);
            const start = nanoseconds();
            for (sequence.runs[0..sequence.count]) |run| _ = try buddy.release(run.first, run.count);
            spent[2] += nanoseconds() - start -| clock_cost;
            calls[2] += 1;
        }
        var sequence: Sequence = .{};
        const prompt = @min(rng.between(u32, 1, 128), buddy.free);
        if (prompt == 0) continue;
        var buffer: [128]Run = undefined;
        const start = nanoseconds();
        sequence.count = buddy.allocate(prompt, null, 8, &buffer) orelse unreachable;
        spent[0] += nanoseconds() - start -| clock_cost;
        calls[0] += 1;
        @memcpy(sequence.runs[0..sequence.count], buffer[0..sequence.count]);
        const grow_start = nanoseconds();
        for (0..8) |_| {
            if (buddy.free == 0 or sequence.count == sequence.runs.len) break;
            var run: [1]Run = undefined;
            const last = sequence.runs[sequence.count - 1];
            _ = buddy.allocate(1, last.end() - 1, 8, &run) orelse break;
            sequence.runs[sequence.count] = run[0];
            sequence.count += 1;
            calls[1] += 1;
        }
        spent[1] += nanoseconds() - grow_start -| clock_cost;
        try sequences.append(gpa, sequence);
    }
    var each: [3]f64 = undefined;
    for (&each, spent, calls) |*ns, total, n| ns.* = @as(f64, @floatFromInt(total)) / @as(f64, @floatFromInt(@max(n, 1)));
    std.debug.print("{d:>9} {d:>9.2} {d:>12.0} {d:>12.0} {d:>12.0}\n", .{ blocks, occupancy, each[0], each[1], each[2] });
}

pub fn main(init: std.process.Init.Minimal) !void {
    var arguments = init.args.iterate();
    _ = arguments.next();
    if (arguments.next()) |_| {
        const operations = try std.fmt.parseInt(usize, arguments.next() orelse "10000000", 10);
        const seeds = try std.fmt.parseInt(usize, arguments.next() orelse "1000", 10);
        var rng: testing.Rng = .init(0);
        for (0..seeds) |seed| {
            const limit = rng.pick(u32, &.{ 8, 64, 500, 4096, 30_000 });
            try buddy_test.fuzz(gpa, seed, rng.between(u32, 1, limit), operations / seeds);
        }
        std.debug.print("{d} operations over {d} seeds: as the plain array\n", .{ operations / seeds * seeds, seeds });
        return;
    }
    std.debug.print("   blocks  occupied  allocate ns      grow ns   release ns\n", .{});
    for ([_]u32{ 1024, 16 * 1024, 256 * 1024, 4096 * 1024 }) |blocks| {
        for ([_]f64{ 0.5, 0.9, 0.99 }) |occupancy| try bench(blocks, occupancy);
    }
}
