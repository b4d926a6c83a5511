//! The tile unit against a scalar model; and the real instructions, computed by hardware, by an emulator or by the trap,
//! against sums known from the unit.

const std = @import("std");
const builtin = @import("builtin");
const testing = @import("../testing/testing.zig");
const tile_trap = @import("tile_trap.zig");
const tile_unit = @import("tile_unit.zig");
const decode = @import("tile_instruction.zig").decode;
const Config = tile_unit.Config;
const Signs = tile_unit.Signs;
const Unit = tile_unit.Unit;

const all_signs = [_]Signs{
    .{ .a = false, .b = false },
    .{ .a = false, .b = true },
    .{ .a = true, .b = false },
    .{ .a = true, .b = true },
};

const Shape = struct { rows: u8, columns: u8, depth: u8 };

fn randomShape(rng: *testing.Rng) Shape {
    return .{ .rows = rng.between(u8, 1, 16), .columns = rng.between(u8, 1, 16), .depth = rng.between(u8, 1, 16) };
}

/// Tile 0: the sum; 1: a; 2: b.
fn configFor(shape: Shape) Config {
    var config: Config = .{ .palette = 1 };
    config.rows[0..3].* = .{ shape.rows, shape.rows, shape.depth };
    config.row_bytes[0..3].* = .{ 4 * @as(u16, shape.columns), 4 * @as(u16, shape.depth), 4 * @as(u16, shape.columns) };
    return config;
}

const Matrix = [16][64]u8;

fn fillUnit(unit: *Unit, shape: Shape, matrices: *const [3]Matrix) !void {
    try unit.configure(&configFor(shape));
    for (matrices, 0..) |*matrix, i| try unit.load(@intCast(i), @intFromPtr(matrix), 64);
}

test "byte products are the sums of the manual's formula" {
    var rng: testing.Rng = .init(61);
    for (0..64) |i| {
        const shape = randomShape(&rng);
        const signs = all_signs[i % 4];
        var matrices: [3]Matrix = undefined;
        rng.fillBytes(std.mem.asBytes(&matrices));
        var unit: Unit = .{};
        try fillUnit(&unit, shape, &matrices);
        try unit.multiplyBytes(signs, 0, 1, 2);
        var out: Matrix = @splat(@splat(0));
        try unit.store(0, @intFromPtr(&out), 64);
        for (0..shape.rows) |m| {
            for (0..shape.columns) |n| {
                var want: i64 = std.mem.readInt(i32, matrices[0][m][4 * n ..][0..4], .little);
                for (0..4 * @as(usize, shape.depth)) |k| {
                    const x: i64 = matrices[1][m][k];
                    const y: i64 = matrices[2][k / 4][4 * n + k % 4];
                    want += (if (signs.a and x > 127) x - 256 else x) * (if (signs.b and y > 127) y - 256 else y);
                }
                try std.testing.expectEqual(@as(i32, @truncate(want)), std.mem.readInt(i32, out[m][4 * n ..][0..4], .little));
            }
        }
    }
}

/// bf16 bits of ordinary size, and now and then a denormal or a zero.
fn randomHalf(rng: *testing.Rng) u16 {
    const bits = rng.random().int(u16);
    if (rng.between(u8, 0, 15) == 0) return bits & 0x80ff >> 1;
    return bits & 0x80ff | rng.between(u16, 110, 140) << 7;
}

fn fillHalves(rng: *testing.Rng, matrices: *[3]Matrix) void {
    for (matrices[1..]) |*matrix| {
        for (std.mem.bytesAsSlice(u16, std.mem.asBytes(matrix))) |*half| half.* = randomHalf(rng);
    }
    for (std.mem.bytesAsSlice(f32, std.mem.asBytes(&matrices[0]))) |*value| value.* = rng.unit();
}

test "bf16 products are near the exact sums, and round as the manual says" {
    var rng: testing.Rng = .init(62);
    for (0..32) |_| {
        const shape = randomShape(&rng);
        var matrices: [3]Matrix = undefined;
        fillHalves(&rng, &matrices);
        var unit: Unit = .{};
        try fillUnit(&unit, shape, &matrices);
        try unit.multiplyHalves(0, 1, 2);
        var out: Matrix = undefined;
        try unit.store(0, @intFromPtr(&out), 64);
        for (0..shape.rows) |m| {
            for (0..shape.columns) |n| {
                var want: f64 = @as(f32, @bitCast(matrices[0][m][4 * n ..][0..4].*));
                var size: f64 = @abs(want);
                for (0..2 * @as(usize, shape.depth)) |k| {
                    const x = exact(matrices[1][m][2 * k ..][0..2]);
                    const y = exact(matrices[2][k / 2][4 * n + k % 2 * 2 ..][0..2]);
                    want += x * y;
                    size += @abs(x * y);
                }
                const got: f32 = @bitCast(out[m][4 * n ..][0..4].*);
                try std.testing.expectApproxEqAbs(want, got, 3e-6 * size);
            }
        }
    }
}

fn exact(bytes: *const [2]u8) f64 {
    return @as(f32, @bitCast(@as(u32, std.mem.readInt(u16, bytes, .little)) << 16));
}

test "impossible configurations and operands fault" {
    var unit: Unit = .{};
    var config = configFor(.{ .rows = 16, .columns = 16, .depth = 16 });
    try std.testing.expectError(error.InvalidOpcode, unit.zero(0));
    inline for (.{ "palette", "start_row" }) |name| {
        var wrong = config;
        @field(wrong, name) = 2;
        try std.testing.expectError(error.GeneralProtection, unit.configure(&wrong));
    }
    config.rows[3] = 17;
    config.row_bytes[3] = 64;
    try std.testing.expectError(error.GeneralProtection, unit.configure(&config));
    config.rows[3] = 0;
    try std.testing.expectError(error.GeneralProtection, unit.configure(&config));
    config.rows[3] = 4;
    try unit.configure(&config);
    const signs: Signs = .{ .a = true, .b = true };
    try std.testing.expectError(error.InvalidOpcode, unit.multiplyBytes(signs, 0, 1, 1));
    try std.testing.expectError(error.InvalidOpcode, unit.multiplyBytes(signs, 0, 1, 4));
    try std.testing.expectError(error.InvalidOpcode, unit.multiplyHalves(0, 1, 3));
    try std.testing.expectError(error.InvalidOpcode, unit.zero(9));
    unit.release();
    try std.testing.expectError(error.InvalidOpcode, unit.zero(0));
}

test "decode knows every address form" {
    var registers: [16]u64 = undefined;
    for (&registers, 0..) |*register, i| register.* = 0x1000 * (i + 1);
    // As an assembler writes them; the comments are its input.
    const cases = [_]struct { []const u8, usize, usize }{
        .{ &.{ 0xc4, 0xe2, 0x7b, 0x4b, 0x0c, 0x37 }, 0x8000, 0x7000 }, // tileloadd (%rdi,%rsi), %tmm1
        .{ &.{ 0xc4, 0x82, 0x7b, 0x4b, 0x54, 0x88, 0x10 }, 0x9010, 0xa000 * 4 }, // tileloadd 16(%r8,%r9,4), %tmm2
        .{ &.{ 0xc4, 0xc2, 0x79, 0x4b, 0x5c, 0x25, 0xc0 }, 0xe000 - 64, 0 }, // tileloaddt1 -64(%r13), %tmm3
        .{ &.{ 0xc4, 0xe2, 0x7a, 0x4b, 0xbc, 0x04, 0x00, 0x10, 0x00, 0x00 }, 0x6000, 0x1000 }, // tilestored %tmm7, 4096(%rsp,%rax)
        .{ &.{ 0xc4, 0xa2, 0x7b, 0x4b, 0x24, 0x15, 0x40, 0x00, 0x00, 0x00 }, 0x40, 0xb000 }, // tileloadd 64(,%r10), %tmm4
    };
    for (cases) |case| {
        const found = decode(case[0].ptr, &registers).?;
        try std.testing.expectEqual(case[0].len, found.length);
        const move = switch (found.operation) {
            .load, .store => |move| move,
            else => return error.TestUnexpectedResult,
        };
        try std.testing.expectEqual(case[1], move.address);
        try std.testing.expectEqual(case[2], move.stride);
    }
    const relative = [_]u8{ 0xc4, 0xe2, 0x78, 0x49, 0x05, 0x20, 0x00, 0x00, 0x00 }; // ldtilecfg 32(%rip)
    try std.testing.expectEqual(@intFromPtr(&relative) + 9 + 32, decode(&relative, &registers).?.operation.load_config);
    for ([_][5]u8{
        .{ 0xc5, 0xe2, 0x7b, 0x4b, 0x0c }, // another prefix
        .{ 0xc4, 0xe2, 0xfb, 0x5e, 0xc1 }, // W1
        .{ 0xc4, 0xe2, 0x7b, 0x4b, 0x0f }, // a transfer without an index byte
    }) |code| try std.testing.expectEqual(null, decode(&code, &registers));
}

/// 64 byte products and 32 bf16 products by the instructions themselves; a hash over all results.
fn hashOfInstructions() !u64 {
    var rng: testing.Rng = .init(63);
    var hash: std.hash.XxHash64 = .init(0);
    for (0..96) |i| {
        var matrices: [3]Matrix align(64) = undefined;
        const shape = randomShape(&rng);
        if (i < 64) rng.fillBytes(std.mem.asBytes(&matrices)) else fillHalves(&rng, &matrices);
        var config align(64) = configFor(shape);
        var stored: Config align(64) = undefined;
        asm volatile (
            \\ ldtilecfg (%[config])
            \\ sttilecfg (%[stored])
            \\ tileloadd (%[m],%[stride],1), %%tmm0
            \\ tileloaddt1 1024(%[m],%[stride],1), %%tmm1
            \\ tileloadd 2048(%[m],%[stride],1), %%tmm2
            :
            : [config] "r" (&config),
              [stored] "r" (&stored),
              [m] "r" (&matrices),
              [stride] "r" (@as(usize, 64)),
            : .{ .memory = true });
        switch (if (i < 64) i % 4 else 4) {
            0 => asm volatile ("tdpbuud %%tmm2, %%tmm1, %%tmm0"),
            1 => asm volatile ("tdpbusd %%tmm2, %%tmm1, %%tmm0"),
            2 => asm volatile ("tdpbsud %%tmm2, %%tmm1, %%tmm0"),
            3 => asm volatile ("tdpbssd %%tmm2, %%tmm1, %%tmm0"),
            else => asm volatile ("tdpbf16ps %%tmm2, %%tmm1, %%tmm0"),
        }
        asm volatile (
            \\ tilestored %%tmm0, (%[m],%[stride],1)
            \\ tilezero %%tmm1
            \\ tilestored %%tmm1, 1024(%[m],%[stride],1)
            \\ tilerelease
            :
            : [m] "r" (&matrices),
              [stride] "r" (@as(usize, 64)),
            : .{ .memory = true });
        try std.testing.expectEqual(config, stored);
        hash.update(std.mem.asBytes(&matrices));
    }
    return hash.final();
}

test "tile instructions give the same bits by hardware, emulator and trap" {
    if (builtin.cpu.arch != .x86_64) return error.SkipZigTest;
    const before = tile_trap.count();
    const means = tile_trap.enable() catch return error.SkipZigTest;
    try std.testing.expectEqual(@as(u64, 7792092345546639127), try hashOfInstructions());
    if (means == .trap) try std.testing.expectEqual(before + 96 * 10, tile_trap.count());
}
