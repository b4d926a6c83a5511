//! What the kernels ask of a format. Each format's file declares its `traits` beside its block; a kernel compares these and no
//! names, so that a new format meets either code that serves it or a compile error.

const std = @import("std");
const activations = @import("activations.zig");

pub const Traits = union(enum) {
    /// Weights are floats, multiplied by f32 activations.
    float: Float,
    /// Weights are small integers with scales, multiplied by int8 activations.
    integer: Integer,

    /// The kind of quantised activations that a matmul reads; null: it reads f32.
    pub fn activationKind(traits: Traits) ?activations.Kind {
        return switch (traits) {
            .float => null,
            .integer => |integer| integer.activation,
        };
    }
};

/// How a panel of floats lies in memory.
pub const Float = enum {
    /// [k][16].
    singles,
    /// [k / 2][16] words of two values of K, as dot products of bf16 pairs want them.
    pairs,
};

/// weight = d · scale · (q − zero), less or plus a min (see `Mins`); scale is 1 where a block has one sub-block.
pub const Integer = struct {
    activation: activations.Kind,
    quants: Quants,
    /// With activations per 32 a multiple of 8: those come with −8 · Σ x.
    zero: u8 = 0,
    mins: Mins = .none,
    /// Values of K that share an integer scale: 16 or 32.
    sub_len: u8 = 32,

    /// How many dot products of four quants with four activations can be added before an int16 of `limit` could overflow:
    /// each adds two products, |q · x| ≤ quants.unsigned · 127, to it.
    pub inline fn dotsWithin(traits: Integer, limit: comptime_int) usize {
        std.debug.assert(traits.quants.unsigned > 0 and traits.zero <= traits.quants.unsigned);
        return limit / (2 * @as(usize, traits.quants.unsigned) * 127);
    }

    pub inline fn isPer32(traits: Integer) bool {
        return traits.activation == .per32;
    }

    pub inline fn isSigned(traits: Integer) bool {
        return traits.quants == .signed;
    }
};

/// What a panel's units hold.
pub const Quants = union(enum) {
    /// int8.
    signed,
    /// Bytes or nibbles from 0 to this.
    unsigned: u8,
};

pub const Mins = enum {
    none,
    /// Each block has an f16 `m` beside its `d`: + m.
    block,
    /// Each sub-block has an integer, which the block's f16 `dmin` multiplies: − dmin · min.
    sub_blocks,
};
