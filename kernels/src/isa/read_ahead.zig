//! Whether a processor reads a stream ahead far enough by itself.

const std = @import("std");
const builtin = @import("builtin");
const cpuid = @import("cpuid.zig").cpuid;

/// Whether lines are worth asking for that a loop reads one after another, and which it spends little time on. Intel's cores
/// keep too few of them under way: decode with Q4_K takes 1/1.4 of the time where they are asked for (Sapphire Rapids). AMD's
/// see far enough ahead, and asking costs instructions: it takes 1/0.8 (Zen 4).
pub fn pays() bool {
    if (builtin.cpu.arch != .x86_64) return false;
    return switch (state.load(.monotonic)) {
        .yes => true,
        .no => false,
        // Hypervisors take their time over CPUID. Two threads that find it at once find the same.
        .unknown => found: {
            const is_intel = isIntel(cpuid(0, 0).ebx);
            state.store(if (is_intel) .yes else .no, .monotonic);
            break :found is_intel;
        },
    };
}

/// How far ahead lines are asked for into the second-level cache, which keeps more of them under way than the first-level one
/// does: with one column 1.05 (Q8_0) to 1.14 times (MXFP4) as fast as 2,304 bytes ahead into the first-level one, on a Sapphire
/// Rapids.
pub const far_bytes = 8192;
pub const far_locality = 2;
/// How far ahead they are asked for from there into the first-level cache.
pub const near_bytes = 1024;

/// The first four letters of the maker's name, as leaf 0 has them.
fn isIntel(letters: u32) bool {
    return letters == std.mem.readInt(u32, "Genu", .little);
}

var state: std.atomic.Value(enum(u8) { unknown, yes, no }) = .init(.unknown);

test "the maker is known by the first letters of its name" {
    try std.testing.expect(isIntel(0x756e6547));
    try std.testing.expect(!isIntel(std.mem.readInt(u32, "Auth", .little)));
    try std.testing.expectEqual(pays(), pays());
}
