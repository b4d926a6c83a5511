//! The dot product of bf16 pairs by its definition, in software: what the instruction is tested against, and the reference of
//! the matmuls that use it. vdpbf16ps takes no notice of MXCSR: it always rounds to nearest even, takes denormal operands for
//! zeros and gives zeros for denormal results (Intel's manual, which Zen 4 follows bit for bit).

const options = @import("kumi_options");
const std = @import("std");
const simd = @import("simd.zig");

const lanes = simd.lanes;
const F32x16 = simd.F32x16;
const U32x16 = simd.U32x16;
const PairsBf16 = simd.PairsBf16;

/// acc + Σ over the pair, see `simd.dotBf16`.
pub fn dot(acc: F32x16, weights: PairsBf16, x: PairsBf16) F32x16 {
    const second: U32x16 = @splat(0xffff_0000);
    const half_bits: U32x16 = @splat(16);
    const sum = fmaToNormal(@bitCast(weights & second), @bitCast(x & second), acc);
    return fmaToNormal(@bitCast(weights << half_bits), @bitCast(x << half_bits), sum);
}

/// One rounding, with results as well as operands flushed to zero where they are not normal. Whether a result is normal is
/// decided after rounding to 24 bits as if exponents had no end: an exact result more than 2^-151 under the least normal
/// number is flushed, though as a denormal it might have been rounded up to it.
pub fn fmaToNormal(a: F32x16, b: F32x16, c: F32x16) F32x16 {
    const sum = simd.oddFma(lanes, flushed(a), flushed(b), flushed(c));
    const result = flushed(@floatCast(sum));
    const least: @Vector(lanes, f64) = @splat(0x1p-126 - 0x1p-151);
    const zero: F32x16 = @bitCast(@as(U32x16, @bitCast(result)) & @as(U32x16, @splat(0x8000_0000)));
    return @select(f32, @abs(sum) < least, zero, result);
}

/// Denormals become zeros of their sign.
pub fn flushed(value: F32x16) F32x16 {
    const bits: U32x16 = @bitCast(value);
    const exponent = bits & @as(U32x16, @splat(0x7f80_0000));
    const sign = bits & @as(U32x16, @splat(0x8000_0000));
    return @bitCast(@select(u32, exponent == @as(U32x16, @splat(0)), sign, bits));
}

test "dotBf16 is its definition, at the ends of the range too" {
    var rng: std.Random.Xoshiro256 = .init(3);
    const random = rng.random();
    // Bochs 3.0 does not compute what processors do: the same program passes on Zen 4.
    if (options.emulated and simd.has_bf16_dot) return error.SkipZigTest;
    for (0..20_000) |i| {
        var bits: [3]U32x16 = undefined;
        for (&bits) |*vector| {
            var words: [lanes]u32 = undefined;
            for (&words) |*word| word.* = random.int(u32);
            vector.* = words;
        }
        // Exponents in the middle, where sums round, and where sums and products come near the least normal number.
        const exponents: [3]u32 = switch (i % 3) {
            0 => .{ 0, 0, 0 },
            1 => .{ 0x3c00_0000, 0x3c00_3c00, 0x3c00_3c00 },
            else => .{ 0, 0x2000_2000, 0x1d80_1d80 },
        };
        const free: [3]u32 = if (i % 3 == 0) @splat(0xffff_ffff) else .{ 0x81ff_ffff, 0x87ff_87ff, 0x83ff_83ff };
        for (&bits, exponents, free) |*vector, set, mask| vector.* = vector.* & @as(U32x16, @splat(mask)) | @as(U32x16, @splat(set));
        const want: [lanes]f32 = dot(@bitCast(bits[0]), bits[1], bits[2]);
        const got: [lanes]f32 = simd.dotBf16(@bitCast(bits[0]), bits[1], bits[2]);
        for (want, got) |a, b| {
            if (std.math.isNan(a) and std.math.isNan(b)) continue;
            try std.testing.expectEqual(@as(u32, @bitCast(a)), @as(u32, @bitCast(b)));
        }
    }
    // 2^-126 − 2^-151 is a tie and rounds up to the least normal number; what lies under it counts as below the range.
    const x: PairsBf16 = @splat(0x8000 | (127 - 101) << 7);
    for ([_]f32{ 1, 1.5, 3 }, [_]f32{ 0x1p-126, 0, 0 }) |factor, want| {
        const weight: PairsBf16 = @splat(@as(u32, @bitCast(factor * 0x1p-50)) >> 16);
        for ([_]F32x16{ simd.dotBf16(simd.splat(0x1p-126), weight, x), dot(simd.splat(0x1p-126), weight, x) }) |got| {
            try std.testing.expectEqual(want, got[5]);
        }
    }
}
