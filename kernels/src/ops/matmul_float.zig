//! The float matmul's inner kernel: some columns × one panel, whole K, one FMA per k in one chain per output element.
//! Narrow formats are widened exactly, so all of them are f32 arithmetic.

const simd = @import("../simd.zig");
const format_file = @import("../quant/format.zig");
const Format = format_file.Format;

/// `first[c · stride + i]`: value i of column c.
pub const Columns = struct { first: [*]const f32, stride: usize };

/// out[c][r].
pub fn tile(
    comptime format: Format,
    comptime C: usize,
    panel: [*]const u8,
    k: usize,
    columns: Columns,
    out: *[C][simd.panel_rows]f32,
) void {
    const Codec = format_file.Codec(format);
    const weights: [*]const Codec.Packed = @ptrCast(@alignCast(panel));
    var acc: [C]simd.F32x16 = @splat(@splat(0));
    for (0..k) |i| {
        const row = Codec.widen(simd.panel_rows, weights[i]);
        inline for (0..C) |c| acc[c] = simd.fma(row, simd.splat(columns.first[c * columns.stride + i]), acc[c]);
    }
    inline for (0..C) |c| out[c] = acc[c];
}
