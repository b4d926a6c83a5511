//! Elementary functions as polynomials of our own, so that a kernel calls no libm and every instruction set gives the same
//! bits: only IEEE additions, multiplications, divisions and declared FMAs, never contracted by the compiler.
//!
//! `exp`, `sigmoid`, `silu`, `tanh`, `gelu` and what is like them take f32 scalars or vectors of any length and treat each lane
//! alike. The f64 functions fill tables (RoPE) and close reductions (log-sum-exp); they are scalar and use no FMA, which
//! baseline x86-64 has to emulate.

const std = @import("std");
const simd = @import("../isa/simd.zig");

/// Adding this f32 rounds |x| < 2²² to an integer, half to even, and leaves that integer in the low mantissa bits.
const round_f32: f32 = 0x1.8p23;
const round_f64: f64 = 0x1.8p52;

fn Child(comptime T: type) type {
    return switch (@typeInfo(T)) {
        .vector => |info| info.child,
        else => T,
    };
}

fn fill(comptime T: type, comptime value: Child(T)) T {
    return if (@typeInfo(T) == .vector) @splat(value) else value;
}

fn Ints(comptime T: type) type {
    return switch (@typeInfo(T)) {
        .vector => |info| @Vector(info.len, i32),
        else => i32,
    };
}

fn pick(comptime T: type, condition: anytype, yes: T, no: T) T {
    return if (@typeInfo(T) == .vector) @select(Child(T), condition, yes, no) else if (condition) yes else no;
}

/// eˣ for f32 lanes, within 1 ulp. exp(−inf) = 0, exp(+inf) = +inf, NaN stays NaN; results below the normal range are
/// rounded to denormals. x = n·ln 2 + r with |r| ≤ ln 2 / 2 (Cody & Waite 1980), then a minimax polynomial of degree 6.
pub inline fn exp(x: anytype) @TypeOf(x) {
    const T = @TypeOf(x);
    const I = Ints(T);
    comptime std.debug.assert(Child(T) == f32);
    // Comparisons with NaN are false, so a NaN passes both clamps. e^-105 rounds to 0 and e^89 overflows by itself.
    const low = pick(T, x < fill(T, -105.0), fill(T, -105.0), x);
    const clamped = pick(T, low > fill(T, 89.0), fill(T, 89.0), low);
    const shifted = simd.fma(clamped, fill(T, std.math.log2e), fill(T, round_f32));
    const n = shifted - fill(T, round_f32);
    const p = expOfRest(T, clamped, n);
    // 2ⁿ in two factors: n reaches -151 and 128, outside one exponent's range. The first product is exact.
    const bits: I = @bitCast(shifted);
    const whole = bits -% @as(I, @bitCast(fill(T, round_f32)));
    const half = whole >> splatShift(I, 1);
    return p * powerOfTwo(T, half) * powerOfTwo(T, whole -% half);
}

/// eˣ for x ≤ 0 as `exp` gives it, but 0 where that would be below the normal range (x < −87.33); NaN stays NaN.
pub inline fn expBelowZero(x: anytype) @TypeOf(x) {
    const T = @TypeOf(x);
    const I = Ints(T);
    comptime std.debug.assert(Child(T) == f32);
    const shifted = simd.fma(x, fill(T, std.math.log2e), fill(T, round_f32));
    const n = shifted - fill(T, round_f32);
    const whole = @as(I, @bitCast(shifted)) -% @as(I, @bitCast(fill(T, round_f32)));
    // Where x is far below, the rest of the computation gives anything.
    return pick(T, x < fill(T, -0x1.5d589ep6), fill(T, 0.0), expOfRest(T, x, n) * powerOfTwo(T, whole));
}

/// 2ˣ for x ≤ 0, within 2 ulp, 2⁰ = 1; 0 where it would be below the normal range (x < −126); NaN stays NaN. x = n + r with
/// |r| ≤ ½, then a polynomial of degree 5 fitted by Lawson's algorithm (1961).
pub inline fn exp2BelowZero(x: anytype) @TypeOf(x) {
    const T = @TypeOf(x);
    const I = Ints(T);
    comptime std.debug.assert(Child(T) == f32);
    // Leaves n + 127, a power's exponent field, in the low mantissa bits.
    const round_biased = round_f32 + 127;
    const shifted = x + fill(T, round_biased);
    const r = x - (shifted - fill(T, round_biased));
    var p = simd.fma(fill(T, 0x1.5bba0ap-10), r, fill(T, 0x1.3cea88p-7));
    p = simd.fma(p, r, fill(T, 0x1.c6b752p-5));
    p = simd.fma(p, r, fill(T, 0x1.ebf9bcp-3));
    p = simd.fma(p, r, fill(T, 0x1.62e42ap-1));
    p = simd.fma(p, r, fill(T, 1.0));
    const power: T = @bitCast(@as(I, @bitCast(shifted)) << splatShift(I, 23));
    // Where x is far below, the rest of the computation gives anything.
    return pick(T, x < fill(T, -126.0), fill(T, 0.0), p * power);
}

/// e^(x − n·ln 2).
inline fn expOfRest(comptime T: type, x: T, n: T) T {
    return expm1OfRest(T, x, n) + fill(T, 1.0);
}

/// e^(x − n·ln 2) − 1.
inline fn expm1OfRest(comptime T: type, x: T, n: T) T {
    var r = simd.fma(n, fill(T, -0.693359375), x); // 9 bits, so n times it is exact
    r = simd.fma(n, fill(T, 2.1219444170128554e-4), r);
    var p = simd.fma(fill(T, 0x1.6a4738p-10), r, fill(T, 0x1.1239a0p-7));
    p = simd.fma(p, r, fill(T, 0x1.5558b6p-5));
    p = simd.fma(p, r, fill(T, 0x1.555492p-3));
    p = simd.fma(p, r, fill(T, 0x1.fffffcp-2));
    return simd.fma(p, r * r, r);
}

fn splatShift(comptime I: type, comptime count: u5) (if (@typeInfo(I) == .vector) @Vector(@typeInfo(I).vector.len, u5) else u5) {
    return if (@typeInfo(I) == .vector) @splat(count) else count;
}

inline fn powerOfTwo(comptime T: type, n: Ints(T)) T {
    const I = Ints(T);
    const bias: I = if (@typeInfo(I) == .vector) @splat(127) else 127;
    return @bitCast((n +% bias) << splatShift(I, 23));
}

/// 1 / (1 + e⁻ˣ).
pub inline fn sigmoid(x: anytype) @TypeOf(x) {
    const one = fill(@TypeOf(x), 1.0);
    return one / (one + exp(-x));
}

/// x · sigmoid(x), also called swish (Ramachandran et al. 2017).
pub inline fn silu(x: anytype) @TypeOf(x) {
    return x / (fill(@TypeOf(x), 1.0) + exp(-x));
}

/// tanh for f32 lanes, within 2 ulp and odd; ±1 at ±inf, NaN stays NaN. Near 0 x + x³·p(x²) with a minimax polynomial, beyond
/// 0.625 1 − 2 / (e^2|x| + 1), which would cancel nearer.
pub inline fn tanh(x: anytype) @TypeOf(x) {
    const T = @TypeOf(x);
    const one = fill(T, 1.0);
    const z = x * x;
    var p = simd.fma(fill(T, -0x1.75e1ccp-8), z, fill(T, 0x1.52269ap-6));
    p = simd.fma(p, z, fill(T, -0x1.b83c5ap-5));
    p = simd.fma(p, z, fill(T, 0x1.110726p-3));
    p = simd.fma(p, z, fill(T, -0x1.555532p-2));
    const near = simd.fma(p * z, x, x);
    const magnitude = @abs(x);
    const far = one - fill(T, 2.0) / (exp(magnitude + magnitude) + one);
    return pick(T, magnitude < fill(T, 0.625), near, pick(T, x < fill(T, 0.0), -far, far));
}

/// x·Φ(x) in the form that models are trained with, ½x·(1 + tanh u), u = √(2/π)·(x + 0.044715·x³) (Hendrycks & Gimpel 2016):
/// x / (1 + e^−2u) is the same without cancellation.
pub inline fn gelu(x: anytype) @TypeOf(x) {
    const T = @TypeOf(x);
    const factor = -2.0 * @sqrt(2.0 / std.math.pi);
    const exponent = x * simd.fma(x * x, fill(T, factor * 0.044715), fill(T, factor));
    return x / (fill(T, 1.0) + exp(exponent));
}

/// x·Φ(x), Φ the normal distribution (Hendrycks & Gimpel 2016): the exact form. Φ(−a) = e^(−a²/2)·R(a) for a ≥ 0, with
/// R(a) = ½·erfcx(a/√2) as t·p(t), t = 1 / (1 + 0.35·a), p a polynomial of degree 8 within 4e-8 of it, so that no tail cancels.
pub inline fn geluExact(x: anytype) @TypeOf(x) {
    const T = @TypeOf(x);
    const one = fill(T, 1.0);
    const a = @abs(x);
    const t = one / simd.fma(a, fill(T, 0.35), one);
    var p = simd.fma(fill(T, -0x1.dd32acp-6), t, fill(T, 0x1.26a676p-3));
    p = simd.fma(p, t, fill(T, -0x1.05a2fap-2));
    p = simd.fma(p, t, fill(T, 0x1.457cb4p-3));
    p = simd.fma(p, t, fill(T, -0x1.77cd5cp-6));
    p = simd.fma(p, t, fill(T, 0x1.afda76p-4));
    p = simd.fma(p, t, fill(T, 0x1.eaea62p-4));
    p = simd.fma(p, t, fill(T, 0x1.1e6e70p-3));
    p = simd.fma(p, t, fill(T, 0x1.1df1eap-3));
    const below = expBelowZero(a * a * fill(T, -0.5)) * (p * t);
    return x * pick(T, x < fill(T, 0.0), below, one - below);
}

/// eˣ − 1 for x ≤ 0, within 2 ulp; −1 far below, NaN stays NaN: 2ⁿ·(e^r − 1) + (2ⁿ − 1), of which the last is exact.
pub inline fn expm1BelowZero(x: anytype) @TypeOf(x) {
    const T = @TypeOf(x);
    const I = Ints(T);
    comptime std.debug.assert(Child(T) == f32);
    // e^-30 − 1 is −1 in f32.
    const clamped = pick(T, x < fill(T, -30.0), fill(T, -30.0), x);
    const shifted = simd.fma(clamped, fill(T, std.math.log2e), fill(T, round_f32));
    const n = shifted - fill(T, round_f32);
    const scale = powerOfTwo(T, @as(I, @bitCast(shifted)) -% @as(I, @bitCast(fill(T, round_f32))));
    return simd.fma(expm1OfRest(T, clamped, n), scale, scale - fill(T, 1.0));
}

/// ln(1 + eˣ) for f32 lanes, within 3 ulp: max(x, 0) + ln(1 + y), y = e^−|x|, the latter 2·artanh(s), s = y/(2 + y) ≤ ⅓, by its
/// Taylor series.
pub inline fn softplus(x: anytype) @TypeOf(x) {
    const T = @TypeOf(x);
    const y = expBelowZero(-@abs(x));
    const s = y / (y + fill(T, 2.0));
    const z = s * s;
    var p = fill(T, 1.0 / 15.0);
    inline for (.{ 13.0, 11.0, 9.0, 7.0, 5.0, 3.0 }) |n| p = simd.fma(p, z, fill(T, 1.0 / n));
    const log1p = simd.fma(p * z, s, s);
    return pick(T, x > fill(T, 0.0), x, fill(T, 0.0)) + (log1p + log1p);
}

/// Natural logarithm of an f32, rounded from `ln`. log(0) = −inf, log(x < 0) = NaN.
pub fn log(x: f32) f32 {
    return @floatCast(ln(x));
}

const ln2_high: f64 = 0x1.62e42fefp-1; // 33 bits, so k · ln2_high is exact
const ln2_low: f64 = 0x1.473de6af278edp-34;

/// Natural logarithm, within 2 ulp. ln(0) = −inf, ln(+inf) = +inf, NaN for x < 0 and NaN.
/// x = 2ᵏ·m with m in [√½, √2); ln m = 2·artanh(s), s = (m−1)/(m+1), by its Taylor series.
pub fn ln(x: f64) f64 {
    const parts = logParts(x) orelse return logEdge(x);
    return parts.k * ln2_high + (parts.ln_m + parts.k * ln2_low);
}

/// Base-2 logarithm, within 3 ulp; edges as `ln`.
pub fn log2(x: f64) f64 {
    const parts = logParts(x) orelse return logEdge(x);
    return parts.k + parts.ln_m * std.math.log2e;
}

fn logEdge(x: f64) f64 {
    if (x == 0) return -std.math.inf(f64);
    return if (x > 0) x else std.math.nan(f64);
}

fn logParts(x: f64) ?struct { k: f64, ln_m: f64 } {
    if (!(x > 0) or x == std.math.inf(f64)) return null;
    const subnormal = x < std.math.floatMin(f64);
    const bits: u64 = @bitCast(if (subnormal) x * 0x1p54 else x);
    const sqrt_half: u64 = @bitCast(@as(f64, std.math.sqrt1_2));
    const exponent = @as(i64, @bitCast(bits -% sqrt_half)) >> 52;
    const m: f64 = @bitCast(bits -% @as(u64, @bitCast(exponent << 52)));
    const s = (m - 1.0) / (m + 1.0); // m − 1 is exact
    const z = s * s; // ≤ 0.0295
    var sum: f64 = 1.0 / 23.0;
    inline for (.{ 21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0 }) |n| sum = sum * z + 1.0 / n;
    const k: f64 = @floatFromInt(exponent - @as(i64, if (subnormal) 54 else 0));
    return .{ .k = k, .ln_m = 2.0 * s + 2.0 * s * (z * sum) };
}

/// 2ˣ, within 2 ulp; +inf above 1024, 0 below −1080, NaN stays NaN. The fraction's e^r by its Taylor series to r¹³.
pub fn exp2(x: f64) f64 {
    if (!(x < 1024.0)) return if (x >= 1024.0) std.math.inf(f64) else x;
    if (x < -1080.0) return 0;
    const n = (x + round_f64) - round_f64;
    const r = (x - n) * std.math.ln2;
    var p: f64 = 1.0;
    inline for (.{ 13.0, 12.0, 11.0, 10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0 }) |d| p = p * (r * (1.0 / d)) + 1.0;
    const whole: i64 = @intFromFloat(n);
    const half = whole >> 1; // two factors: the result may be subnormal or 2¹⁰²³·1.99…
    return p * powerOfTwo64(half) * powerOfTwo64(whole - half);
}

fn powerOfTwo64(n: i64) f64 {
    return @bitCast((n + 1023) << 52);
}

/// base^exponent = 2^(exponent · log2 base) for base > 0; relative error about |exponent · log2 base| · 2⁻⁵².
pub fn pow(base: f64, exponent: f64) f64 {
    return exp2(exponent * log2(base));
}

pub const SinCos = struct { sin: f64, cos: f64 };

/// Largest |x| that `sinCos` reduces with full accuracy: RoPE positions up to a million.
pub const sin_cos_limit: f64 = 0x1p20;

/// sin x and cos x, absolute error below 4e-16 for |x| ≤ `sin_cos_limit` (asserted).
/// x = n·π/2 + r with π/2 in three parts (Cody & Waite), |r| ≤ π/4, then Taylor series to r¹⁷ and r¹⁸.
pub fn sinCos(x: f64) SinCos {
    std.debug.assert(@abs(x) <= sin_cos_limit);
    const n = (x * 0x1.45f306dc9c883p-1 + round_f64) - round_f64;
    // The first two parts have 33 bits: n · part is exact. The order keeps the cancellation exact too.
    const r = ((x - n * 0x1.921fb544p0) - n * 0x1.0b4611a6p-34) - n * 0x1.3198a2e037073p-69;
    const z = r * r;
    var s: f64 = 1.0;
    inline for (.{ 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0 }) |d| s = 1.0 - s * (z * (1.0 / (d * (d - 1.0))));
    const sine = r - r * (z * (1.0 / 6.0)) * s;
    var c: f64 = 1.0;
    inline for (.{ 18.0, 16.0, 14.0, 12.0, 10.0, 8.0, 6.0, 4.0, 2.0 }) |d| c = 1.0 - c * (z * (1.0 / (d * (d - 1.0))));
    return switch (@as(u2, @truncate(@as(u64, @bitCast(@as(i64, @intFromFloat(n))))))) {
        0 => .{ .sin = sine, .cos = c },
        1 => .{ .sin = c, .cos = -sine },
        2 => .{ .sin = -sine, .cos = -c },
        3 => .{ .sin = -c, .cos = sine },
    };
}

/// |a − b| in units in the last place of f32 `b`, measured against the exact value `exact` near `b`.
fn ulps32(actual: f32, exact: f64) f64 {
    const rounded: f32 = @floatCast(exact);
    const magnitude: f64 = @max(@abs(rounded), std.math.floatMin(f32));
    const unit = std.math.ldexp(@as(f64, 1.0), std.math.ilogb(magnitude) - 23);
    return @abs(@as(f64, actual) - exact) / unit;
}

test "exp is within 1 ulp over its whole range and exact at the edges" {
    const V = @Vector(16, f32);
    var worst: f64 = 0;
    var x: f32 = -104.5;
    var i: u32 = 0;
    while (x < 88.72) : (i += 1) {
        const wide: [16]f32 = exp(@as(V, @splat(x)));
        try std.testing.expectEqual(exp(x), wide[i % 16]);
        worst = @max(worst, ulps32(wide[0], @exp(@as(f64, x))));
        x += 0.00237 + @abs(x) * 1e-5;
    }
    try std.testing.expect(worst < 1.0);
    const inf = std.math.inf(f32);
    try std.testing.expectEqual(@as(f32, 0), exp(-inf));
    try std.testing.expectEqual(@as(f32, 0), exp(@as(f32, -200)));
    try std.testing.expectEqual(@as(f32, 0), exp(-std.math.floatMax(f32)));
    try std.testing.expectEqual(@as(f32, 1), exp(@as(f32, -0.0)));
    try std.testing.expectEqual(inf, exp(inf));
    try std.testing.expectEqual(inf, exp(@as(f32, 88.8)));
    try std.testing.expect(std.math.isNan(exp(std.math.nan(f32))));
}

test "expBelowZero is exp down to the end of the normal range, and 0 below" {
    var x: f32 = 0;
    while (x > -120) : (x -= 0.00131) {
        const exact = exp(x);
        const got = expBelowZero(x);
        // At the very end of the range either may be the one that is still normal.
        if (x > -87.33) try std.testing.expectEqual(exact, got);
        if (x < -87.34) try std.testing.expectEqual(@as(f32, 0), got);
        const wide: [16]f32 = expBelowZero(@as(@Vector(16, f32), @splat(x)));
        try std.testing.expectEqual(got, wide[7]);
    }
    try std.testing.expectEqual(@as(f32, 0), expBelowZero(-std.math.inf(f32)));
    try std.testing.expectEqual(@as(f32, 1), expBelowZero(@as(f32, -0.0)));
    try std.testing.expect(std.math.isNan(expBelowZero(std.math.nan(f32))));
}

test "exp2BelowZero is within 2 ulp down to the end of the normal range, and 0 below" {
    var x: f32 = 0;
    while (x > -140) : (x -= 0.00171) {
        const got = exp2BelowZero(x);
        if (x >= -126) try std.testing.expect(ulps32(got, @exp2(@as(f64, x))) < 2.0);
        if (x < -126) try std.testing.expectEqual(@as(f32, 0), got);
        try std.testing.expect(got <= 1);
        const wide: [16]f32 = exp2BelowZero(@as(@Vector(16, f32), @splat(x)));
        try std.testing.expectEqual(got, wide[7]);
    }
    // Just below 0 it rounds to 1 at most.
    for (0..1000) |i| try std.testing.expect(exp2BelowZero(-0x1p-30 * @as(f32, @floatFromInt(i))) <= 1);
    try std.testing.expectEqual(@as(f32, 0), exp2BelowZero(-std.math.inf(f32)));
    try std.testing.expectEqual(@as(f32, 1), exp2BelowZero(@as(f32, -0.0)));
    try std.testing.expectEqual(@as(f32, 0x1p-126), exp2BelowZero(@as(f32, -126)));
    try std.testing.expect(std.math.isNan(exp2BelowZero(std.math.nan(f32))));
}

test "exp gives the same bits on every instruction set" {
    // A hash over many results: the constant was computed once and must hold on every level and architecture.
    var hash: u64 = 0;
    var x: f32 = -105;
    while (x < 89) : (x += 0.0113) {
        const bits: u32 = @bitCast(exp(x) + silu(x));
        hash = (hash ^ bits) *% 0x9E3779B97F4A7C15;
    }
    var y: f64 = -700;
    while (y < 700) : (y += 0.731) {
        const sc = sinCos(y);
        for ([_]f64{ sc.sin, sc.cos, exp2(y), ln(@abs(y)), log2(@abs(y)) }) |v| {
            hash = (hash ^ @as(u64, @bitCast(v))) *% 0x9E3779B97F4A7C15;
        }
    }
    try std.testing.expectEqual(@as(u64, 10978782762706220148), hash);
}

test "sigmoid and silu follow their definitions" {
    var x: f32 = -95;
    while (x < 95) : (x += 0.137) {
        const exact = 1.0 / (1.0 + @exp(-@as(f64, x)));
        try std.testing.expect(ulps32(sigmoid(x), exact) < 3.0 or x < -87);
        try std.testing.expect(ulps32(silu(x), x * exact) < 3.0 or x < -87);
    }
    try std.testing.expectEqual(@as(f32, 0), sigmoid(-std.math.inf(f32)));
    try std.testing.expectEqual(@as(f32, 1), sigmoid(std.math.inf(f32)));
}

test "tanh is within 2 ulp, odd, and 1 at the end" {
    var x: f32 = 0;
    while (x < 12) : (x += 0.00071 + x * 1e-4) {
        try std.testing.expect(ulps32(tanh(x), std.math.tanh(@as(f64, x))) < 2.0);
        try std.testing.expectEqual(-tanh(x), tanh(-x));
        const wide: [16]f32 = tanh(@as(@Vector(16, f32), @splat(x)));
        try std.testing.expectEqual(tanh(x), wide[11]);
    }
    try std.testing.expectEqual(@as(f32, 1e-20), tanh(@as(f32, 1e-20)));
    try std.testing.expectEqual(@as(f32, 1), tanh(std.math.inf(f32)));
    try std.testing.expectEqual(@as(f32, -1), tanh(-std.math.floatMax(f32)));
    try std.testing.expect(std.math.isNan(tanh(std.math.nan(f32))));
}

test "gelu follows its definition" {
    var x: f32 = -30;
    while (x < 30) : (x += 0.00311) {
        const u = @sqrt(2.0 / std.math.pi) * (@as(f64, x) + 0.044715 * std.math.pow(f64, x, 3));
        const exact = @as(f64, x) / (1.0 + @exp(-2.0 * u));
        // The exponent is rounded, so that far below 0, where hardly anything is left, it costs more of the result.
        try std.testing.expectApproxEqRel(exact, gelu(x), 1e-7 * (2.0 + 4.0 * @abs(@min(u, 0))) + @as(f64, if (u < -43) 1 else 0));
        const wide: [16]f32 = gelu(@as(@Vector(16, f32), @splat(x)));
        try std.testing.expectEqual(gelu(x), wide[3]);
    }
    try std.testing.expectEqual(@as(f32, 1e30), gelu(@as(f32, 1e30)));
    try std.testing.expectEqual(@as(f32, 0), gelu(@as(f32, -1e30)));
}

test "geluExact follows its definition, its tails included" {
    var x: f32 = -12;
    while (x < 12) : (x += 0.00317) {
        const exact = x * @import("activate.zig").normal(x);
        const wide: [16]f32 = geluExact(@as(@Vector(16, f32), @splat(x)));
        try std.testing.expectEqual(geluExact(x), wide[5]);
        // The exponent is rounded: a²/2 of them.
        try std.testing.expectApproxEqRel(exact, geluExact(x), 5e-7 + 1e-7 * @as(f64, if (x < 0) x * x / 2 else 0));
    }
    try std.testing.expectEqual(@as(f32, 1e30), geluExact(@as(f32, 1e30)));
    try std.testing.expectEqual(@as(f32, 0), geluExact(@as(f32, -1e15)));
    try std.testing.expect(std.math.isNan(geluExact(std.math.nan(f32))));
}

test "expm1BelowZero is within 2 ulp, and −1 at the end" {
    var x: f32 = -40;
    while (x < 0) : (x += 1e-5 - x * 1e-4) {
        try std.testing.expect(ulps32(expm1BelowZero(x), std.math.expm1(@as(f64, x))) < 2.0);
        const wide: [16]f32 = expm1BelowZero(@as(@Vector(16, f32), @splat(x)));
        try std.testing.expectEqual(expm1BelowZero(x), wide[2]);
    }
    try std.testing.expectEqual(@as(f32, 0), expm1BelowZero(@as(f32, 0)));
    try std.testing.expectEqual(@as(f32, -1e-20), expm1BelowZero(@as(f32, -1e-20)));
    try std.testing.expectEqual(@as(f32, -1), expm1BelowZero(-std.math.inf(f32)));
    try std.testing.expect(std.math.isNan(expm1BelowZero(std.math.nan(f32))));
}

test "tanh, gelu, geluExact and expm1 give the same bits on every instruction set" {
    var hash: u64 = 0;
    var x: f32 = -12;
    while (x < 12) : (x += 0.00113) {
        for ([_]f32{ tanh(x), gelu(x) }) |value| hash = (hash ^ @as(u32, @bitCast(value))) *% 0x9E3779B97F4A7C15;
    }
    try std.testing.expectEqual(@as(u64, 7080056486492595787), hash);
    hash = 0;
    x = -14;
    while (x < 14) : (x += 0.00173) {
        for ([_]f32{ geluExact(x), expm1BelowZero(-@abs(x)) }) |value| hash = (hash ^ @as(u32, @bitCast(value))) *% 0x9E3779B97F4A7C15;
    }
    try std.testing.expectEqual(@as(u64, 1012864764433168768), hash);
}

test "softplus follows its definition" {
    var x: f32 = -80;
    while (x < 95) : (x += 0.0173) {
        const exact = if (x > 40) @as(f64, x) else std.math.log1p(@exp(@as(f64, x)));
        try std.testing.expect(ulps32(softplus(x), exact) < 3.0);
        const wide: [16]f32 = softplus(@as(@Vector(16, f32), @splat(x)));
        try std.testing.expectEqual(softplus(x), wide[3]);
    }
    const inf = std.math.inf(f32);
    try std.testing.expectEqual(@as(f32, 0), softplus(-inf));
    try std.testing.expectEqual(inf, softplus(inf));
    try std.testing.expect(std.math.isNan(softplus(std.math.nan(f32))));
}

test "ln, log2, exp2 and pow agree with the standard library" {
    var x: f64 = 1e-310;
    while (x < 1e300) : (x *= 1.37) {
        try std.testing.expectApproxEqRel(@log(x), ln(x), 5e-16);
        if (x > 1e-300) try std.testing.expectApproxEqRel(@log2(x), log2(x), 7e-16);
    }
    x = 0.5;
    while (x < 2) : (x += 0.00113) try std.testing.expectApproxEqAbs(@log(x), ln(x), 3e-16);
    x = -1060;
    while (x < 1023.9) : (x += 0.377) {
        try std.testing.expectApproxEqAbs(1.0, exp2(x) / @exp2(x), @as(f64, if (x < -1021) 1 else 5e-16));
        try std.testing.expectApproxEqRel(std.math.pow(f64, 500000.0, x / 512), pow(500000.0, x / 512), 2e-14);
    }
    try std.testing.expectEqual(-std.math.inf(f64), ln(0));
    try std.testing.expectEqual(std.math.inf(f64), ln(std.math.inf(f64)));
    try std.testing.expect(std.math.isNan(ln(-1)));
    try std.testing.expectEqual(@as(f64, 8), exp2(3));
    try std.testing.expectEqual(std.math.inf(f64), exp2(1024));
    try std.testing.expectEqual(@as(f64, 0), exp2(-1e9));
}

test "sinCos agrees with the standard library for table arguments" {
    var x: f64 = -1000;
    while (x < sin_cos_limit) : (x += 0.613 + @abs(x) * 1e-3) {
        const sc = sinCos(x);
        try std.testing.expectApproxEqAbs(@sin(x), sc.sin, 5e-16);
        try std.testing.expectApproxEqAbs(@cos(x), sc.cos, 5e-16);
    }
}
