//! Virtual vectors. The only file that looks at CPU features or, beside amx.zig, names machine instructions.
//!
//! Two widths are in use. Float ops work on `F32x16`: 16 lanes on every ISA level, cut into whatever registers the
//! level has, so that partial sums and the reduction tree are the same everywhere. Integer dot products work on
//! "row vectors": one register in which each 32-bit lane belongs to one matrix row and holds that row's next four
//! K bytes; `row_lanes` rows a register, 16 rows a panel.
//!
//! Whatever is not an elementary IEEE operation is spelled out in integer arithmetic, so results do not depend on the
//! level: conversions round to nearest even, `fma` rounds once. Only the bits of a NaN may differ between levels.

const std = @import("std");
const builtin = @import("builtin");
const options = @import("kumi_options");
const model_bf16 = @import("model_bf16.zig");

const is_x86 = builtin.cpu.arch == .x86_64;
const is_arm = builtin.cpu.arch == .aarch64;
const has_avx2 = is_x86 and builtin.cpu.has(.x86, .avx2);
const has_avx512 = is_x86 and builtin.cpu.has(.x86, .avx512bw) and builtin.cpu.has(.x86, .avx512vl);
const has_vnni = is_x86 and builtin.cpu.has(.x86, if (has_avx512) .avx512vnni else .avxvnni);
/// Tile registers and their int8 and bfloat16 products (amx.zig).
pub const has_tiles = is_x86 and builtin.cpu.has(.x86, .amx_int8) and builtin.cpu.has(.x86, .amx_bf16);
const has_fma = is_arm or (is_x86 and builtin.cpu.has(.x86, .fma));
const has_half_conversion = is_arm or (is_x86 and builtin.cpu.has(.x86, .f16c));
const has_sdot = is_arm and builtin.cpu.has(.aarch64, .dotprod);
/// Two products of bf16 are added to an f32 by one instruction.
pub const has_bf16_dot = has_avx512 and builtin.cpu.has(.x86, .avx512bf16);
/// One instruction multiplies two rows by two columns, eight values of each.
pub const has_block_dot = is_arm and builtin.cpu.has(.aarch64, .i8mm);
/// One instruction adds four products to the int32 of each of a panel's rows.
pub const has_wide_dot = has_vnni and has_avx512;
/// One instruction adds four products of signed bytes to an int32.
pub const has_signed_dot = has_sdot;
/// One instruction adds four products to an int32.
const has_dot = has_sdot or has_vnni;
/// 16 registers of 8 rows: with VNNI, or where products of bytes come as int16 sums of pairs.
pub const has_short_dot = has_vnni and !has_avx512;
pub const has_short_pairs = has_avx2 and !has_avx512 and !has_vnni;
/// False on a level that is there for correctness alone: it is spared the code that only serves speed.
pub const fast = has_fma or options.plain;
/// LLVM's intrinsics are reached as extern functions, which only its own backend understands.
const has_intrinsics = builtin.zig_backend == .stage2_llvm;

/// Lanes of the virtual float vector, on every level.
pub const lanes = 16;
pub const F32x16 = @Vector(lanes, f32);
pub const U32x16 = @Vector(lanes, u32);
pub const I32x16 = @Vector(lanes, i32);

pub inline fn splat(value: f32) F32x16 {
    return @splat(value);
}

pub inline fn load(source: [*]const f32) F32x16 {
    return source[0..lanes].*;
}

pub inline fn store(target: [*]f32, value: F32x16) void {
    target[0..lanes].* = value;
}

/// The first `count` ≤ 16 values; the other lanes are zero. Reads nothing behind them.
pub fn loadPartial(source: [*]const f32, count: usize) F32x16 {
    std.debug.assert(count <= lanes);
    var values: [lanes]f32 = @splat(0);
    @memcpy(values[0..count], source[0..count]);
    return values;
}

/// Writes the first `count` ≤ 16 lanes and nothing behind them.
pub fn storePartial(target: [*]f32, value: F32x16, count: usize) void {
    std.debug.assert(count <= lanes);
    const values: [lanes]f32 = value;
    @memcpy(target[0..count], values[0..count]);
}

/// The same address; what lies there is loaded again, not kept, where the level has few registers for a tile of sums.
pub inline fn reloaded(pointer: anytype) @TypeOf(pointer) {
    return if (has_avx512) pointer else hidden(pointer);
}

/// The same count or address, unknown to the compiler: a loop stays one, an address is not made anew from another one.
pub inline fn hidden(value: anytype) @TypeOf(value) {
    return if (!has_intrinsics) value else asm (""
        : [out] "=r" (-> @TypeOf(value)),
        : [in] "0" (value),
    );
}

/// Sum of the lanes: always halves added to halves, 16 → 8 → 4 → 2 → 1.
pub inline fn reduceAdd(value: F32x16) f32 {
    const v8 = half(f32, lanes, value, 0) + half(f32, lanes, value, 1);
    const v4 = half(f32, 8, v8, 0) + half(f32, 8, v8, 1);
    const v2 = half(f32, 4, v4, 0) + half(f32, 4, v4, 1);
    return v2[0] + v2[1];
}

/// Largest lane, by the same tree and `max`.
pub inline fn reduceMax(value: F32x16) f32 {
    const v8 = max(half(f32, lanes, value, 0), half(f32, lanes, value, 1));
    const v4 = max(half(f32, 8, v8, 0), half(f32, 8, v8, 1));
    const v2 = max(half(f32, 4, v4, 0), half(f32, 4, v4, 1));
    return max(v2[0], v2[1]);
}

/// a > b ? a : b, for f32 or a vector of f32 (b where either is NaN).
pub inline fn max(a: anytype, b: @TypeOf(a)) @TypeOf(a) {
    if (@typeInfo(@TypeOf(a)) != .vector) return if (a > b) a else b;
    return @select(f32, a > b, a, b);
}

/// a·b + c with one rounding, for f32 or a vector of f32. In software where the level has no such instruction.
pub inline fn fma(a: anytype, b: @TypeOf(a), c: @TypeOf(a)) @TypeOf(a) {
    if (has_fma) return @mulAdd(@TypeOf(a), a, b, c);
    if (options.plain) return a * b + c;
    if (@typeInfo(@TypeOf(a)) != .vector) return softFma(1, .{a}, .{b}, .{c})[0];
    return softFma(@typeInfo(@TypeOf(a)).vector.len, a, b, c);
}

/// Called, not inlined: the level that needs it is there for correctness alone, and its code would be five times as long.
pub noinline fn softFma(comptime n: usize, a: @Vector(n, f32), b: @Vector(n, f32), c: @Vector(n, f32)) @Vector(n, f32) {
    return @floatCast(oddFma(n, a, b, c));
}

/// The product of two f32 is exact in f64; the sum is rounded to odd there, so that a second rounding, to f32, is
/// the only one that matters (Boldo and Melquiond 2008).
pub fn oddFma(comptime n: usize, a: @Vector(n, f32), b: @Vector(n, f32), c: @Vector(n, f32)) @Vector(n, f64) {
    const F64 = @Vector(n, f64);
    const U64 = @Vector(n, u64);
    const product = @as(F64, @floatCast(a)) * @as(F64, @floatCast(b));
    const addend: F64 = @floatCast(c);
    const sum = product + addend;
    const rest = sum - product;
    const lost = (product - (sum - rest)) + (addend - rest);
    const zero: F64 = @splat(0);
    // All comparisons are false for a NaN `lost`, which is what an infinite operand leaves.
    const positive: U64 = @select(u64, lost > zero, @as(U64, @splat(1)), @as(U64, @splat(0)));
    const negative: U64 = @select(u64, lost < zero, @as(U64, @splat(1)), @as(U64, @splat(0)));
    const bits: U64 = @bitCast(sum);
    const even = ~bits & @as(U64, @splat(1));
    const below_zero = bits >> @splat(63);
    const away = (positive & (below_zero ^ @as(U64, @splat(1)))) | (negative & below_zero);
    const inexact = positive | negative;
    const odd = bits +% (away & even) -% ((inexact ^ away) & even);
    return @bitCast(odd);
}

/// A pair of bf16 values of K, the first in the low half, for each lane.
pub const PairsBf16 = U32x16;

/// acc + Σ over the pair, as vdpbf16ps does it: one FMA for the second product, then one for the first, both rounded to
/// nearest even; operands and results below the normal range are zeros of their sign.
pub inline fn dotBf16(acc: F32x16, weights: PairsBf16, x: PairsBf16) F32x16 {
    if (has_bf16_dot and has_intrinsics) return intrinsics.@"llvm.x86.avx512bf16.dpbf16ps.512"(acc, weights, x);
    return model_bf16.dot(acc, weights, x);
}

/// f16 bits → f32, exact.
pub inline fn f16ToF32(comptime n: usize, bits: @Vector(n, u16)) @Vector(n, f32) {
    if (has_half_conversion) return @floatCast(@as(@Vector(n, f16), @bitCast(bits)));
    const U32 = @Vector(n, u32);
    const wide: U32 = bits;
    const sign = (wide & @as(U32, @splat(0x8000))) << @splat(16);
    const magnitude = (wide & @as(U32, @splat(0x7fff))) << @splat(13);
    const normal = @as(@Vector(n, f32), @bitCast(magnitude)) * @as(@Vector(n, f32), @splat(0x1p112));
    const special = magnitude | @as(U32, @splat(0x7f800000));
    const quiet = special | @select(u32, magnitude > @as(U32, @splat(0x0f800000)), @as(U32, @splat(0x400000)), @as(U32, @splat(0)));
    const result = @select(u32, magnitude >= @as(U32, @splat(0x0f800000)), quiet, @as(U32, @bitCast(normal)));
    return @bitCast(result | sign);
}

/// f32 → f16 bits, rounded to nearest even; too large becomes infinite.
pub inline fn f32ToF16(comptime n: usize, values: @Vector(n, f32)) @Vector(n, u16) {
    if (has_half_conversion) return @bitCast(@as(@Vector(n, f16), @floatCast(values)));
    const U32 = @Vector(n, u32);
    const bits: U32 = @bitCast(values);
    const sign = (bits >> @splat(16)) & @as(U32, @splat(0x8000));
    const magnitude = bits & @as(U32, @splat(0x7fffffff));
    // Below 2^-14 the result is denormal: adding 0.5 makes the float adder round at the right place.
    const half_bits: U32 = @splat(0x3f000000);
    const shifted = @as(@Vector(n, f32), @bitCast(magnitude)) + @as(@Vector(n, f32), @splat(0.5));
    const denormal = @as(U32, @bitCast(shifted)) -% half_bits;
    const odd = (magnitude >> @splat(13)) & @as(U32, @splat(1));
    const normal = (magnitude +% @as(U32, @splat(0xfff)) +% odd -% @as(U32, @splat(0x38000000))) >> @splat(13);
    const nan = ((magnitude >> @splat(13)) & @as(U32, @splat(0x3ff))) | @as(U32, @splat(0x7e00));
    var result = @select(u32, magnitude < @as(U32, @splat(0x38800000)), denormal, normal);
    result = @select(u32, magnitude >= @as(U32, @splat(0x47800000)), @as(U32, @splat(0x7c00)), result);
    result = @select(u32, magnitude > @as(U32, @splat(0x7f800000)), nan, result);
    return @truncate(result | sign);
}

/// bf16 bits → f32, exact.
pub inline fn bf16ToF32(comptime n: usize, bits: @Vector(n, u16)) @Vector(n, f32) {
    return @bitCast(@as(@Vector(n, u32), bits) << @splat(16));
}

/// f32 → bf16 bits, rounded to nearest even.
pub inline fn f32ToBf16(comptime n: usize, values: @Vector(n, f32)) @Vector(n, u16) {
    const U32 = @Vector(n, u32);
    const bits: U32 = @bitCast(values);
    const odd = (bits >> @splat(16)) & @as(U32, @splat(1));
    const rounded = (bits +% @as(U32, @splat(0x7fff)) +% odd) >> @splat(16);
    const nan = (bits >> @splat(16)) | @as(U32, @splat(0x40));
    const is_nan = (bits & @as(U32, @splat(0x7fffffff))) > @as(U32, @splat(0x7f800000));
    return @truncate(@select(u32, is_nan, nan, rounded));
}

/// Values to bf16 as the instruction of the levels that multiply bf16 does it: denormals become zero, the rest is rounded to
/// nearest even.
pub inline fn roundToBf16(source: *const [lanes]f32) @Vector(lanes, u16) {
    if (!has_bf16_dot or !has_intrinsics) return f32ToBf16(lanes, model_bf16.flushed(source.*));
    return asm ("vcvtneps2bf16 %[source], %[result]"
        : [result] "=v" (-> @Vector(lanes, u16)),
        : [source] "v" (@as(F32x16, source.*)),
    );
}

/// Rounds half to even, |value| < 2^22, to a 32-bit integer. Anything else gives an unspecified integer, never a trap.
pub inline fn roundToInt(value: F32x16) I32x16 {
    const magic: F32x16 = @splat(0x1.8p23);
    return @as(I32x16, @bitCast(value + magic)) -% @as(I32x16, @bitCast(magic));
}

/// Largest magnitude as f32 bits: unsigned order of the bits is the order of magnitudes, with Inf and NaN on top.
pub inline fn reduceMaxBits(value: U32x16) u32 {
    return @reduce(.Max, value);
}

/// Lower (0) or upper (1) half of a vector.
pub inline fn half(comptime T: type, comptime n: usize, value: @Vector(n, T), comptime which: usize) @Vector(n / 2, T) {
    const mask = comptime mask: {
        var indices: [n / 2]i32 = undefined;
        for (&indices, 0..) |*index, i| index.* = @intCast(which * n / 2 + i);
        break :mask indices;
    };
    return @shuffle(T, value, undefined, mask);
}

// Row vectors ----------------------------------------------------------------------------------------------------

/// Rows of a panel: one lane of the virtual float vector each.
pub const panel_rows = 16;
/// Rows in one register: 4 bytes of K each.
pub const row_lanes = if (is_arm) 4 else if (has_avx512) 16 else 8;
/// f32 lanes of one register; all 16 where the level is there for correctness alone.
pub const register_lanes = if (fast) row_lanes else lanes;
/// Vector registers that fit a row vector.
pub const registers = if (is_arm or has_avx512) 32 else 16;
pub const RowU8 = @Vector(4 * row_lanes, u8);
pub const RowI8 = @Vector(4 * row_lanes, i8);
pub const RowI16 = @Vector(2 * row_lanes, i16);
pub const RowI32 = @Vector(row_lanes, i32);
pub const RowF32 = @Vector(row_lanes, f32);

/// LLVM's intrinsics take vectors as values. The C convention of Windows would pass them by address instead, which LLVM
/// compiles to nonsense, so another one of the architecture is named there; all of `intrinsics` must have it.
const intrinsic: std.builtin.CallingConvention =
    if (is_x86 and builtin.os.tag == .windows) .{ .x86_64_sysv = .{} } else .c;

const intrinsics = struct {
    extern fn @"llvm.x86.avx2.pmadd.ub.sw"(RowU8, RowI8) callconv(intrinsic) RowI16;
    extern fn @"llvm.x86.avx2.pmadd.wd"(RowI16, RowI16) callconv(intrinsic) RowI32;
    extern fn @"llvm.x86.avx2.psign.b"(RowI8, RowI8) callconv(intrinsic) RowI8;
    extern fn @"llvm.x86.avx2.pshuf.b"(RowU8, RowU8) callconv(intrinsic) RowU8;
    extern fn @"llvm.x86.avx512.pshuf.b.512"(RowU8, RowU8) callconv(intrinsic) RowU8;
    extern fn @"llvm.aarch64.neon.tbl1.v16i8"(RowU8, RowU8) callconv(intrinsic) RowU8;
    extern fn @"llvm.x86.avx512.pmaddubs.w.512"(RowU8, RowI8) callconv(intrinsic) RowI16;
    extern fn @"llvm.x86.avx512.pmaddw.d.512"(RowI16, RowI16) callconv(intrinsic) RowI32;
    /// The 256-bit one is what AVX-VNNI has, too.
    extern fn @"llvm.x86.avx512.vpdpbusd.256"(RowI32, RowU8, RowI8) callconv(intrinsic) RowI32;
    extern fn @"llvm.x86.avx512.vpdpbusd.512"(RowI32, RowU8, RowI8) callconv(intrinsic) RowI32;
    /// The 256-bit one is what AVX-VNNI has, too.
    extern fn @"llvm.x86.avx512.vpdpwssd.256"(RowI32, RowI16, RowI16) callconv(intrinsic) RowI32;
    extern fn @"llvm.x86.avx512.vpdpwssd.512"(RowI32, RowI16, RowI16) callconv(intrinsic) RowI32;
    extern fn @"llvm.x86.avx512bf16.dpbf16ps.512"(F32x16, PairsBf16, PairsBf16) callconv(intrinsic) F32x16;
    extern fn @"llvm.aarch64.neon.sdot.v4i32.v16i8"(RowI32, RowI8, RowI8) callconv(intrinsic) RowI32;
    extern fn @"llvm.aarch64.neon.smmla.v4i32.v16i8"(RowI32, RowI8, RowI8) callconv(intrinsic) RowI32;
};

/// Four K bytes of an activation column, given to every row.
pub inline fn broadcast4(source: [*]const i8) RowI8 {
    const word: u32 = @bitCast(source[0..4].*);
    return @bitCast(@as(@Vector(row_lanes, u32), @splat(word)));
}

/// Two int16 given to every row.
pub inline fn broadcast2(source: [*]const i16) RowI16 {
    const word: u32 = @bitCast(source[0..2].*);
    return @bitCast(@as(@Vector(row_lanes, u32), @splat(word)));
}

/// Even (0) or odd (1) elements, widened.
inline fn deinterleave(comptime Wide: type, comptime which: usize, value: anytype) @Vector(@typeInfo(@TypeOf(value)).vector.len / 2, Wide) {
    const info = @typeInfo(@TypeOf(value)).vector;
    const mask = comptime mask: {
        var indices: [info.len / 2]i32 = undefined;
        for (&indices, 0..) |*index, i| index.* = @intCast(2 * i + which);
        break :mask indices;
    };
    return @shuffle(info.child, value, undefined, mask);
}

/// How this level sums products over K within a row: `pairs` int16 sums, two per row, that a scale multiplies and joins
/// (x86); or int32 sums, one per row (sdot, VNNI).
pub const Partial = if (has_dot) RowI32 else RowI16;
/// A small integer factor per row in the shape that `scaled` wants.
pub const Scale = Partial;
/// How large a partial sum may grow, as the largest sum of magnitudes of one int16 lane's products.
pub const partial_max = if (has_dot) std.math.maxInt(i31) else std.math.maxInt(i16);

/// Σ over the four K bytes, per row. The caller bounds the int16 sums: |w|·|x| ≤ 32767 for each pair of products.
pub inline fn dot(weights: RowU8, x: RowI8) Partial {
    if (has_dot) return dotAdd(@splat(0), weights, x);
    return pairDot(weights, x);
}

inline fn pairDot(weights: RowU8, x: RowI8) RowI16 {
    if (has_avx512 and has_intrinsics) return intrinsics.@"llvm.x86.avx512.pmaddubs.w.512"(weights, x);
    if (has_avx2 and has_intrinsics) return intrinsics.@"llvm.x86.avx2.pmadd.ub.sw"(weights, x);
    const even = deinterleave(i16, 0, weights) *% deinterleave(i16, 0, x);
    return even +% deinterleave(i16, 1, weights) *% deinterleave(i16, 1, x);
}

/// partial + dot(weights, x). `weights` < 128 (sdot reads them as signed).
pub inline fn dotAdd(partial: Partial, weights: RowU8, x: RowI8) Partial {
    if (!has_dot) return partial +% pairDot(weights, x);
    if (has_vnni and has_avx512 and has_intrinsics) return intrinsics.@"llvm.x86.avx512.vpdpbusd.512"(partial, weights, x);
    if (has_vnni and has_intrinsics) return intrinsics.@"llvm.x86.avx512.vpdpbusd.256"(partial, weights, x);
    const signed: RowI8 = @bitCast(weights);
    if (has_sdot and has_intrinsics) return intrinsics.@"llvm.aarch64.neon.sdot.v4i32.v16i8"(partial, signed, x);
    const even = deinterleave(i16, 0, signed) *% deinterleave(i16, 0, x);
    const pairs: RowI16 = even +% deinterleave(i16, 1, signed) *% deinterleave(i16, 1, x);
    return partial +% pairSums(pairs);
}

inline fn pairSums(pairs: @Vector(2 * row_lanes, i16)) RowI32 {
    return deinterleave(i32, 0, pairs) +% deinterleave(i32, 1, pairs);
}

/// a₀·b₀ + a₁·b₁ of each row's two int16, as int32.
pub inline fn multiplyPairs(a: RowI16, b: RowI16) RowI32 {
    if (has_avx512 and has_intrinsics) return intrinsics.@"llvm.x86.avx512.pmaddw.d.512"(a, b);
    if (has_avx2 and has_intrinsics) return intrinsics.@"llvm.x86.avx2.pmadd.wd"(a, b);
    return deinterleave(i32, 0, a) *% deinterleave(i32, 0, b) +% deinterleave(i32, 1, a) *% deinterleave(i32, 1, b);
}

/// sum + multiplyPairs(a, b).
pub inline fn addPairs(sum: RowI32, a: RowI16, b: RowI16) RowI32 {
    if (has_wide_dot and has_intrinsics) return intrinsics.@"llvm.x86.avx512.vpdpwssd.512"(sum, a, b);
    if (has_short_dot and has_intrinsics) return intrinsics.@"llvm.x86.avx512.vpdpwssd.256"(sum, a, b);
    return sum +% multiplyPairs(a, b);
}

/// partial · scale, one int32 per row.
pub inline fn scaled(partial: Partial, scale: Scale) RowI32 {
    return if (has_dot) partial *% scale else multiplyPairs(partial, scale);
}

/// The partial sums as one int32 per row.
pub inline fn joined(partial: Partial) RowI32 {
    return if (has_dot) partial else multiplyPairs(partial, @splat(1));
}

/// Eight-bit signed weights, prepared once for several columns.
pub const SignedRows = struct {
    value: RowI8,
    /// Where the level multiplies unsigned by signed: value + 128 (VNNI), or |value| (AVX2).
    unsigned: RowU8,

    pub inline fn from(value: RowI8) SignedRows {
        const bytes: RowU8 = @bitCast(value);
        return .{ .value = value, .unsigned = if (has_vnni) bytes ^ splatBytes(128) else if (has_avx2) @abs(value) else undefined };
    }
};

/// What a sum of `dotSigned` starts from. offset: −8 · Σ x over all K bytes that follow.
pub inline fn signedStart(offset: i32) RowI32 {
    return if (has_vnni) @splat(offset *% 16) else @splat(0);
}

/// sum + Σ over the four K bytes, per row. x ≥ −127; the magnitudes' pair sums then stay under 2 · 128 · 127 = 32,512.
pub inline fn dotSigned(sum: RowI32, weights: SignedRows, x: RowI8) RowI32 {
    if (has_vnni) return dotAdd(sum, weights.unsigned, x);
    if (has_sdot and has_intrinsics) return intrinsics.@"llvm.aarch64.neon.sdot.v4i32.v16i8"(sum, weights.value, x);
    if (has_avx2) return sum +% multiplyPairs(pairDot(weights.unsigned, withSignOf(x, weights.value)), @splat(1));
    const even = deinterleave(i16, 0, weights.value) *% deinterleave(i16, 0, x);
    return sum +% pairSums(even +% deinterleave(i16, 1, weights.value) *% deinterleave(i16, 1, x));
}

/// x where `sign` is positive, −x where it is negative.
inline fn withSignOf(x: RowI8, sign: RowI8) RowI8 {
    if (has_avx2 and !has_avx512 and has_intrinsics) return intrinsics.@"llvm.x86.avx2.psign.b"(x, sign);
    return @select(i8, sign < @as(RowI8, @splat(0)), -%x, x);
}

/// Eight bytes of K of each of two rows, or of two columns (`has_block_dot`).
pub const Eights = @Vector(16, i8);

/// sum + { a₀·b₀, a₀·b₁, a₁·b₀, a₁·b₁ }, dot products of eights.
pub inline fn blockDotAdd(sum: RowI32, a: Eights, b: Eights) RowI32 {
    comptime std.debug.assert(has_block_dot);
    if (has_intrinsics) return intrinsics.@"llvm.aarch64.neon.smmla.v4i32.v16i8"(sum, a, b);
    var result = sum;
    inline for (0..4) |i| {
        const row: @Vector(8, i32) = half(i8, 16, a, i / 2);
        const column: @Vector(8, i32) = half(i8, 16, b, i % 2);
        result[i] +%= @reduce(.Add, row *% column);
    }
    return result;
}

/// Two small integers per row (bytes 2 · row and 2 · row + 1) as int16 pairs.
pub inline fn widenPairs(comptime Byte: type, source: *const [2 * row_lanes]Byte) RowI16 {
    return @as(@Vector(2 * row_lanes, Byte), source.*);
}

/// The first (0) or second (1) of each row's pair as a `Scale`.
pub inline fn scaleOf(pairs: RowI16, comptime which: usize) Scale {
    if (has_dot) {
        const words: RowI32 = @bitCast(pairs);
        return (if (which == 0) words << @splat(16) else words) >> @splat(16);
    }
    return repeatOf(pairs, which);
}

/// Both bytes of 16-bit products, taken apart: the lower ones unsigned, the upper ones with the product's sign.
pub const Digits = struct { low: RowU8, high: RowU8 };

/// (weights · scale − offset) of every byte, as two digits: low + 256 · high. The products must fit in int16; the second of
/// each row's pair in `scale` and `offset` repeats the first.
pub inline fn scaledDigits(weights: RowU8, scale: RowI16, offset: ?RowI16) Digits {
    const lower: RowI16 = @splat(0xff);
    const even_scale = scale & lower;
    var even = pairDot(weights, @bitCast(even_scale));
    var odd = pairDot(weights, @bitCast(even_scale << @splat(8)));
    if (offset) |value| {
        even -%= value;
        odd -%= value;
    }
    const U16 = @Vector(2 * row_lanes, u16);
    const even_bits: U16 = @bitCast(even);
    const odd_bits: U16 = @bitCast(odd);
    const low_mask: U16 = @splat(0xff);
    return .{
        .low = @bitCast((even_bits & low_mask) | (odd_bits << @splat(8))),
        .high = @bitCast((even_bits >> @splat(8)) | (odd_bits & ~low_mask)),
    };
}

/// The first (0) or second (1) of each row's pair, twice.
pub inline fn repeatOf(pairs: RowI16, comptime which: usize) RowI16 {
    const mask = comptime mask: {
        var indices: [2 * row_lanes]i32 = undefined;
        for (&indices, 0..) |*index, i| index.* = @intCast(i / 2 * 2 + which);
        break :mask indices;
    };
    return @shuffle(i16, pairs, undefined, mask);
}

pub inline fn splatBytes(value: u8) RowU8 {
    return @splat(value);
}

/// table[index] for every byte; indices are below 16.
pub inline fn lookup(table: @Vector(16, u8), indices: RowU8) RowU8 {
    const mask = comptime mask: {
        var places: [4 * row_lanes]i32 = undefined;
        for (&places, 0..) |*place, i| place.* = i % 16;
        break :mask places;
    };
    const repeated = @shuffle(u8, table, undefined, mask);
    if (has_avx512 and has_intrinsics) return intrinsics.@"llvm.x86.avx512.pshuf.b.512"(repeated, indices);
    if (has_avx2 and has_intrinsics) return intrinsics.@"llvm.x86.avx2.pshuf.b"(repeated, indices);
    if (is_arm and has_intrinsics) return intrinsics.@"llvm.aarch64.neon.tbl1.v16i8"(repeated, indices);
    const bytes: [16]u8 = table;
    const places: [4 * row_lanes]u8 = indices;
    var result: [4 * row_lanes]u8 = undefined;
    for (&result, places) |*value, place| value.* = bytes[place & 15];
    return result;
}

/// `count` bits of each byte moved from position `from` to `to`; the other bits are zero.
pub inline fn moveBits(bytes: RowU8, comptime from: u3, comptime to: u3, comptime count: u4) RowU8 {
    // Shifting 16 bits at once lets bits cross bytes, which the mask removes: x86 has no shift of bytes.
    const wide: @Vector(2 * row_lanes, u16) = @bitCast(bytes);
    const moved = if (from > to) wide >> @splat(from - to) else wide << @splat(to - from);
    return @as(RowU8, @bitCast(moved)) & splatBytes(((1 << count) - 1) << to);
}

pub inline fn toFloat(value: RowI32) RowF32 {
    return @floatFromInt(value);
}

pub inline fn splatRows(value: f32) RowF32 {
    return @splat(value);
}

test {
    _ = @import("simd_test.zig");
}
