//! The tensor formats: one list, and what the rest of the library may ask of a format.
//!
//! A tensor [rows, k] comes as GGUF rows: rowBytes(k) bytes each, blocks of blockLen() values in K order. It is kept
//! as panels of 16 rows (see panel.zig); the last panel is filled up with zero rows. Any bit pattern is a valid block:
//! infinite or NaN scales decode to infinite or NaN values and never trap.

const std = @import("std");
const simd = @import("../isa/simd.zig");
const activations = @import("activations.zig");
const panel = @import("panel.zig");
const table_places = @import("table_places.zig");
const traits_file = @import("traits.zig");

/// Values are ggml's type ids.
pub const Format = enum(u32) {
    f32 = 0,
    f16 = 1,
    q4_0 = 2,
    q4_1 = 3,
    q5_0 = 6,
    q5_1 = 7,
    q8_0 = 8,
    q2_k = 10,
    q3_k = 11,
    q4_k = 12,
    q5_k = 13,
    q6_k = 14,
    iq2_xxs = 16,
    iq2_xs = 17,
    iq3_xxs = 18,
    iq1_s = 19,
    iq4_nl = 20,
    iq3_s = 21,
    iq2_s = 22,
    iq4_xs = 23,
    iq1_m = 29,
    bf16 = 30,
    tq1_0 = 34,
    tq2_0 = 35,
    mxfp4 = 39,

    pub fn fromId(id: u32) ?Format {
        return std.enums.fromInt(Format, id);
    }

    /// The format whose code reads panels of this one: formats of one layout share it, so that kernels are compiled once.
    pub inline fn layout(format: Format) Format {
        return switch (format) {
            .iq2_xs, .iq2_s, .iq3_xxs, .iq3_s, .iq1_s, .iq1_m, .tq1_0, .tq2_0 => .iq2_xxs,
            else => format,
        };
    }

    /// Whether values can be encoded; the other formats are only read.
    pub fn isWritten(format: Format) bool {
        return switch (format) {
            inline else => |f| @hasDecl(Codec(f), "encode"),
        };
    }

    /// Values per block; k must be a multiple of it.
    pub fn blockLen(format: Format) usize {
        return switch (format) {
            inline else => |f| Codec(f).block_len,
        };
    }

    /// Bytes per block in a GGUF row.
    pub fn blockBytes(format: Format) usize {
        return switch (format) {
            inline else => |f| @sizeOf(Codec(f).Block),
        };
    }

    /// Bytes of one GGUF row of k values.
    pub fn rowBytes(format: Format, k: usize) usize {
        std.debug.assert(k % format.blockLen() == 0);
        return k / format.blockLen() * format.blockBytes();
    }

    /// Bytes of one packed panel of 16 rows. A multiple of 64.
    pub fn panelBytes(format: Format, k: usize) usize {
        std.debug.assert(k % format.blockLen() == 0);
        return switch (format) {
            inline else => |f| panel.bytes(Codec(f), k),
        };
    }

    /// Bytes of a packed tensor. A multiple of 64.
    pub fn packedBytes(format: Format, rows: usize, k: usize) usize {
        return panelCount(rows) * format.panelBytes(k);
    }

    /// The kind of quantised activations that a matmul with this format reads; null: it reads f32.
    pub fn activationKind(format: Format) ?activations.Kind {
        return format.traits().activationKind();
    }

    pub inline fn traits(format: Format) traits_file.Traits {
        return switch (format) {
            inline else => |f| Codec(f).traits,
        };
    }

    /// Whether a panel holds pairs of floats, which a dot product of bf16 takes.
    pub inline fn isPairs(comptime format: Format) bool {
        return switch (Codec(format).traits) {
            .float => |kind| kind == .pairs,
            .integer => false,
        };
    }

    /// The traits of a format that is known to be one of integers.
    pub inline fn integer(comptime format: Format) traits_file.Integer {
        return Codec(format).traits.integer;
    }
};

/// The file of a format. Each has: traits, block_len, Block (as in GGUF), decode(block) and, if it is written, encode(values,
/// importance);
/// chunk_len and Packed (chunk_len values of K of 16 rows), packChunk(blocks of all rows, chunk), unpackBlock(chunk, row,
/// index); what that gives is a block, or has a decode of its own. Formats of single values also have packLines, which packs
/// most of a panel at once. Those of integers have integers(block), for references, and for kernels unit(chunk, span of 32, u,
/// row), with sub-blocks scalePair(chunk, pair, row), with their mins minPair; `row` is the first of a row group. Where kernels
/// read less than `Packed` at a time it has `Chunk`, where factors are not f16 factorsAt(lanes, chunk, index, row).
pub fn Codec(comptime format: Format) type {
    return switch (format) {
        .f32 => @import("float.zig").Codec(.f32),
        .f16 => @import("float.zig").Codec(.f16),
        .bf16 => @import("float.zig").Codec(.bf16),
        .q4_0 => @import("q4_0.zig"),
        .q4_1 => @import("q4_1.zig"),
        .q5_0 => @import("q5_0.zig"),
        .q5_1 => @import("q5_1.zig"),
        .q8_0 => @import("q8_0.zig"),
        .q2_k => @import("q2_k.zig"),
        .q3_k => @import("q3_k.zig"),
        .q4_k => @import("q4_k.zig"),
        .q5_k => @import("q5_k.zig"),
        .q6_k => @import("q6_k.zig"),
        .iq2_xxs => table_places.Codec(@import("iq2.zig").Xxs),
        .iq2_xs => table_places.Codec(@import("iq2.zig").Xs),
        .iq3_xxs => table_places.Codec(@import("iq3.zig").Xxs),
        .iq1_s => table_places.Codec(@import("iq1.zig").S),
        .iq3_s => table_places.Codec(@import("iq3.zig").S),
        .iq2_s => table_places.Codec(@import("iq2.zig").S),
        .iq1_m => table_places.Codec(@import("iq1.zig").M),
        .tq1_0 => table_places.Codec(@import("tq.zig").One),
        .tq2_0 => table_places.Codec(@import("tq.zig").Two),
        .iq4_nl => @import("iq4_nl.zig"),
        .iq4_xs => @import("iq4_xs.zig"),
        .mxfp4 => @import("mxfp4.zig"),
    };
}

/// What a kernel reads at a time: a format's `Packed`, or its `Chunk`, 64 values of K, of which `Packed` is an array where
/// blocks of 256 are multiplied by activations in blocks of 32.
pub fn Chunk(comptime format: Format) type {
    const C = Codec(format);
    return if (@hasDecl(C, "Chunk")) C.Chunk else C.Packed;
}

/// Values of K in a `Chunk`.
pub fn chunkLen(comptime format: Format) usize {
    return Codec(format).chunk_len / @divExact(@sizeOf(Codec(format).Packed), @sizeOf(Chunk(format)));
}

/// The factors `name` (`d`, `dmin` or `m`) of `lanes` rows from `row` on; of blocks of 32 those of the chunk's half `index`.
/// They are f16 where the format has no function of its own.
pub inline fn factorsAt(
    comptime format: Format,
    comptime lanes: usize,
    comptime name: []const u8,
    chunk: *const Chunk(format),
    index: usize,
    row: usize,
) @Vector(lanes, f32) {
    if (comptime @hasDecl(Codec(format), "factorsAt")) return Codec(format).factorsAt(lanes, chunk, index, row);
    const field = &@field(chunk, name);
    const halves = if (@TypeOf(field.*) == [2][simd.panel_rows]u16) &field[index] else field;
    return simd.f16ToF32(lanes, halves[row..][0..lanes].*);
}

comptime {
    for (std.enums.values(Format)) |format| {
        const C = Codec(format);
        std.debug.assert(C.chunk_len % C.block_len == 0);
        std.debug.assert(format.layout().layout() == format.layout() and C.Packed == Codec(format.layout()).Packed);
        switch (C.traits) {
            .float => std.debug.assert(C.block_len == 1),
            .integer => |traits| {
                std.debug.assert(C.block_len % traits.activation.blockLen() == 0);
                std.debug.assert(chunkLen(format) == @max(64, traits.activation.blockLen()));
                std.debug.assert((!traits.isPer32() or traits.zero % 8 == 0) and (traits.sub_len == 16 or traits.sub_len == 32));
                // A constant zero and mins would both need the same sums.
                std.debug.assert(traits.zero == 0 or traits.mins == .none);
                std.debug.assert(traits.isSigned() or traits.quants.unsigned < 128);
            },
        }
    }
}

pub fn panelCount(rows: usize) usize {
    return (rows + simd.panel_rows - 1) / simd.panel_rows;
}

/// Packs panels [panel_first, panel_end) of a tensor. src: its GGUF rows, rows · rowBytes(k) bytes, no alignment
/// needed; dst: packedBytes(rows, k) bytes aligned to 64, of which only those panels are written.
pub fn packPanels(format: Format, rows: usize, k: usize, src: []const u8, dst: []u8, panel_first: usize, panel_end: usize) void {
    std.debug.assert(src.len >= rows * format.rowBytes(k));
    std.debug.assert(dst.len >= format.packedBytes(rows, k));
    std.debug.assert(panel_first <= panel_end and panel_end <= panelCount(rows));
    const bytes = format.panelBytes(k);
    for (panel_first..panel_end) |index| {
        const first = index * simd.panel_rows;
        const count = @min(simd.panel_rows, rows - first);
        const target = dst[index * bytes ..][0..bytes];
        switch (format) {
            inline else => |f| panel.pack(Codec(f), count, k, src[first * format.rowBytes(k) ..].ptr, target),
        }
    }
}

/// Decodes row `row` of a packed tensor to out: [k].
pub fn unpackRow(format: Format, k: usize, bytes: [*]const u8, row: usize, out: [*]f32) void {
    std.debug.assert(k > 0 and k % format.blockLen() == 0);
    const source = bytes + row / simd.panel_rows * format.panelBytes(k);
    switch (format.layout()) {
        inline else => |f| if (comptime f.layout() == f) panel.unpackRow(Codec(f), k, source, row % simd.panel_rows, out) else unreachable,
    }
}

/// Encodes values to a GGUF row, in a format that is written. values.len is a multiple of blockLen(); dst: rowBytes(values.len)
/// bytes.
pub fn encodeRow(format: Format, values: []const f32, dst: []u8) void {
    std.debug.assert(dst.len >= format.rowBytes(values.len));
    switch (format) {
        inline else => |f| if (comptime f.isWritten()) {
            const C = Codec(f);
            const blocks: [*]align(1) C.Block = @ptrCast(dst.ptr);
            for (0..values.len / C.block_len) |i| blocks[i] = C.encode(values[i * C.block_len ..][0..C.block_len], null);
        } else unreachable,
    }
}

/// As encodeRow, for a part of rows one behind the other that begins at value `first` of them all. importance: how much each
/// column matters, as long as a row, which is a multiple of blockLen(), as `first` is.
pub fn encodeWeighted(format: Format, values: []const f32, importance: []const f32, first: usize, dst: []u8) void {
    std.debug.assert(dst.len >= format.rowBytes(values.len));
    std.debug.assert(importance.len > 0 and importance.len % format.blockLen() == 0 and first % format.blockLen() == 0);
    switch (format) {
        inline else => |f| if (comptime f.isWritten()) {
            const C = Codec(f);
            const blocks: [*]align(1) C.Block = @ptrCast(dst.ptr);
            for (0..values.len / C.block_len) |i| {
                const column = (first + i * C.block_len) % importance.len;
                blocks[i] = C.encode(values[i * C.block_len ..][0..C.block_len], importance[column..][0..C.block_len]);
            }
        } else unreachable,
    }
}

/// Decodes a GGUF row. values.len is a multiple of blockLen(); src: rowBytes(values.len) bytes.
pub fn decodeRow(format: Format, src: []const u8, values: []f32) void {
    std.debug.assert(src.len >= format.rowBytes(values.len));
    switch (format) {
        inline else => |f| {
            const C = Codec(f);
            const blocks: [*]align(1) const C.Block = @ptrCast(src.ptr);
            for (0..values.len / C.block_len) |i| {
                values[i * C.block_len ..][0..C.block_len].* = C.decode(&blocks[i]);
            }
        },
    }
}

test {
    _ = @import("iq4.zig");
    _ = @import("sign_bits.zig");
    _ = @import("format_test.zig");
}
