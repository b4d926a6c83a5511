//! Q5_1: 32 values share an f16 scale and an f16 minimum; value = d · q + m, q in 0..31.

const std = @import("std");
const block_min = @import("block_min.zig");
const codec = @import("codec.zig");
const panel = @import("panel.zig");
const q5_0 = @import("q5_0.zig");
const Traits = @import("traits.zig").Traits;

pub const block_len = block_min.block_len;
pub const traits: Traits = .{ .integer = .{ .activation = .per32, .quants = .{ .unsigned = 31 }, .mins = .block } };
/// Of `encode`: root mean square error over the standard deviation of bell-shaped data.
pub const error_max = 0.04;

/// As in GGUF.
pub const Block = extern struct {
    d: u16,
    m: u16,
    bits: q5_0.Bits,
};

/// Two blocks of 16 rows; where k / 32 is odd, the last panel's second one is zero.
pub const chunk_len = 64;
pub const Packed = extern struct {
    q: [2]q5_0.PackedBits,
    d: [2][panel.rows]u16,
    m: [2][panel.rows]u16,
};

comptime {
    std.debug.assert(@sizeOf(Block) == 24);
    std.debug.assert(@sizeOf(Packed) == 12 * panel.unit_bytes);
}

pub fn decode(block: *align(1) const Block) [block_len]f32 {
    return partsOf(block).decode();
}

pub fn integers(block: *const Block) codec.Integers(block_len) {
    return partsOf(block).integers();
}

pub fn encode(values: *const [block_len]f32, importance: codec.Importance(block_len)) Block {
    const parts = block_min.encode(31, values, importance);
    return .{ .d = parts.d, .m = parts.m, .bits = .of(&parts.q) };
}

fn partsOf(block: *align(1) const Block) block_min.Parts {
    return .{ .d = block.d, .m = block.m, .q = block.bits.quants() };
}

pub fn packChunk(blocks: *const [2]panel.Blocks(@This()), chunk: *Packed) void {
    @setEvalBranchQuota(10_000); // everything is written out inline
    for (blocks, &chunk.q, &chunk.d, &chunk.m) |*rows, *q, *d, *m| {
        q.fill(@ptrCast(rows), @offsetOf(Block, "bits"));
        for (rows, d, m) |row, *scale, *min| {
            scale.* = row.d;
            min.* = row.m;
        }
    }
}

pub inline fn unit(chunk: *const Packed, span: usize, comptime u: usize, row: usize) panel.Unit {
    return chunk.q[span].unit(u, row);
}

pub fn unpackBlock(chunk: *const Packed, row: usize, index: usize) Block {
    return .{ .d = chunk.d[index][row], .m = chunk.m[index][row], .bits = chunk.q[index].unpack(row) };
}
