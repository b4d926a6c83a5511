test {
    _ = @import("ops/sample.zig");
    _ = @import("ops/score.zig");
    _ = @import("ops/gather_rows.zig");
    _ = @import("ops/candidates.zig");
    _ = @import("ops/isa_test.zig");
}
