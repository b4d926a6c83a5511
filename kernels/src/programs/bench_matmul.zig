//! A bench of the matmul on one thread: `zig build bench-programs -Dlevel=NAME`, then `bench_matmul_NAME [format] [columns…]`.
//! Random weights of [8192, 2048] matrices, 512 MB of them for one column, best of several passes. GB/s counts packed
//! weight bytes; GMAC/s counts rows · k · columns.

const std = @import("std");
const Job = @import("../system/job.zig").Job;
const activations = @import("../quant/activations.zig");
const format_file = @import("../quant/format.zig");
const Format = format_file.Format;
const matmul = @import("../ops/matmul/matmul.zig");
const testing = @import("../testing/testing.zig");

const rows = 8192;
const k = 2048;

/// Time this thread has had a CPU, so that a busy machine disturbs less.
fn seconds() f64 {
    var now: std.c.timespec = undefined;
    _ = std.c.clock_gettime(.THREAD_CPUTIME_ID, &now);
    return @as(f64, @floatFromInt(now.sec)) + 1e-9 * @as(f64, @floatFromInt(now.nsec));
}

/// Cycles per second by a chain of dependent additions.
fn clockHz() f64 {
    var best: f64 = 0;
    for (0..20) |_| {
        const start = seconds();
        var x: u64 = 1;
        for (0..200_000) |_| x = asm ("imulq %[y], %[o]"
            : [o] "=r" (-> u64),
            : [y] "r" (x),
              [i] "0" (x),
        );
        best = @max(best, 3 * 200_000 / (seconds() - start));
    }
    return best;
}

fn readBandwidth(bytes: []const u8) f64 {
    var best: f64 = 0;
    for (0..5) |_| {
        var sums: [8]@Vector(32, u8) = @splat(@splat(0));
        const start = seconds();
        var i: usize = 0;
        while (i + 256 <= bytes.len) : (i += 256) {
            @prefetch(bytes.ptr + i + 4096, .{});
            @prefetch(bytes.ptr + i + 4096 + 64, .{});
            @prefetch(bytes.ptr + i + 4096 + 128, .{});
            @prefetch(bytes.ptr + i + 4096 + 192, .{});
            inline for (&sums, 0..) |*sum, j| sum.* ^= bytes[i + 32 * j ..][0..32].*;
        }
        best = @max(best, @as(f64, @floatFromInt(bytes.len)) / (seconds() - start));
        std.mem.doNotOptimizeAway(&sums);
    }
    return best;
}

fn bench(format: Format, columns: u32, weights: []u8, x: []f32, q: []u8, y: []f32) void {
    const packed_bytes = format.packedBytes(rows, k);
    const matrices = weights.len / packed_bytes;
    const kind = format.activationKind();
    if (kind) |activation| {
        const bytes = activations.columnBytes(activation, k);
        for (0..columns) |c| activations.quantizeColumn(activation, x[c * k ..][0..k], q[c * bytes ..][0..bytes]);
    }
    var best: f64 = 1e9;
    const passes: usize = if (columns == 1) 12 else 30;
    for (0..passes) |pass| {
        const count = if (columns == 1) matrices else 1;
        const start = seconds();
        for (0..count) |m| {
            const item: matmul.Item = .{
                .weights = weights[(m + pass) % matrices * packed_bytes ..].ptr,
                .x = if (kind == null) @ptrCast(x.ptr) else @ptrCast(q.ptr),
                .bias = null,
                .y = y.ptr,
                .format = @backingInt(format),
                .rows = rows,
                .k = k,
                .columns = columns,
                .y_stride = rows,
                .accumulate = 0,
            };
            testing.runParts(matmul.run, &matmul.Group.of(&.{item}), 1);
        }
        best = @min(best, (seconds() - start) / @as(f64, @floatFromInt(count)));
    }
    const macs = @as(f64, rows) * k * @as(f64, @floatFromInt(columns));
    std.debug.print("{t:5} columns {d:4}  {d:7.2} GB/s  {d:7.2} GMAC/s\n", .{
        format, columns, @as(f64, @floatFromInt(packed_bytes)) / best * 1e-9, macs / best * 1e-9,
    });
}

pub fn main(init: std.process.Init) !void {
    const arguments = try init.minimal.args.toSlice(init.arena.allocator());
    const block: @import("../system/memory.zig").Block = try .init(512 << 20);
    const weights = block.bytes;
    const x = try std.heap.page_allocator.alloc(f32, 512 * k);
    const q = try std.heap.page_allocator.alignedAlloc(u8, .@"64", 512 * 4096);
    const y = try std.heap.page_allocator.alloc(f32, 512 * rows);
    var rng: testing.Rng = .init(1);
    rng.fill(x, 1);
    // Scales that are finite and normal as f16 and as bf16: products of denormal f32 take a hundred cycles.
    const words: []u64 = @alignCast(std.mem.bytesAsSlice(u64, weights));
    for (words) |*word| word.* = rng.random().int(u64) & 0x1f1f1f1f1f1f1f1f | 0x2020202020202020;
    std.debug.print("clock {d:.2} GHz, read {d:.2} GB/s\n", .{ clockHz() * 1e-9, readBandwidth(weights) * 1e-9 });
    const wanted = if (arguments.len > 1) std.meta.stringToEnum(Format, arguments[1]) else null;
    for (std.enums.values(Format)) |format| {
        if (wanted != null and wanted != format) continue;
        if (arguments.len > 2) {
            for (arguments[2..]) |text| bench(format, try std.fmt.parseInt(u32, text, 10), weights, x, q, y);
        } else {
            for ([_]u32{ 1, 2, 4, 16, 64, 256 }) |columns| bench(format, columns, weights, x, q, y);
        }
    }
    std.debug.print("clock {d:.2} GHz, read {d:.2} GB/s\n", .{ clockHz() * 1e-9, readBandwidth(weights) * 1e-9 });
}
