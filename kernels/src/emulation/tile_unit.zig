//! The matrix tiles of AMX in plain Zig, for tests on machines without them: eight registers of up to 16 rows × 64 bytes,
//! their configuration, and the operations on them as in Intel's manual (volume 2, TILELOADD and TDPBSSD to TDPBF16PS).

const std = @import("std");

pub const tiles = 8;
pub const rows_max = 16;
pub const row_bytes_max = 64;

/// What the processor would raise.
pub const Fault = error{ InvalidOpcode, GeneralProtection };

/// The operand of LDTILECFG and STTILECFG.
pub const Config = extern struct {
    /// 1: eight tiles of 1 KiB; 0: no tiles.
    palette: u8 = 0,
    start_row: u8 = 0,
    reserved: [14]u8 = @splat(0),
    row_bytes: [16]u16 = @splat(0),
    rows: [16]u8 = @splat(0),

    comptime {
        std.debug.assert(@sizeOf(Config) == 64);
    }
};

/// Which of a product's int8 operands are signed, by the instruction's prefix (none, 66, F3, F2); `a` holds the rows of the
/// result.
pub const Signs = struct { a: bool, b: bool };

const Tile = [rows_max][row_bytes_max]u8;

pub const Unit = struct {
    config: Config = .{},
    data: [tiles]Tile = @splat(@splat(@splat(0))),

    /// LDTILECFG. A start row other than 0 (an interrupted transfer) is refused.
    pub fn configure(unit: *Unit, config: *const Config) Fault!void {
        if (config.palette == 0) return unit.release();
        if (config.palette != 1 or config.start_row != 0) return error.GeneralProtection;
        for (config.reserved) |byte| if (byte != 0) return error.GeneralProtection;
        for (config.row_bytes, config.rows, 0..) |bytes, rows, i| {
            if (i >= tiles and (bytes != 0 or rows != 0)) return error.GeneralProtection;
            if (bytes > row_bytes_max or rows > rows_max) return error.GeneralProtection;
            if ((bytes == 0) != (rows == 0)) return error.GeneralProtection;
        }
        unit.* = .{ .config = config.* };
    }

    /// TILERELEASE.
    pub fn release(unit: *Unit) void {
        unit.* = .{};
    }

    fn check(unit: *const Unit, tile: u4) Fault!void {
        if (tile >= tiles or unit.config.rows[tile] == 0) return error.InvalidOpcode;
        if (unit.config.row_bytes[tile] % 4 != 0) return error.InvalidOpcode;
    }

    /// TILEZERO.
    pub fn zero(unit: *Unit, tile: u4) Fault!void {
        try unit.check(tile);
        unit.data[tile] = @splat(@splat(0));
    }

    /// TILELOADD: row i from `address` + i · `stride`.
    pub fn load(unit: *Unit, tile: u4, address: usize, stride: usize) Fault!void {
        try unit.zero(tile);
        const bytes = unit.config.row_bytes[tile];
        for (0..unit.config.rows[tile]) |i| {
            const source: [*]const u8 = @ptrFromInt(address +% i *% stride);
            @memcpy(unit.data[tile][i][0..bytes], source);
        }
    }

    /// TILESTORED.
    pub fn store(unit: *const Unit, tile: u4, address: usize, stride: usize) Fault!void {
        try unit.check(tile);
        const bytes = unit.config.row_bytes[tile];
        for (0..unit.config.rows[tile]) |i| {
            const target: [*]u8 = @ptrFromInt(address +% i *% stride);
            @memcpy(target[0..bytes], unit.data[tile][i][0..bytes]);
        }
    }

    /// The shape of sum += a · b: `rows` × `columns` results of `depth` groups of four bytes each.
    const Shape = struct { rows: usize, columns: usize, depth: usize };

    fn shapeOf(unit: *const Unit, sum: u4, a: u4, b: u4) Fault!Shape {
        for ([_]u4{ sum, a, b }) |tile| try unit.check(tile);
        if (sum == a or sum == b or a == b) return error.InvalidOpcode;
        const rows = &unit.config.rows;
        const bytes = &unit.config.row_bytes;
        if (rows[sum] != rows[a] or bytes[sum] != bytes[b] or bytes[a] != 4 * @as(u16, rows[b])) return error.InvalidOpcode;
        return .{ .rows = rows[sum], .columns = bytes[sum] / 4, .depth = rows[b] };
    }

    /// TDPBSSD, TDPBSUD, TDPBUSD, TDPBUUD: sums of four byte products each, modulo 2^32.
    pub fn multiplyBytes(unit: *Unit, signs: Signs, sum: u4, a: u4, b: u4) Fault!void {
        const shape = try unit.shapeOf(sum, a, b);
        for (0..shape.rows) |m| {
            var totals: [16]i32 = @bitCast(unit.data[sum][m]);
            for (0..shape.depth) |k| {
                for (0..4) |j| {
                    const x = widen(unit.data[a][m][4 * k + j], signs.a);
                    for (totals[0..shape.columns], 0..) |*total, n| {
                        total.* +%= x * widen(unit.data[b][k][4 * n + j], signs.b);
                    }
                }
            }
            unit.setRow(sum, m, shape.columns, @bitCast(totals));
        }
        unit.clearBelow(sum, shape.rows);
    }

    /// TDPBF16PS: the sums of even and of odd elements apart, each product added with one rounding, then joined, then
    /// added to the result; denormal operands and results count as zero.
    pub fn multiplyHalves(unit: *Unit, sum: u4, a: u4, b: u4) Fault!void {
        const shape = try unit.shapeOf(sum, a, b);
        for (0..shape.rows) |m| {
            var totals: [2][16]f32 = @splat(@splat(0));
            for (0..shape.depth) |k| {
                for (&totals, 0..) |*row, parity| {
                    const x = bfloat(&unit.data[a][m], 2 * k + parity);
                    for (row[0..shape.columns], 0..) |*total, n| {
                        total.* = flush(@mulAdd(f32, x, bfloat(&unit.data[b][k], 2 * n + parity), total.*));
                    }
                }
            }
            var results: [16]f32 = @bitCast(unit.data[sum][m]);
            for (&results, totals[0], totals[1]) |*result, even, odd| {
                result.* = flush(flush(result.*) + flush(even + odd));
            }
            unit.setRow(sum, m, shape.columns, @bitCast(results));
        }
        unit.clearBelow(sum, shape.rows);
    }

    fn setRow(unit: *Unit, tile: u4, row: usize, columns: usize, bytes: [row_bytes_max]u8) void {
        unit.data[tile][row] = @splat(0);
        @memcpy(unit.data[tile][row][0 .. 4 * columns], bytes[0 .. 4 * columns]);
    }

    fn clearBelow(unit: *Unit, tile: u4, rows: usize) void {
        for (unit.data[tile][rows..]) |*row| row.* = @splat(0);
    }
};

inline fn widen(byte: u8, signed: bool) i32 {
    return if (signed) @as(i8, @bitCast(byte)) else byte;
}

fn bfloat(row: *const [row_bytes_max]u8, index: usize) f32 {
    const bits: u32 = std.mem.readInt(u16, row[2 * index ..][0..2], .little);
    return flush(@bitCast(bits << 16));
}

/// Denormals become zero and keep their sign.
fn flush(value: f32) f32 {
    const bits: u32 = @bitCast(value);
    return if (bits & 0x7f80_0000 == 0) @bitCast(bits & 0x8000_0000) else value;
}
