//! Activations as int8, for the matmuls of the integer formats.
//!
//! A column is one token's vector of k values. Each block of 32 or 256 values shares a scale d = max|x| / 127, and
//! q = round_half_even(x · 127 / max|x|), so −127 ≤ q ≤ 127: never −128, which the kernels' int16 bounds rely on.
//! Sums of q stand beside, so that a format's constant offset or mins cost a multiply per block and not per element.
//!
//! One column in memory is a sequence of groups of 256 values (the last may be partly used), 320 bytes each, so that
//! a kernel needs one pointer a column: Group32 or Group256 below.
//!
//! An activation, what a matmul reads, is one matrix [n, k] in one or more forms that lie one after another in one region: as
//! f32, and quantised in each kind that somebody reads. `Kind` is the list: a new kind has a line there, a group, and a
//! quantiser here; what passes activations on goes over all of them.
//!
//! A block with a NaN or an infinity gets scale NaN and q = 0: outputs that use it are NaN, as in floating point.
//! A block below 2^-100 everywhere is taken as zero (127 / max|x| could overflow).

const std = @import("std");
const simd = @import("../isa/simd.zig");

pub const Kind = enum(u32) {
    /// One scale per 32 values: for Q4_0 and Q8_0.
    per32 = 0,
    /// One scale per 256 values: for Q2_K to Q6_K.
    per256 = 1,

    /// The kind's bit in a mask of forms.
    pub fn form(kind: Kind) u32 {
        return form_f32 << 1 + @as(u5, @intCast(@backingInt(kind)));
    }

    pub fn blockLen(kind: Kind) usize {
        return switch (kind) {
            .per32 => 32,
            .per256 => 256,
        };
    }
};

pub const kinds = std.enums.values(Kind).len;
/// The bit of f32, row-major, in a mask of forms.
pub const form_f32: u32 = 1;
/// All bits that a mask of forms can have.
pub const forms_all: u32 = (form_f32 << 1 + kinds) - 1;

/// Where a matrix [n, k] lies, by form; null: it is not wanted or not there.
pub const Activation = extern struct {
    f32: ?[*]f32 = null,
    /// By kind: n quantised columns, aligned to 64 bytes.
    quantised: [kinds]?[*]u8 = @splat(null),

    pub fn of(activation: *const Activation, kind: Kind) ?[*]u8 {
        return activation.quantised[@backingInt(kind)];
    }
};

/// Where each form of an activation begins in its region: f32 first, then each kind, in the order of their bits. That depends
/// on n too, so who reads an activation with several forms reads as many rows as were written.
pub const Layout = struct {
    forms: u32,
    f32_bytes: usize,
    columns_bytes: [kinds]usize,
    bytes: usize,

    pub fn of(forms: u32, n: u32, k: u32) error{ Overflow, InvalidArgument, ShapeMismatch }!Layout {
        if (forms == 0 or forms & ~forms_all != 0) return error.InvalidArgument;
        var layout: Layout = .{ .forms = forms, .f32_bytes = 0, .columns_bytes = @splat(0), .bytes = 0 };
        if (forms & form_f32 != 0) {
            const count = @as(u64, n) * k;
            const bytes = std.math.mul(u64, count, @sizeOf(f32)) catch return error.Overflow;
            layout.f32_bytes = try aligned(bytes);
        }
        layout.bytes = layout.f32_bytes;
        for (std.enums.values(Kind), &layout.columns_bytes) |kind, *columns| {
            if (forms & kind.form() == 0) continue;
            if (k == 0 or k % kind.blockLen() != 0) return error.ShapeMismatch;
            columns.* = try aligned(std.math.mul(u64, n, columnBytes(kind, k)) catch return error.Overflow);
            layout.bytes = std.math.add(usize, layout.bytes, columns.*) catch return error.Overflow;
        }
        return layout;
    }

    fn aligned(bytes: u64) error{Overflow}!usize {
        const rounded = std.math.add(u64, bytes, 63) catch return error.Overflow;
        return std.math.cast(usize, rounded & ~@as(u64, 63)) orelse error.Overflow;
    }

    /// The forms in a region of `bytes` bytes.
    pub fn at(layout: *const Layout, region: [*]align(64) u8) Activation {
        std.debug.assert(layout.forms != 0 and layout.forms & ~forms_all == 0);
        var next: usize = layout.f32_bytes;
        var result: Activation = .{ .f32 = if (layout.forms & form_f32 != 0) @ptrCast(region) else null };
        for (std.enums.values(Kind), layout.columns_bytes, &result.quantised) |kind, bytes, *columns| {
            if (layout.forms & kind.form() != 0) columns.* = region + next;
            next += bytes;
        }
        std.debug.assert(next == layout.bytes);
        return result;
    }
};

const smallest_max = 0x1p-100;

pub const group_len = 256;

/// Eight blocks of 32 values.
pub const Group32 = extern struct {
    q: [group_len]i8,
    scales: [8]f32,
    /// −8 · Σ q of each block: the constant offset of Q4_0.
    offsets: [8]i32,
};

/// One block of 256 values.
pub const Group256 = extern struct {
    q: [group_len]i8,
    /// Σ q of each 32: for the mins of Q4_K and Q5_K.
    sums32: [8]i16,
    /// Σ q of each 16: for the constant offsets of Q3_K and Q6_K and the mins of Q2_K.
    sums16: [16]i16,
    scale: f32,
    unused: [3]u32,
};

pub const group_bytes = 320;

comptime {
    std.debug.assert(@sizeOf(Group32) == group_bytes and @sizeOf(Group256) == group_bytes);
    std.debug.assert(group_bytes % 64 == 0);
}

/// Bytes of one column of k values; k a multiple of the kind's block. A multiple of 64.
pub fn columnBytes(kind: Kind, k: usize) usize {
    std.debug.assert(k % kind.blockLen() == 0);
    return (k + group_len - 1) / group_len * group_bytes;
}

/// Activation columns, `stride` bytes apart.
pub const Columns = struct {
    first: [*]const u8,
    stride: usize,

    pub inline fn group(columns: Columns, comptime Group: type, column: usize, index: usize) *const Group {
        return @ptrCast(@alignCast(columns.first + column * columns.stride + index * group_bytes));
    }
};

/// Quantises row `row` of x: [n, k] in every kind that is wanted.
pub fn quantizeRow(x: []const f32, target: *const Activation, row: usize) void {
    for (std.enums.values(Kind)) |kind| {
        const columns = target.of(kind) orelse continue;
        const bytes = columnBytes(kind, x.len);
        quantizeColumn(kind, x, columns[row * bytes ..][0..bytes]);
    }
}

/// Quantises one column. x: [k], dst: at least columnBytes(kind, k) bytes, aligned to 64 bytes.
pub fn quantizeColumn(kind: Kind, x: []const f32, dst: []u8) void {
    std.debug.assert(dst.len >= columnBytes(kind, x.len));
    std.debug.assert(@intFromPtr(dst.ptr) % 64 == 0);
    switch (kind) {
        .per32 => quantizeColumn32(x, dst),
        .per256 => quantizeColumn256(x, dst),
    }
}

fn quantizeColumn32(x: []const f32, dst: []u8) void {
    const groups: [*]Group32 = @ptrCast(@alignCast(dst.ptr));
    for (0..x.len / 32) |block| {
        const group = &groups[block / 8];
        const i = block % 8;
        var sums: [2]i32 = undefined;
        group.scales[i] = quantizeBlock(32, x[block * 32 ..][0..32], group.q[i * 32 ..][0..32], &sums);
        group.offsets[i] = -8 * (sums[0] + sums[1]);
    }
}

fn quantizeColumn256(x: []const f32, dst: []u8) void {
    const groups: [*]Group256 = @ptrCast(@alignCast(dst.ptr));
    for (0..x.len / group_len) |block| {
        const group = &groups[block];
        var sums: [16]i32 = undefined;
        group.scale = quantizeBlock(group_len, x[block * group_len ..][0..group_len], &group.q, &sums);
        group.unused = @splat(0);
        for (&group.sums16, sums) |*sum, value| sum.* = @intCast(value);
        for (&group.sums32, 0..) |*sum, i| sum.* = @intCast(sums[2 * i] + sums[2 * i + 1]);
    }
}

/// Fills q and the sums of each 16; returns the scale.
inline fn quantizeBlock(comptime n: usize, x: *const [n]f32, q: *[n]i8, sums: *[n / 16]i32) f32 {
    const magnitude_mask: simd.U32x16 = @splat(0x7fffffff);
    var top: simd.U32x16 = @splat(0);
    for (0..n / 16) |i| {
        const bits: simd.U32x16 = @bitCast(simd.load(x[i * 16 ..].ptr));
        top = @max(top, bits & magnitude_mask);
    }
    const largest: f32 = @bitCast(simd.reduceMaxBits(top));
    if (!(largest >= smallest_max and largest <= std.math.floatMax(f32))) {
        @memset(q, 0);
        @memset(sums, 0);
        return if (largest < smallest_max) 0 else std.math.nan(f32);
    }
    std.debug.assert(std.math.isFinite(127.0 / largest));
    const inverse = simd.splat(127.0 / largest);
    const limit: simd.I32x16 = @splat(127);
    for (0..n / 16) |i| {
        const rounded = simd.roundToInt(simd.load(x[i * 16 ..].ptr) * inverse);
        const clamped = @max(-limit, @min(limit, rounded));
        q[i * 16 ..][0..16].* = @as(@Vector(16, i8), @truncate(clamped));
        sums[i] = @reduce(.Add, clamped);
    }
    return largest / 127.0;
}

const testing = @import("../testing/testing.zig");

test "the forms of an activation follow one another without a gap" {
    const all = try Layout.of(forms_all, 3, 512);
    var region: [3 * 512 * 4 + 2 * 3 * 2 * group_bytes]u8 align(64) = undefined;
    try std.testing.expectEqual(region.len, all.bytes);
    const here = all.at(&region);
    try std.testing.expectEqual(@intFromPtr(&region), @intFromPtr(here.f32.?));
    try std.testing.expectEqual(@intFromPtr(&region) + 3 * 512 * 4, @intFromPtr(here.of(.per32).?));
    try std.testing.expectEqual(@intFromPtr(&region) + 3 * 512 * 4 + 3 * 2 * group_bytes, @intFromPtr(here.of(.per256).?));
    const one = try Layout.of(Kind.per256.form(), 3, 512);
    try std.testing.expectEqual(3 * 2 * group_bytes, one.bytes);
    try std.testing.expectEqual(null, one.at(&region).f32);
    try std.testing.expectEqual(null, one.at(&region).of(.per32));
    // An odd row of f32 is filled up, and masks and shapes that there are not are refused.
    try std.testing.expectEqual(128, (try Layout.of(form_f32, 1, 17)).bytes);
    try std.testing.expectError(error.InvalidArgument, Layout.of(0, 1, 256));
    try std.testing.expectError(error.InvalidArgument, Layout.of(forms_all + 1, 1, 256));
    try std.testing.expectError(error.ShapeMismatch, Layout.of(Kind.per256.form(), 1, 32));
    try std.testing.expectError(error.Overflow, Layout.of(form_f32, 0xFFFF_FFFF, 0xFFFF_FFFF));
}

test "quantizeColumn rounds to the nearest step, half to even, and sums" {
    var rng: testing.Rng = .init(11);
    for ([_]Kind{ .per32, .per256 }) |kind| {
        for ([_]usize{ 256, 768, 2048 }) |k| {
            var x: testing.GuardedBuffer = try testing.guarded(f32, k);
            defer x.deinit();
            var dst: testing.GuardedBuffer = try .init(columnBytes(kind, k));
            defer dst.deinit();
            rng.fill(x.slice(f32), 3);
            quantizeColumn(kind, x.slice(f32), dst.bytes);
            try expectColumn(kind, x.slice(f32), dst.bytes);
        }
    }
}

fn expectColumn(kind: Kind, x: []const f32, bytes: []const u8) !void {
    const len = kind.blockLen();
    const groups32: [*]const Group32 = @ptrCast(@alignCast(bytes.ptr));
    const groups256: [*]const Group256 = @ptrCast(@alignCast(bytes.ptr));
    for (0..x.len / len) |block| {
        const first = block * len;
        var largest: f32 = 0;
        for (x[first..][0..len]) |value| largest = @max(largest, @abs(value));
        var sum: i32 = 0;
        for (x[first..][0..len], 0..) |value, i| {
            const exact = value * (127.0 / largest);
            const q = groups32[first / 256].q[(first + i) % 256];
            const distance = @abs(exact - @as(f32, @floatFromInt(q)));
            try std.testing.expect(distance < 0.5 or (distance == 0.5 and @mod(q, 2) == 0));
            sum += q;
        }
        switch (kind) {
            .per32 => {
                try std.testing.expectEqual(largest / 127.0, groups32[block / 8].scales[block % 8]);
                try std.testing.expectEqual(-8 * sum, groups32[block / 8].offsets[block % 8]);
            },
            .per256 => {
                const group = &groups256[block];
                try std.testing.expectEqual(largest / 127.0, group.scale);
                for (group.sums32, 0..) |part, i| {
                    try std.testing.expectEqual(part, group.sums16[2 * i] + group.sums16[2 * i + 1]);
                    sum -= part;
                }
                try std.testing.expectEqual(0, sum);
            },
        }
    }
}

test "quantizeColumn of NaN, infinity, zero and denormals" {
    var x: [256]f32 = @splat(1);
    var dst: [columnBytes(.per256, 256)]u8 align(64) = undefined;
    const column: *const Group256 = @ptrCast(&dst);
    for ([_]f32{ std.math.nan(f32), std.math.inf(f32), -std.math.inf(f32) }) |bad| {
        x[77] = bad;
        quantizeColumn(.per256, &x, &dst);
        try std.testing.expect(std.math.isNan(column.scale));
        try std.testing.expectEqual(0, column.q[3]);
        try std.testing.expectEqual(0, column.sums16[3]);
    }
    for ([_]f32{ 0, -0.0, 1e-41, 1e-31 }) |tiny| {
        x = @splat(tiny);
        quantizeColumn(.per256, &x, &dst);
        try std.testing.expectEqual(0, column.scale);
        try std.testing.expectEqual(0, column.q[255]);
    }
    x = @splat(-1e-29);
    quantizeColumn(.per256, &x, &dst);
    try std.testing.expectEqual(-127, column.q[0]);
    x = @splat(3e38);
    quantizeColumn(.per256, &x, &dst);
    try std.testing.expectEqual(127, column.q[0]);
}
