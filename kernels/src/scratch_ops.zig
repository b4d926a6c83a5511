test {
    _ = @import("math.zig");
    _ = @import("kv/arena.zig");
    _ = @import("ops/rms_norm.zig");
    _ = @import("ops/swiglu.zig");
    _ = @import("ops/rope.zig");
    _ = @import("ops/rope_append.zig");
    _ = @import("ops/attention.zig");
}
