//! What the machine can do at best, measured with the same threads and the same level as the ops: the yardstick that
//! benchmarks report a fraction of. Members claim their work as the ops' members do, so a member that the system puts aside
//! holds up neither.

const std = @import("std");
const amx = @import("../isa/amx.zig");
const simd = @import("../isa/simd.zig");
const Job = @import("../system/job.zig").Job;

pub const What = enum(u32) {
    /// Bytes read per nanosecond (GB/s) from given memory, such as a model's matrices.
    read_bandwidth = 0,
    /// f32 multiply-adds per nanosecond (GMAC/s) in registers.
    float_peak = 1,
    /// int8 multiply-adds per nanosecond (GMAC/s) in registers, with the instructions that the matmuls use.
    int8_peak = 2,
    /// Multiply-adds of bf16 weights per nanosecond (GMAC/s) in registers, with the instructions that their matmul uses.
    bf16_peak = 3,
};

/// What a member did in a pass. One that came late has done nothing.
pub const Result = extern struct {
    /// Bytes read or multiply-adds: the level's register widths decide, so only the level knows.
    work: u64 = 0,
    /// Something computed, so that no work can be left out.
    sink: u32 = 0,
};

/// Memory to read, from a cache line's start.
pub const Span = extern struct { first: [*]const u8, len: usize };

/// One pass over the work of one variant; the caller takes the time.
pub const Args = extern struct {
    /// read_bandwidth: what to read, in this order.
    spans: [*]const Span,
    /// read_bandwidth: the first unit of each span, and behind the last the number of units in all.
    unit_first: [*]const u32,
    span_count: u32,
    what: u32,
    variant: u32,
    /// read_bandwidth: how often to read all of it. Peaks: how many portions of `portion_rounds` to compute.
    rounds: u32,
    /// One per member, zeroed.
    results: [*]Result,
};

/// Bytes of memory that a member reads with one claim: as many as a matmul's claims have, or so.
pub const unit_bytes = 128 * 1024;
/// Rounds of the inner loop that a member computes with one claim.
const portion_rounds = 2000;

pub fn variants(what: What) u32 {
    return switch (what) {
        .read_bandwidth => reads.len,
        .float_peak => f32_chains.len,
        .int8_peak => int8_tiles.len + tile_variants,
        .bf16_peak => if (simd.has_bf16_dot or simd.has_tiles) bf16_chains.len + tile_variants else f32_chains.len,
    };
}

/// Streams that each member reads at once within a unit, and how far ahead it prefetches, in bytes (0: not at all).
const Read = struct {
    streams: usize,
    ahead: usize = 0,
    /// Prefetches past the caches.
    passing: bool = false,
};
/// Which is fastest depends on the machine and on where the memory is cached.
const reads = [_]Read{
    .{ .streams = 1 },
    .{ .streams = 1, .ahead = 1024, .passing = true },
    .{ .streams = 1, .ahead = 4096 },
    .{ .streams = 2, .ahead = 2048 },
    .{ .streams = 4 },
    .{ .streams = 4, .ahead = 1024 },
    .{ .streams = 4, .ahead = 1024, .passing = true },
    .{ .streams = 8 },
};
/// Independent accumulators: enough to hide the latency, few enough for the registers.
const f32_chains = [_]usize{ 4, 5, 6, 7, 12 };
const bf16_chains = [_]usize{ 4, 8, 12, 16 };
/// Registers of weights × columns, and how many products share one join of int16 sums to int32.
const Tile = struct {
    weights: usize,
    columns: usize,
    shared: usize,

    fn products(tile: Tile) u64 {
        return tile.weights * tile.columns * tile.shared;
    }
};
const int8_tiles = [_]Tile{
    .{ .weights = 2, .columns = 2, .shared = 1 },
    .{ .weights = 4, .columns = 2, .shared = 1 },
    .{ .weights = 3, .columns = 3, .shared = 1 },
    .{ .weights = 2, .columns = 2, .shared = 8 },
    .{ .weights = 2, .columns = 3, .shared = 8 },
    .{ .weights = 2, .columns = 6, .shared = 2 },
};
/// Variants with tile registers, behind the others.
const tile_variants = if (simd.has_tiles) 1 else 0;

/// As `variants`, from outside of the level; 0 for what is not in `What`.
pub fn variantCount(what: u32) callconv(.c) u32 {
    return variants(std.enums.fromInt(What, what) orelse return 0);
}

pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    args.results[job.part] = switch (args.what) {
        0 => switch (args.variant) {
            inline 0...reads.len - 1 => |i| readAll(reads[i], args, job),
            else => .{},
        },
        1 => floats(args, job),
        2 => switch (args.variant) {
            inline 0...int8_tiles.len - 1 => |i| portions(
                int8_tiles[i].products() * simd.row_lanes * 4,
                MultiplyInt8(int8_tiles[i]),
                args,
                job,
            ),
            else => tiles(.signed, args, job),
        },
        else => if (!simd.has_bf16_dot and !simd.has_tiles) floats(args, job) else switch (args.variant) {
            inline 0...bf16_chains.len - 1 => |i| portions(bf16_chains[i] * simd.lanes * 2, MultiplyBf16(bf16_chains[i]), args, job),
            else => tiles(.bf16, args, job),
        },
    };
}

const Line = @Vector(16, u32);
const line_bytes = 64;

fn readAll(comptime read: Read, args: *const Args, job: *const Job) Result {
    const units = args.unit_first[args.span_count];
    var result: Result = .{};
    while (job.claim(units * args.rounds, 1)) |claim| {
        const unit = claim.first % units;
        const index = spanOf(args, unit);
        const offset = @as(usize, unit - args.unit_first[index]) * unit_bytes;
        const span = args.spans[index];
        const lines = @min(unit_bytes, span.len - offset) / line_bytes / read.streams * read.streams;
        result.sink ^= readLines(read, span.first + offset, lines);
        result.work += lines * line_bytes;
    }
    return result;
}

/// The span that has a unit: the last one that begins at or before it.
fn spanOf(args: *const Args, unit: u32) usize {
    var low: usize = 0;
    var high: usize = args.span_count;
    while (high - low > 1) {
        const middle = low + (high - low) / 2;
        if (args.unit_first[middle] <= unit) low = middle else high = middle;
    }
    return low;
}

fn readLines(comptime read: Read, first: [*]const u8, lines: usize) u32 {
    const stream_bytes = lines / read.streams * line_bytes;
    var sums: [read.streams]Line = @splat(@splat(0));
    var offset: usize = 0;
    while (offset < stream_bytes) : (offset += line_bytes) {
        inline for (0..read.streams) |s| {
            const at = first + s * stream_bytes + offset;
            if (read.ahead > 0) @prefetch(at + read.ahead, .{ .rw = .read, .locality = if (read.passing) 0 else 3 });
            const line: *const Line = @ptrCast(@alignCast(at));
            sums[s] ^= line.*;
        }
    }
    var sum: Line = @splat(0);
    for (sums) |part| sum ^= part;
    return @reduce(.Xor, sum);
}

/// Claims and computes portions of `Multiply`, each round of which has so many multiply-adds.
fn portions(macs: u64, comptime Multiply: type, args: *const Args, job: *const Job) Result {
    var result: Result = .{};
    while (job.claim(args.rounds, 1)) |claim| {
        // Values that only the run time knows: nothing can be computed beforehand.
        result.sink +%= Multiply.rounds(portion_rounds, claim.first % 7 + 1);
        result.work += macs * portion_rounds;
    }
    return result;
}

fn floats(args: *const Args, job: *const Job) Result {
    return switch (args.variant) {
        inline 0...f32_chains.len - 1 => |i| portions(f32_chains[i] * simd.lanes, MultiplyF32(f32_chains[i]), args, job),
        else => .{},
    };
}

fn MultiplyF32(comptime chains: usize) type {
    return struct {
        fn rounds(count: u32, number: u32) u32 {
            // Values that never settle.
            const seed: f32 = @floatFromInt(number);
            const a = simd.splat(1.0 - 0x1p-12 * seed);
            const b = simd.splat(0x1p-9 * seed);
            var sums: [chains]simd.F32x16 = undefined;
            for (&sums, 0..) |*sum, i| sum.* = simd.splat(@as(f32, @floatFromInt(i)) * seed);
            for (0..count) |_| {
                inline for (&sums) |*sum| sum.* = simd.fma(sum.*, a, b);
            }
            var total = simd.splat(0);
            for (sums) |sum| total += sum;
            return @bitCast(simd.reduceAdd(total));
        }
    };
}

/// Dot products of pairs. Where the level has none, it computes what its model does: slow, and for no variant in use.
fn MultiplyBf16(comptime chains: usize) type {
    return struct {
        fn rounds(count: u32, number: u32) u32 {
            var sums: [chains]simd.F32x16 = undefined;
            // Equal ones would be computed once.
            for (&sums, 0..) |*sum, i| sum.* = simd.splat(@floatFromInt(i));
            // Small numbers, different ones in each half of a pair and in each chain.
            const x: simd.PairsBf16 = @splat(0x3c00_3d00 + number * 0x0001_0002);
            var w: simd.PairsBf16 = @splat(0x3e00_bd80);
            for (0..count) |_| {
                inline for (&sums) |*sum| sum.* = simd.dotBf16(sum.*, w, x);
                w ^= @splat(0x8000_8000);
            }
            var total = simd.splat(0);
            for (sums, 1..) |sum, i| total += sum * simd.splat(@floatFromInt(i));
            return 1 +% @as(u32, @bitCast(simd.reduceAdd(total)));
        }
    };
}

const is_joined = simd.Partial == simd.RowI32;

fn MultiplyInt8(comptime tile: Tile) type {
    return struct {
        fn rounds(count: u32, number: u32) u32 {
            @setEvalBranchQuota(100_000);
            // Activations come from memory and differ from round to round, as in a matmul: nothing can be taken out of the
            // loop.
            var activations: [256 + 64]i8 align(64) = undefined;
            for (&activations, 0..) |*value, i| value.* = @truncate(@as(isize, @intCast((i * 37 + number) % 255)) - 127);
            var weights: [tile.weights]simd.RowU8 = undefined;
            for (&weights, 0..) |*row, i| row.* = @splat(@truncate(1 + 3 * i));
            var sums: [tile.weights][tile.columns]simd.RowI32 = @splat(@splat(@splat(0)));
            for (0..count) |round| {
                const x = activations[round * 4 % 256 ..].ptr;
                // Where a dot product adds to int32, the sums themselves are the partial sums.
                var partial: [tile.weights][tile.columns]simd.Partial = if (is_joined) sums else @splat(@splat(@splat(0)));
                inline for (0..tile.shared) |i| {
                    inline for (0..tile.columns) |c| {
                        const column = simd.broadcast4(x + (i * tile.columns + c) * 2);
                        inline for (0..tile.weights) |w| partial[w][c] = simd.dotAdd(partial[w][c], weights[w], column);
                    }
                }
                inline for (&sums, partial) |*row, part| {
                    inline for (row, part) |*sum, value| sum.* = if (is_joined) value else sum.* +% simd.joined(value);
                }
            }
            var total: simd.RowI32 = @splat(0);
            for (sums) |row| for (row) |sum| {
                total +%= sum;
            };
            return @bitCast(@reduce(.Add, total));
        }
    };
}

/// Products of whole tiles, as deep as tiles go, from tiles that are loaded once: four sums are in flight at the same time, as
/// the matmuls have them.
fn tiles(comptime product: amx.Product, args: *const Args, job: *const Job) Result {
    if (!simd.has_tiles) return .{};
    const depth = 64;
    const element_bytes = if (product == .bf16) 2 else 1;
    const round_macs = 4 * amx.lanes * amx.lanes * depth / element_bytes;
    var own: amx.Tiles = .{};
    defer own.release();
    own.configure(.{ .columns = amx.lanes, .depth = depth });
    var operands: [amx.lanes][depth]u8 align(64) = undefined;
    for (&operands, 0..) |*row, i| {
        for (row, 0..) |*byte, j| byte.* = @truncate((i * 7 + j * 3) % 64);
    }
    inline for (4..8) |tile| amx.load(tile, @ptrCast(&operands), depth);
    inline for (0..4) |sum| amx.zero(sum);
    var result: Result = .{};
    // A product takes far longer than an instruction of vectors.
    const rounds = portion_rounds / 20;
    while (job.claim(args.rounds, 1)) |_| {
        for (0..rounds) |_| {
            inline for (0..4) |sum| amx.multiply(product, sum, 4 + sum / 2, 6 + sum % 2);
        }
        result.work += rounds * round_macs;
    }
    var out: amx.Sums align(64) = undefined;
    amx.store(3, &out);
    result.sink = @bitCast(out[1][2] +% 1);
    return result;
}

test "every variant computes something on every member" {
    const memory = try std.testing.allocator.alignedAlloc(u8, .@"64", 3 * unit_bytes);
    defer std.testing.allocator.free(memory);
    for (memory, 0..) |*byte, i| byte.* = @truncate(i * 7 + i / 256);
    const spans = [_]Span{.{ .first = memory.ptr, .len = memory.len }};
    inline for (comptime std.enums.values(What)) |what| {
        for (0..variants(what)) |variant| {
            // Each member alone, as all the work would go to the first one.
            for (0..2) |_| {
                var results: [1]Result = .{.{ .sink = 0xAAAA_AAAA }};
                const args: Args = .{
                    .spans = &spans,
                    .unit_first = &.{ 0, 3 },
                    .span_count = 1,
                    .results = &results,
                    .what = @backingInt(what),
                    .variant = @intCast(variant),
                    .rounds = 2,
                };
                @import("../testing/testing.zig").runParts(run, &args, 1);
                try std.testing.expect(results[0].sink != 0xAAAA_AAAA);
                if (what == .read_bandwidth) {
                    try std.testing.expectEqual(2 * 3 * unit_bytes, results[0].work);
                } else try std.testing.expect(results[0].work > 0);
            }
        }
    }
}

test "reading passes over every line of every span once a round" {
    const memory = try std.testing.allocator.alignedAlloc(u8, .@"64", 8 * unit_bytes);
    defer std.testing.allocator.free(memory);
    @memset(memory, 0);
    // Of a whole number of units, of less than one, of more than one; with eight streams whole lines of all streams.
    const spans = [_]Span{
        .{ .first = memory.ptr, .len = 2 * unit_bytes },
        .{ .first = memory.ptr + 2 * unit_bytes, .len = 1024 },
        .{ .first = memory.ptr + 4 * unit_bytes, .len = unit_bytes + 2048 },
    };
    const expected = 3 * unit_bytes + 1024 + 2048;
    for (0..variants(.read_bandwidth)) |variant| {
        for ([_]usize{ 0, 2 * unit_bytes - 64, 2 * unit_bytes, 2 * unit_bytes + 960, 5 * unit_bytes + 2047 }) |at| {
            memory[at] = 1;
            defer memory[at] = 0;
            var results: [1]Result = .{.{}};
            const args: Args = .{
                .spans = &spans,
                .unit_first = &.{ 0, 2, 3, 5 },
                .span_count = spans.len,
                .results = &results,
                .what = @backingInt(What.read_bandwidth),
                .variant = @intCast(variant),
                .rounds = 1,
            };
            @import("../testing/testing.zig").runParts(run, &args, 1);
            try std.testing.expectEqual(expected, results[0].work);
            // The one bit that is set is seen: an exclusive or loses none.
            try std.testing.expectEqual(1, @popCount(results[0].sink));
        }
    }
}

test "a level's peak of bf16 is that of tiles, of dot products, or of f32" {
    const expected = if (simd.has_tiles)
        bf16_chains.len + 1
    else if (simd.has_bf16_dot)
        bf16_chains.len
    else
        f32_chains.len;
    try std.testing.expectEqual(expected, variants(.bf16_peak));
    try std.testing.expectEqual(int8_tiles.len + @intFromBool(simd.has_tiles), variants(.int8_peak));
}
