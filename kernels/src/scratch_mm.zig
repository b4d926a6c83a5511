test {
    _ = @import("simd.zig");
    _ = @import("quant/activations.zig");
    _ = @import("quant/format.zig");
    _ = @import("ops/matmul.zig");
    _ = @import("ops/embed.zig");
    _ = @import("ops/quantize_activations.zig");
}
