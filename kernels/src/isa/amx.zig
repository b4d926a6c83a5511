//! Tile registers (AMX): 16 rows of up to 64 bytes, and products of whole tiles. The only file that names their
//! instructions; what they compute is in Intel's manual, volume 2, under TDPBSSD and TDPBF16PS.
//!
//! The roles are fixed. A product takes 16 columns' activations (a row of tile `x` is one column's next bytes of K) and a
//! panel's units (a row of tile `w` is one K group of 16 matrix rows, as packed panels have it) and adds to `sum`, a row of
//! which holds one column's 16 results:
//!   tiles 0 to 3: sums; 4 and 5: x of the first and second 16 columns; 6 and 7: w
//! tile 0 = x₀ · w₀, 1 = x₀ · w₁, 2 = x₁ · w₀, 3 = x₁ · w₁.
//!
//! A thread's tiles must be configured before use and released after, so that the system saves none for an idle thread.
//! Every statement clobbers memory: the compiler knows nothing of what tiles read and write.

const std = @import("std");
const simd = @import("simd.zig");

/// Columns, or rows of the matrix, in a tile.
pub const lanes = 16;
/// A stored tile of sums.
pub const Sums = [lanes][lanes]i32;

/// What LDTILECFG reads.
const Configuration = extern struct {
    palette: u8 = 1,
    start_row: u8 = 0,
    reserved: [14]u8 = @splat(0),
    row_bytes: [16]u16 = @splat(0),
    rows: [16]u8 = @splat(0),
};

comptime {
    std.debug.assert(@sizeOf(Configuration) == 64);
}

/// The shape of all products until the next configuration: `columns` ≤ 16 activation columns, `depth` bytes of K.
pub const Shape = struct { columns: u8, depth: u8 };

/// One thread's tiles during one op.
pub const Tiles = struct {
    shape: Shape = .{ .columns = 0, .depth = 0 },

    /// Configuring costs some hundred cycles and clears all tiles; the same shape again costs nothing.
    pub fn configure(tiles: *Tiles, shape: Shape) void {
        if (std.meta.eql(tiles.shape, shape)) return;
        std.debug.assert(shape.columns > 0 and shape.columns <= lanes);
        std.debug.assert(shape.depth > 0 and shape.depth <= 64 and shape.depth % 4 == 0);
        var configuration: Configuration = .{};
        for (0..4) |i| {
            configuration.rows[i] = shape.columns;
            configuration.row_bytes[i] = 4 * lanes;
        }
        for (4..6) |i| {
            configuration.rows[i] = shape.columns;
            configuration.row_bytes[i] = shape.depth;
        }
        for (6..8) |i| {
            configuration.rows[i] = shape.depth / 4;
            configuration.row_bytes[i] = 4 * lanes;
        }
        asm volatile ("ldtilecfg (%[at])"
            :
            : [at] "r" (&configuration),
            : .{ .memory = true });
        tiles.shape = shape;
    }

    pub fn release(tiles: *Tiles) void {
        if (!simd.has_tiles or tiles.shape.columns == 0) return;
        asm volatile ("tilerelease" ::: .{ .memory = true });
        tiles.shape = .{ .columns = 0, .depth = 0 };
    }
};

fn name(comptime tile: u3) []const u8 {
    return "%%tmm" ++ .{'0' + @as(u8, tile)};
}

pub inline fn zero(comptime tile: u3) void {
    asm volatile ("tilezero " ++ name(tile) ::: .{ .memory = true });
}

/// Rows `stride` bytes apart; reads as many rows and bytes as the tile was configured for.
pub inline fn load(comptime tile: u3, source: [*]const u8, stride: usize) void {
    asm volatile ("tileloadd (%[source],%[stride],1), " ++ name(tile)
        :
        : [source] "r" (source),
          [stride] "r" (stride),
        : .{ .memory = true });
}

/// Stores a tile of sums: as many of its rows as it was configured for.
pub inline fn store(comptime tile: u3, target: *Sums) void {
    asm volatile ("tilestored " ++ name(tile) ++ ", (%[target],%[stride],1)"
        :
        : [target] "r" (target),
          [stride] "r" (@as(usize, @sizeOf([lanes]i32))),
        : .{ .memory = true });
}

pub const Product = enum {
    /// int8 · int8, exact in int32.
    signed,
    /// int8 · uint8, exact in int32.
    unsigned,
    /// bfloat16 pairs; see ops/matmul/amx_bf16.zig for the order of roundings.
    bf16,
};

/// sum += x · w.
pub inline fn multiply(comptime product: Product, comptime sum: u3, comptime x: u3, comptime w: u3) void {
    const instruction = switch (product) {
        .signed => "tdpbssd ",
        .unsigned => "tdpbsud ",
        .bf16 => "tdpbf16ps ",
    };
    asm volatile (instruction ++ name(w) ++ ", " ++ name(x) ++ ", " ++ name(sum) ::: .{ .memory = true });
}
