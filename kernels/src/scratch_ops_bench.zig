const std = @import("std");
const attention = @import("ops/attention.zig");
const arena = @import("kv/arena.zig");
const batch = @import("kv/batch.zig");
const sample = @import("ops/sample.zig");
const swiglu = @import("ops/swiglu.zig");
const rms = @import("ops/rms_norm.zig");
const testing = @import("testing.zig");
fn now() f64 {
    var ts: std.c.timespec = undefined;
    _ = std.c.clock_gettime(.THREAD_CPUTIME_ID, &ts);
    return @as(f64, @floatFromInt(ts.sec)) + @as(f64, @floatFromInt(ts.nsec)) * 1e-9;
}
pub fn main() !void {
    const gpa = std.heap.c_allocator;
    var rng: testing.Rng = .init(1);
    inline for (.{ .{ 32, 8, 64 }, .{ 32, 8, 128 }, .{ 16, 16, 64 } , .{ 14, 2, 64 }}) |s| {
        inline for (.{ arena.Format.f16, arena.Format.f32 , arena.Format.bf16}) |format| {
            const ctx = 4096;
            const layers = 4;
            var cache: arena.Arena = try .init(.{ .layers = layers, .kv_heads = s[1], .head_dim = s[2], .slots = ctx, .format = format });
            defer cache.deinit();
            { const b = cache.memory; @memset(b, 0x31); }
            const nmax = 64;
            const q = try gpa.alloc(f32, nmax * s[0] * s[2]);
            const out = try gpa.alloc(f32, nmax * s[0] * s[2]);
            rng.fill(q, 1);
            inline for (.{ 1, nmax }) |n| {
                const seq: batch.Seq = .{ .token_first = 0, .token_count = n, .position_first = ctx - n, .extent_first = 0, .extent_count = 1 };
                const ext: batch.Extent = .{ .slot_first = 0, .token_count = ctx };
                var best: f64 = 1e9;
                for (0..if (n == 1) 12 else 3) |i| {
                    const args: attention.Args = .{ .q = q.ptr, .out = out.ptr, .seqs = @ptrCast(&seq), .extents = @ptrCast(&ext), .view = cache.layer(@intCast(i % layers)), .n_seqs = 1, .heads = s[0], .scale = 0.1 };
                    const t0 = now();
                    testing.runParts(attention.run, &args, 1);
                    best = @min(best, now() - t0);
                }
                const macs: f64 = 2.0 * n * s[0] * s[2] * ctx;
                const bytes: f64 = @floatFromInt(2 * s[1] * s[2] * ctx * format.bytes());
                std.debug.print("h{d}/{d} d{d} {s} n={d}: {d:.3} ms {d:.1} GMAC/s {d:.1} GB/s\n", .{ s[0], s[1], s[2], @tagName(format), n, best * 1e3, macs / best * 1e-9, bytes / best * 1e-9 });
            }
        }
    }
    const vocab = 128256;
    const row = try gpa.alloc(f32, vocab);
    for (0..2) |kind| {
        for (row) |*x| x.* = if (kind == 0) (rng.unit() + rng.unit() + rng.unit()) * 6 else rng.unit() * 0.1;
        const scratch = try gpa.alignedAlloc(u8, .@"64", sample.scratchBytes(vocab, 1));
        inline for (.{ .{ 0, 1, 0, 0, false, 0 }, .{ 0, 1, 0, 0, true, 0 }, .{ 1, 1, 0, 0, false, 0 }, .{ 1, 0.95, 0, 0, false, 0 }, .{ 0.7, 0.95, 0, 40, false, 0 }, .{ 1, 1, 0.05, 0, false, 0 }, .{ 1, 0.9, 0, 0, false, 20 }, .{ 1, 0.9, 0, 20000, false, 20 } }) |c| {
            var p = std.mem.zeroes(sample.Params);
            p.repeat_penalty = 1;
            p.temperature = c[0]; p.top_p = c[1]; p.min_p = c[2]; p.top_k = c[3]; p.flags.skip_logprob = c[4]; p.logprobs_n = c[5];
            var result: sample.Result = undefined;
            var best: f64 = 1e9;
            for (0..10) |i| {
                p.position = @intCast(i);
                const t0 = now();
                testing.runParts(sample.run, &sample.Args{ .logits = row.ptr, .params = @ptrCast(&p), .data = undefined, .results = @ptrCast(&result), .scratch = scratch.ptr, .vocab = vocab, .n = 1, .data_count = 0 }, 1);
                best = @min(best, now() - t0);
            }
            std.debug.print("sample kind {d} T={d} top_p={d} min_p={d} top_k={d} skip={} top={d}: {d:.3} ms\n", .{ kind, c[0], c[1], c[2], c[3], c[4], c[5], best * 1e3 });
        }
    }
    const g = try gpa.alloc(f32, 8192);
    const q256 = try gpa.alignedAlloc(u8, .@"64", 320 * 32);
    rng.fill(g, 5);
    var best: f64 = 1e9;
    var best2: f64 = 1e9;
    for (0..50) |_| {
        var t0 = now();
        testing.runParts(swiglu.run, &swiglu.Args{ .gate = g.ptr, .up = g.ptr, .y = null, .q32 = null, .q256 = q256.ptr, .k = 8192, .n = 1 }, 1);
        best = @min(best, now() - t0);
        t0 = now();
        testing.runParts(rms.run, &rms.Args{ .x = g.ptr, .w = g.ptr, .y = null, .q32 = null, .q256 = q256.ptr, .k = 2048, .n = 1, .eps = 1e-5 }, 1);
        best2 = @min(best2, now() - t0);
    }
    std.debug.print("swiglu 8192 {d:.2} us, rms 2048 {d:.2} us\n", .{ best * 1e6, best2 * 1e6 });
}
