//! A bench of attention on one thread, in the shapes of Llama 3.2 1B and, for latent attention, of DeepSeek V2 Lite:
//! `zig build bench-programs -Dlevel=NAME`, then `bench_attention_NAME [format] [decode|prefill] [llama|wide|latent|expanded]`.
//! Thread CPU time of the fastest of many layers. Passes walk the caches of 16 layers, more than a processor keeps; GB/s counts
//! K and V bytes, GMAC/s both products.

const std = @import("std");
const arena_file = @import("../kv/arena.zig");
const attention = @import("../ops/attention/attention.zig");
const items = @import("../ops/attention/items.zig");
const batch = @import("../kv/batch.zig");
const measure = @import("../ops/measure.zig");
const Job = @import("../system/job.zig").Job;
const testing = @import("../testing/testing.zig");

const layers = 16;
const tokens_max = 512;

const Shape = struct {
    name: []const u8,
    heads: u32,
    slots: u32,
    layer: arena_file.LayerShape,

    fn takes(shape: Shape, format: arena_file.Format) bool {
        return shape.layer.values == @backingInt(arena_file.Values.own) or !format.hasScales();
    }
};

const shapes = [_]Shape{
    .{ .name = "llama", .heads = 32, .slots = 16384, .layer = .{ .kv_heads = 8, .key_dim = 64, .value_dim = 64 } },
    // As of Llama 3.1 8B.
    .{ .name = "wide", .heads = 32, .slots = 8192, .layer = .{ .kv_heads = 8, .key_dim = 128, .value_dim = 128 } },
    .{
        .name = "latent",
        .heads = 16,
        .slots = 4096,
        .layer = .{ .kv_heads = 1, .key_dim = 576, .value_dim = 512, .values = @backingInt(arena_file.Values.in_keys) },
    },
    // The same with keys and values of each head.
    .{ .name = "expanded", .heads = 16, .slots = 4096, .layer = .{ .kv_heads = 16, .key_dim = 192, .value_dim = 128 } },
};

/// Time this thread has had a CPU, so that a busy machine disturbs less.
fn seconds() f64 {
    var now: std.c.timespec = undefined;
    _ = std.c.clock_gettime(.THREAD_CPUTIME_ID, &now);
    return @as(f64, @floatFromInt(now.sec)) + 1e-9 * @as(f64, @floatFromInt(now.nsec));
}

fn runOnce(args: *const measure.Args) void {
    testing.runParts(measure.run, args, 1);
}

/// Best of all variants of a yardstick: bytes or multiply-adds per nanosecond of one thread.
fn peak(what: measure.What, memory: []const u8) f64 {
    var best: f64 = 0;
    for (0..measure.variants(what)) |variant| for (0..5) |_| {
        var results: [1]measure.Result = .{.{}};
        const args: measure.Args = .{
            .spans = &.{.{ .first = memory.ptr, .len = memory.len }},
            .unit_first = &.{ 0, @intCast((memory.len + measure.unit_bytes - 1) / measure.unit_bytes) },
            .span_count = 1,
            .results = &results,
            .what = @backingInt(what),
            .variant = @intCast(variant),
            .rounds = if (what == .read_bandwidth) 1 else 500,
        };
        const start = seconds();
        runOnce(&args);
        best = @max(best, 1e-9 * @as(f64, @floatFromInt(results[0].work)) / (seconds() - start));
        std.mem.doNotOptimizeAway(&results);
    };
    return best;
}

const Bench = struct {
    shape: Shape,
    cache: arena_file.Arena,
    q: []f32,
    out: []f32,

    /// Seconds of the fastest layer.
    fn time(bench: Bench, tokens: u32, depth: u32, passes: usize) f64 {
        const extent: batch.Extent = .{ .slot_first = 0, .token_count = depth + tokens };
        const seq: batch.Seq = .{ .token_first = 0, .token_count = tokens, .position_first = depth, .extent_first = 0, .extent_count = 1 };
        var best: f64 = 1e9;
        for (0..passes) |_| {
            for (0..layers) |layer| {
                const start = seconds();
                var args: attention.Args = .{
                    .q = bench.q.ptr,
                    .out = bench.out.ptr,
                    .seqs = (&seq)[0..1].ptr,
                    .extents = (&extent)[0..1].ptr,
                    .view = bench.cache.layer(@intCast(layer)),
                    .n_seqs = 1,
                    .heads = bench.shape.heads,
                    .scale = 0.125,
                };
                args.split.rows = items.rowsPerItem(args.work(), 1);
                if (bench.cache.format == .q8_0) testing.runParts(attention.runIntegers, &args, 1) else testing.runParts(attention.run, &args, 1);
                best = @min(best, seconds() - start);
            }
        }
        return best;
    }

    fn report(bench: Bench, name: []const u8, tokens: u32, depth: u32) void {
        const best = bench.time(tokens, depth, @max(2, 60_000 / (depth + 512) / tokens));
        var positions: f64 = 0;
        for (0..tokens) |t| positions += @floatFromInt(depth + t + 1);
        const shape = bench.shape;
        const macs = positions * @as(f64, @floatFromInt(shape.heads * (shape.layer.key_dim + shape.layer.value_dim)));
        const bytes = @as(f64, @floatFromInt(bench.cache.bytes_per_token / layers)) * @as(f64, @floatFromInt(depth + tokens));
        std.debug.print("{s:6} {t:5} {s:8} {d:4} tokens at {d:6}  {d:7.2} GB/s  {d:7.2} GMAC/s  {d:8.1} µs a layer\n", .{
            shape.name, bench.cache.format, name, tokens, depth, bytes / best * 1e-9, macs / best * 1e-9, best * 1e6,
        });
    }
};

/// Some hundred tokens at a time over all layers and heads, as prefill does: their pages are neighbours in memory, others
/// are not, and that costs address translations.
fn fill(cache: arena_file.Arena, shape: Shape, rng: *testing.Rng) void {
    for (0..shape.slots / tokens_max) |step| {
        for (0..layers) |layer| {
            const view = cache.layer(@intCast(layer));
            for (0..view.kv_heads) |head| {
                fillStep(view.format, view.k, head * view.keyHeadBytes(), view.keyBlockBytes(), step, rng);
                fillStep(view.format, view.v, head * view.valueHeadBytes(), view.valueBlockBytes(), step, rng);
            }
        }
    }
}

fn fillStep(format: arena_file.Format, base: [*]u8, head: usize, block_bytes: usize, step: usize, rng: *testing.Rng) void {
    const step_bytes = block_bytes * (tokens_max / arena_file.block_tokens);
    const bytes = base[head + step * step_bytes ..][0..step_bytes];
    // Any bytes will do as long as no f16 or bf16 among them is huge.
    const words: []u64 = @alignCast(std.mem.bytesAsSlice(u64, bytes));
    for (words) |*word| word.* = rng.random().int(u64) & 0xbf3fbf3fbf3fbf3f;
    // Of f32 and bf16 none may be so small that products are denormal, which takes some processors thirty times as long.
    const least: u64 = switch (format) {
        .f32 => 0x30000000_30000000,
        .bf16 => 0x3000_3000_3000_3000,
        .f16, .q8_0 => 0,
    };
    for (words) |*word| word.* |= least;
}

fn benchShape(gpa: std.mem.Allocator, shape: Shape, format: arena_file.Format, kind: []const u8) !void {
    const q = try gpa.alloc(f32, tokens_max * shape.heads * shape.layer.key_dim);
    defer gpa.free(q);
    const out = try gpa.alloc(f32, tokens_max * shape.heads * shape.layer.value_dim);
    defer gpa.free(out);
    var rng: testing.Rng = .init(1);
    rng.fill(q, 2);
    const all: [layers]arena_file.LayerShape = @splat(shape.layer);
    var cache: arena_file.Arena = try .init(.{ .layers = &all, .slots = shape.slots, .format = format });
    defer cache.deinit();
    fill(cache, shape, &rng);
    std.debug.print("read {d:.2} GB/s, f32 {d:.2} GMAC/s, int8 {d:.2} GMAC/s\n", .{
        peak(.read_bandwidth, cache.memory),
        peak(.float_peak, cache.memory),
        peak(.int8_peak, cache.memory),
    });
    const bench: Bench = .{ .shape = shape, .cache = cache, .q = q, .out = out };
    if (!std.mem.eql(u8, kind, "prefill")) {
        for ([_]u32{ 1024, 4096, 16384 }) |depth| if (depth <= shape.slots) bench.report("decode", 1, depth - 1);
    }
    if (std.mem.eql(u8, kind, "decode")) return;
    bench.report("prefill", tokens_max, 0);
    bench.report("prefill", 256, 768);
    for ([_]u32{ 512, 2048, 8192 }) |depth| if (depth < shape.slots) bench.report("prefill", 48, depth);
}

pub fn main(init: std.process.Init) !void {
    const arguments = try init.minimal.args.toSlice(init.arena.allocator());
    const wanted = if (arguments.len > 1) std.meta.stringToEnum(arena_file.Format, arguments[1]) else null;
    const kind = if (arguments.len > 2) arguments[2] else "";
    const name = if (arguments.len > 3) arguments[3] else "llama";
    for (std.enums.values(arena_file.Format)) |format| {
        if (wanted != null and wanted != format) continue;
        for (shapes) |shape| {
            if (std.mem.eql(u8, name, shape.name) and shape.takes(format)) try benchShape(std.heap.page_allocator, shape, format, kind);
        }
    }
}
