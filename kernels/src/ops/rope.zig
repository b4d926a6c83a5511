//! Rotary position embedding (Su et al. 2021): tables of cosines and sines, computed in f64 with our own functions, and the
//! rotation of one head.
//!
//! Pair i of n_rot/2 turns by position · f_i. Unscaled, f_i = base^(−2i/n_rot). `freq_factors` divide each f_i (Llama 3.x
//! files carry them as rope_freqs.weight). Scaling on top of that, with s = 1/factor:
//!
//!     linear   f_i · s                                                               (Chen et al. 2023)
//!     yarn     f_i · (s·(1−m_i) + m_i), m_i = ext_factor · ramp(i); table times attn_factor · (1 + 0.1·ln factor)
//!              unless ext_factor = 0                                               (Peng et al. 2023)
//!     llama3   f_i where a wavelength is short against original_context / high_freq, f_i · s where it is long against
//!              original_context / low_freq, a blend between                        (Llama 3.1)
//!
//! attn_factor multiplies the table in every mode, as in llama.cpp.

const std = @import("std");
const math = @import("math.zig");

pub const Scaling = enum(u32) { none = 0, linear = 1, yarn = 2, llama3 = 3 };

pub const Pairing = enum(u32) {
    /// Pairs (2i, 2i + 1): "norm".
    interleaved = 0,
    /// Pairs (i, i + n_rot/2): "neox".
    halves = 1,
};

pub const n_rot_max = 256;
pub const positions_max = 1 << 20;

/// What a table is made from. `freq_factors` names a vector of n_rot/2 values or none; who holds the vectors resolves it.
pub const Desc = extern struct {
    n_rot: u32,
    max_positions: u32,
    scaling: u32,
    freq_factors: u32,
    base: f32,
    factor: f32,
    original_context: f32,
    /// low_freq_factor of llama3; beta_slow of yarn.
    low_freq: f32,
    /// high_freq_factor of llama3; beta_fast of yarn.
    high_freq: f32,
    attn_factor: f32,
    ext_factor: f32,
};

/// f32 values of a table: [max_positions][2][n_rot / 2], cosines before sines.
pub fn tableLen(desc: Desc) usize {
    return @as(usize, desc.max_positions) * desc.n_rot;
}

/// Frequencies and amplitude of a table.
pub const Frequencies = struct {
    radians: [n_rot_max / 2]f64,
    scale: f64,

    pub const Error = error{InvalidRope};

    /// Refuses odd or large n_rot, values that are not finite or out of range, factors ≤ 0 and angles beyond `sinCos`.
    pub fn init(desc: Desc, freq_factors: ?[]const f32) Error!Frequencies {
        const half = desc.n_rot / 2;
        if (half == 0 or desc.n_rot % 2 != 0 or desc.n_rot > n_rot_max) return error.InvalidRope;
        if (desc.max_positions == 0 or desc.max_positions > positions_max) return error.InvalidRope;
        if (!within(desc.base, 1.0 + 1e-6, 1e12) or !within(desc.attn_factor, 1e-6, 1e6)) return error.InvalidRope;
        if (freq_factors) |factors| if (factors.len != half) return error.InvalidRope;
        const scaling: Scaling = switch (desc.scaling) {
            0 => .none,
            1 => .linear,
            2 => .yarn,
            3 => .llama3,
            else => return error.InvalidRope,
        };
        if (scaling != .none and !within(desc.factor, 1e-3, 1e6)) return error.InvalidRope;
        if (scaling == .yarn or scaling == .llama3) {
            if (!within(desc.original_context, 1, 1e9) or !within(desc.low_freq, 1e-6, 1e6)) return error.InvalidRope;
            if (!within(desc.high_freq, 1e-6, 1e6)) return error.InvalidRope;
        }
        if (scaling == .llama3 and desc.high_freq <= desc.low_freq) return error.InvalidRope;
        if (scaling == .yarn and !within(desc.ext_factor, 0, 1)) return error.InvalidRope;
        var result: Frequencies = .{ .radians = undefined, .scale = desc.attn_factor };
        for (result.radians[0..half], 0..) |*radians, i| {
            const exponent = -2.0 * @as(f64, @floatFromInt(i)) / @as(f64, @floatFromInt(desc.n_rot));
            var f = math.pow(desc.base, exponent);
            if (freq_factors) |factors| {
                if (!within(factors[i], 1e-3, 1e9)) return error.InvalidRope;
                f /= factors[i];
            }
            radians.* = scaled(desc, scaling, f, i);
            if (!(radians.* * @as(f64, @floatFromInt(desc.max_positions)) <= math.sin_cos_limit)) return error.InvalidRope;
        }
        if (scaling == .yarn and desc.ext_factor != 0) result.scale *= 1.0 + 0.1 * math.ln(desc.factor);
        return result;
    }

    /// Fills the rows of positions first, first + 1, … of a table; `rows` is a whole number of them.
    pub fn fill(frequencies: *const Frequencies, n_rot: u32, first: u32, rows: []f32) void {
        const half = n_rot / 2;
        std.debug.assert(rows.len % n_rot == 0);
        for (0..rows.len / n_rot) |i| {
            const position: f64 = @floatFromInt(first + i);
            const row = rows[i * n_rot ..][0..n_rot];
            for (frequencies.radians[0..half], row[0..half], row[half..]) |radians, *cos, *sin| {
                const turn = math.sinCos(position * radians);
                cos.* = @floatCast(turn.cos * frequencies.scale);
                sin.* = @floatCast(turn.sin * frequencies.scale);
            }
        }
    }
};

fn within(value: f32, low: f32, high: f32) bool {
    return value >= low and value <= high; // false for NaN
}

fn scaled(desc: Desc, scaling: Scaling, f: f64, i: usize) f64 {
    const s = 1.0 / @as(f64, desc.factor);
    return switch (scaling) {
        .none => f,
        .linear => f * s,
        .yarn => {
            const mix = yarnRamp(desc, i) * desc.ext_factor;
            return f * s * (1.0 - mix) + f * mix;
        },
        .llama3 => {
            const wavelength = 2.0 * std.math.pi / f;
            const turns = desc.original_context / wavelength;
            if (turns > desc.high_freq) return f;
            if (turns < desc.low_freq) return f * s;
            const smooth = (turns - desc.low_freq) / (@as(f64, desc.high_freq) - desc.low_freq);
            return (1.0 - smooth) * f * s + smooth * f;
        },
    };
}

/// 1 for pairs that turn more than beta_fast times within the original context, 0 for those below beta_slow, linear between.
fn yarnRamp(desc: Desc, i: usize) f64 {
    const low = @max(0.0, @floor(yarnPair(desc, desc.high_freq)));
    const high = @min(@as(f64, @floatFromInt(desc.n_rot - 1)), @ceil(yarnPair(desc, desc.low_freq)));
    const y = (@as(f64, @floatFromInt(i)) - low) / @max(0.001, high - low);
    return 1.0 - @min(1.0, @max(0.0, y));
}

/// The (fractional) pair that turns `turns` times within the original context.
fn yarnPair(desc: Desc, turns: f64) f64 {
    const dims: f64 = @floatFromInt(desc.n_rot);
    return dims * math.ln(desc.original_context / (turns * 2.0 * std.math.pi)) / (2.0 * math.ln(desc.base));
}

/// Rotates the first n_rot values of one head in place. cos_sin: one row of the table, [2][n_rot / 2].
pub fn rotate(pairing: Pairing, head: []f32, cos_sin: []const f32) void {
    const half = cos_sin.len / 2;
    const cos = cos_sin[0..half];
    const sin = cos_sin[half..];
    const stride: usize = if (pairing == .interleaved) 2 else 1;
    const apart: usize = if (pairing == .interleaved) 1 else half;
    var i: usize = 0;
    const V = @Vector(8, f32);
    const even = @Vector(8, i32){ 0, 2, 4, 6, 8, 10, 12, 14 };
    const odd = @Vector(8, i32){ 1, 3, 5, 7, 9, 11, 13, 15 };
    const joined = @Vector(16, i32){ 0, -1, 1, -2, 2, -3, 3, -4, 4, -5, 5, -6, 6, -7, 7, -8 };
    while (i + 8 <= half) : (i += 8) {
        const c: V = cos[i..][0..8].*;
        const s: V = sin[i..][0..8].*;
        if (pairing == .interleaved) {
            const both: @Vector(16, f32) = head[2 * i ..][0..16].*;
            const a = @shuffle(f32, both, undefined, even);
            const b = @shuffle(f32, both, undefined, odd);
            head[2 * i ..][0..16].* = @shuffle(f32, a * c - b * s, a * s + b * c, joined);
        } else {
            const a: V = head[i..][0..8].*;
            const b: V = head[half + i ..][0..8].*;
            head[i..][0..8].* = a * c - b * s;
            head[half + i ..][0..8].* = a * s + b * c;
        }
    }
    while (i < half) : (i += 1) {
        const a = head[i * stride];
        const b = head[i * stride + apart];
        head[i * stride] = a * cos[i] - b * sin[i];
        head[i * stride + apart] = a * sin[i] + b * cos[i];
    }
}

pub fn rotateReference(pairing: Pairing, head: []f32, cos_sin: []const f32) void {
    const half = cos_sin.len / 2;
    for (0..half) |i| {
        const first = if (pairing == .interleaved) 2 * i else i;
        const second = if (pairing == .interleaved) 2 * i + 1 else i + half;
        const a: f64 = head[first];
        const b: f64 = head[second];
        head[first] = @floatCast(a * cos_sin[i] - b * cos_sin[half + i]);
        head[second] = @floatCast(a * cos_sin[half + i] + b * cos_sin[i]);
    }
}

const testing = @import("../testing/testing.zig");

const plain: Desc = .{
    .n_rot = 64,
    .max_positions = 4096,
    .scaling = 0,
    .freq_factors = 0xffffffff,
    .base = 10000,
    .factor = 1,
    .original_context = 2048,
    .low_freq = 1,
    .high_freq = 32,
    .attn_factor = 1,
    .ext_factor = 1,
};

test "tables hold cosines and sines of position times frequency" {
    const f: Frequencies = try .init(plain, null);
    var rows: [3 * 64]f32 = undefined;
    f.fill(64, 4093, &rows);
    for (0..3) |row| for (0..32) |i| {
        const exponent = -@as(f64, @floatFromInt(i)) / 32.0;
        const angle = @as(f64, @floatFromInt(4093 + row)) * std.math.pow(f64, 10000, exponent);
        try std.testing.expectApproxEqAbs(@cos(angle), rows[row * 64 + i], 1e-7);
        try std.testing.expectApproxEqAbs(@sin(angle), rows[row * 64 + 32 + i], 1e-7);
    };
}

test "scaled frequencies follow their definitions" {
    var desc = plain;
    desc.factor = 4;
    const base: Frequencies = try .init(plain, null);
    desc.scaling = @backingInt(Scaling.linear);
    const linear: Frequencies = try .init(desc, null);
    desc.scaling = @backingInt(Scaling.yarn);
    const yarn: Frequencies = try .init(desc, null);
    try std.testing.expectApproxEqRel(1.0 + 0.1 * @log(4.0), yarn.scale, 1e-12);
    desc.scaling = @backingInt(Scaling.llama3);
    desc.high_freq = 4;
    const llama3: Frequencies = try .init(desc, null);
    const factors: [32]f32 = @splat(2);
    const divided: Frequencies = try .init(plain, &factors);
    // Pairs that turn 32 times and once in 2048 positions: 32·ln(2048 / (2π·turns)) / ln 10000.
    const low: f64 = 8.0; // floor of 8.07
    const high: f64 = 21.0; // ceil of 20.1
    for (0..32) |i| {
        const f = base.radians[i];
        try std.testing.expectApproxEqRel(f / 4, linear.radians[i], 1e-14);
        try std.testing.expectApproxEqRel(f / 2, divided.radians[i], 1e-14);
        const x: f64 = @floatFromInt(i);
        const mix = 1.0 - @min(1.0, @max(0.0, (x - low) / (high - low)));
        try std.testing.expectApproxEqRel(f / 4 * (1 - mix) + f * mix, yarn.radians[i], 1e-12);
        const turns = 2048.0 * f / (2.0 * std.math.pi);
        const smooth = @min(1.0, @max(0.0, (turns - 1.0) / 3.0));
        try std.testing.expectApproxEqRel((1 - smooth) * f / 4 + smooth * f, llama3.radians[i], 1e-12);
    }
}

test "impossible descriptions are refused" {
    inline for (.{
        .{ "n_rot", 0 },         .{ "n_rot", 63 },                    .{ "n_rot", 258 },
        .{ "max_positions", 0 }, .{ "max_positions", (1 << 20) + 1 }, .{ "scaling", 4 },
        .{ "base", 0.5 },        .{ "base", std.math.nan(f32) },      .{ "attn_factor", 0 },
    }) |case| {
        var desc = plain;
        @field(desc, case[0]) = case[1];
        try std.testing.expectError(error.InvalidRope, Frequencies.init(desc, null));
    }
    var desc = plain;
    desc.scaling = 1;
    desc.factor = 0;
    try std.testing.expectError(error.InvalidRope, Frequencies.init(desc, null));
    const few: [31]f32 = @splat(1);
    try std.testing.expectError(error.InvalidRope, Frequencies.init(plain, &few));
    const zeros: [32]f32 = @splat(0);
    try std.testing.expectError(error.InvalidRope, Frequencies.init(plain, &zeros));
}

test "rotate matches the reference for whole and partial heads" {
    var rng: testing.Rng = .init(31);
    for ([_]Pairing{ .interleaved, .halves }) |pairing| {
        for ([_]u32{ 2, 8, 20, 32, 64, 80, 128 }) |n_rot| {
            for ([_]u32{ 0, 8 }) |rest| {
                var head = try testing.guarded(f32, n_rot + rest);
                defer head.deinit();
                var row: [128]f32 = undefined;
                var desc = plain;
                desc.n_rot = n_rot;
                (try Frequencies.init(desc, null)).fill(n_rot, 1234, row[0..n_rot]);
                var expected: [136]f32 = undefined;
                rng.fill(head.slice(f32), 2);
                @memcpy(expected[0 .. n_rot + rest], head.slice(f32));
                rotateReference(pairing, expected[0 .. n_rot + rest], row[0..n_rot]);
                rotate(pairing, head.slice(f32), row[0..n_rot]);
                try testing.expectClose(expected[0 .. n_rot + rest], head.slice(f32), 3e-7, 3e-7);
            }
        }
    }
}
