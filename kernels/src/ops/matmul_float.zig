//! The float matmul's inner kernel: some columns × one or two panels, whole K, one FMA per k in one chain per output
//! element. Narrow formats are widened exactly, so all of them are f32 arithmetic.

const std = @import("std");
const simd = @import("../simd.zig");
const format_file = @import("../quant/format.zig");
const Format = format_file.Format;

/// `x[c · stride + i]`: value i of column c.
pub const Columns = struct { first: [*]const f32, stride: usize };

const prefetch_bytes = 4096;

/// C columns × P panels, `panel_bytes` apart. out[c][16 · p + r].
pub fn tile(
    comptime format: Format,
    comptime C: usize,
    comptime P: usize,
    panels: [*]const u8,
    panel_bytes: usize,
    k: usize,
    columns: Columns,
    out: *[C][P * simd.panel_rows]f32,
) void {
    const Codec = format_file.Codec(format);
    var acc: [C][P]simd.F32x16 = @splat(@splat(@splat(0)));
    for (0..k) |i| {
        var weights: [P]simd.F32x16 = undefined;
        inline for (0..P) |p| {
            const row: [*]const Codec.Packed = @ptrCast(@alignCast(panels + p * panel_bytes));
            weights[p] = Codec.widen(simd.panel_rows, row[i]);
            const ahead: [*]const u8 = @ptrCast(&row[i]);
            if (C == 1) @prefetch(ahead + prefetch_bytes, .{});
        }
        inline for (0..C) |c| {
            const x = simd.splat(columns.first[c * columns.stride + i]);
            inline for (0..P) |p| acc[c][p] = simd.fma(weights[p], x, acc[c][p]);
        }
    }
    inline for (0..C) |c| {
        inline for (0..P) |p| out[c][p * simd.panel_rows ..][0..simd.panel_rows].* = acc[c][p];
    }
}
