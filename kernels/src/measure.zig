//! What the machine can do at best, measured with the same threads and the same level as the ops: the yardstick that
//! benchmarks report a fraction of.

const std = @import("std");
const simd = @import("simd.zig");
const Job = @import("job.zig").Job;

pub const What = enum(u32) {
    /// Bytes read per nanosecond (GB/s) from memory too large for caches.
    read_bandwidth = 0,
    /// f32 multiply-adds per nanosecond (GMAC/s) in registers.
    float_peak = 1,
    /// int8 multiply-adds per nanosecond (GMAC/s) in registers, with the instructions that the matmuls use.
    int8_peak = 2,
};

/// What a member did in a pass.
pub const Result = extern struct {
    /// Multiply-adds: the level's register widths decide, so only the level knows.
    macs: u64 = 0,
    /// Something computed, so that no work can be left out.
    sink: u32 = 0,
};

/// One pass over the work of one variant; the caller takes the time.
pub const Args = extern struct {
    /// read_bandwidth: the memory, a multiple of 64 · 1024 bytes.
    bytes: ?[*]const u8,
    len: u64,
    /// One per member.
    results: [*]Result,
    what: u32,
    variant: u32,
    /// float_peak, int8_peak: rounds of the inner loop.
    rounds: u32,
};

pub fn variants(what: What) u32 {
    return switch (what) {
        .read_bandwidth => reads.len,
        .float_peak => f32_chains.len,
        .int8_peak => int8_tiles.len,
    };
}

/// Streams that each member reads at once, and how far ahead it prefetches, in bytes (0: not at all).
const Read = struct { streams: usize, ahead: usize };
const reads = [_]Read{
    .{ .streams = 1, .ahead = 0 },
    .{ .streams = 1, .ahead = 1024 },
    .{ .streams = 2, .ahead = 1024 },
    .{ .streams = 4, .ahead = 0 },
    .{ .streams = 4, .ahead = 1024 },
};
/// Independent accumulators: enough to hide the latency, few enough for the registers.
const f32_chains = [_]usize{ 4, 5, 6, 7 };
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

pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    args.results[job.part] = switch (args.what) {
        0 => switch (args.variant) {
            inline 0...reads.len - 1 => |i| .{ .sink = readAll(reads[i], args, job) },
            else => .{},
        },
        1 => switch (args.variant) {
            inline 0...f32_chains.len - 1 => |i| .{
                .macs = @as(u64, args.rounds) * f32_chains[i] * simd.lanes,
                .sink = multiplyF32(f32_chains[i], args.rounds),
            },
            else => .{},
        },
        else => switch (args.variant) {
            inline 0...int8_tiles.len - 1 => |i| .{
                .macs = args.rounds * int8_tiles[i].products() * simd.row_lanes * 4,
                .sink = multiplyInt8(int8_tiles[i], args.rounds),
            },
            else => .{},
        },
    };
}

const Line = @Vector(16, u32);
const line_bytes = 64;

fn readAll(comptime read: Read, args: *const Args, job: *const Job) u32 {
    const bytes = args.bytes orelse return 0;
    const lines: usize = @intCast(args.len / line_bytes);
    const mine = lines / job.parts / read.streams * read.streams;
    const stream_bytes = mine / read.streams * line_bytes;
    const first = bytes + job.part * mine * line_bytes;
    var sums: [read.streams]Line = @splat(@splat(0));
    var offset: usize = 0;
    while (offset < stream_bytes) : (offset += line_bytes) {
        inline for (0..read.streams) |s| {
            const at = first + s * stream_bytes + offset;
            if (read.ahead > 0) @prefetch(at + read.ahead, .{ .rw = .read, .locality = 0 });
            const line: *const Line = @ptrCast(@alignCast(at));
            sums[s] ^= line.*;
        }
    }
    var sum: Line = @splat(0);
    for (sums) |part| sum ^= part;
    return @reduce(.Xor, sum);
}

fn multiplyF32(comptime chains: usize, rounds: u32) u32 {
    // Values that only the run time knows and that never settle: nothing can be computed beforehand.
    const seed: f32 = @floatFromInt(rounds % 7 + 1);
    const a = simd.splat(1.0 - 0x1p-12 * seed);
    const b = simd.splat(0x1p-9 * seed);
    var sums: [chains]simd.F32x16 = undefined;
    for (&sums, 0..) |*sum, i| sum.* = simd.splat(@as(f32, @floatFromInt(i)) * seed);
    for (0..rounds) |_| {
        inline for (&sums) |*sum| sum.* = simd.fma(sum.*, a, b);
    }
    var total = simd.splat(0);
    for (sums) |sum| total += sum;
    return @bitCast(simd.reduceAdd(total));
}

const is_joined = simd.Partial == simd.RowI32;

fn multiplyInt8(comptime tile: Tile, rounds: u32) u32 {
    @setEvalBranchQuota(100_000);
    // Activations come from memory and differ from round to round, as in a matmul: nothing can be taken out of the loop.
    var activations: [256 + 64]i8 align(64) = undefined;
    for (&activations, 0..) |*value, i| value.* = @truncate(@as(isize, @intCast(i * 37 % 255)) - 127);
    var weights: [tile.weights]simd.RowU8 = undefined;
    for (&weights, 0..) |*row, i| row.* = @splat(@truncate(1 + 3 * i));
    var sums: [tile.weights][tile.columns]simd.RowI32 = @splat(@splat(@splat(0)));
    for (0..rounds) |round| {
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

test "every variant computes something on every member" {
    const memory = try std.testing.allocator.alignedAlloc(u8, .@"64", 64 * 1024);
    defer std.testing.allocator.free(memory);
    for (memory, 0..) |*byte, i| byte.* = @truncate(i * 7 + i / 256);
    inline for (.{ What.read_bandwidth, What.float_peak, What.int8_peak }) |what| {
        for (0..variants(what)) |variant| {
            var results: [3]Result = @splat(.{ .sink = 0xAAAA_AAAA });
            const args: Args = .{
                .bytes = memory.ptr,
                .len = memory.len,
                .results = &results,
                .what = @backingInt(what),
                .variant = @intCast(variant),
                .rounds = 100,
            };
            @import("testing.zig").runParts(run, &args, 3);
            for (results) |result| {
                try std.testing.expect(result.sink != 0xAAAA_AAAA);
                try std.testing.expectEqual(what == .read_bandwidth, result.macs == 0);
            }
        }
    }
}
