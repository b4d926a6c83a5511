//! Weights, vectors and RoPE tables as native objects.

const std = @import("std");
const format = @import("../quant/format.zig");
const load_op = @import("../ops/load.zig");
const rope = @import("../ops/rope.zig");
const rope_table = @import("../ops/rope_table.zig");
const memory = @import("../system/memory.zig");
const objects = @import("objects.zig");
const simd = @import("../isa/simd.zig");
const weight_pool = @import("../system/weight_pool.zig");
const buffers = @import("buffers.zig");
const status = @import("status.zig");
const context_module = @import("context.zig");
const Context = context_module.Context;
const Vector = context_module.Vector;

const gpa = context_module.gpa;

/// A packed matrix [rows, k]. Contexts can share one: each has an id of its own for it.
pub const Weights = struct {
    pub const kind: objects.Kind = .weights;

    format: format.Format,
    rows: u32,
    k: u32,
    piece: weight_pool.Piece,
    references: std.atomic.Value(u32) = .init(1),
    /// Set once it has been shared: from then on nobody may write it.
    sealed: std.atomic.Value(bool) = .init(false),

    pub fn retain(weights: *Weights) void {
        const before = weights.references.fetchAdd(1, .monotonic);
        std.debug.assert(before > 0); // whoever shares it has it
        weights.sealed.store(true, .release);
    }

    /// Drops one reference; the memory goes with the last one.
    pub fn destroy(weights: *Weights) void {
        const before = weights.references.fetchSub(1, .acq_rel);
        std.debug.assert(before > 0);
        if (before != 1) return;
        weights.piece.deinit();
        gpa.destroy(weights);
    }
};

/// What `weightsInfo` tells.
pub const WeightsInfo = extern struct {
    format: u32,
    rows: u32,
    k: u32,
    packed_kib: u32,
};

/// Makes room for a matrix whose rows are all zero bytes until `weightsLoad`.
pub fn weightsCreate(context: *Context, format_id: u32, rows: u32, k: u32, out: buffers.Output) status.Error!void {
    const place = try buffers.result(out);
    const kind = format.Format.fromId(format_id) orelse return error.UnsupportedFormat;
    if (rows == 0 or k == 0 or k % kind.blockLen() != 0) return error.ShapeMismatch;
    // Both factors are below 2^37, so only their product can overflow.
    _ = std.math.mul(usize, format.panelCount(rows), kind.panelBytes(k)) catch return error.Overflow;
    const weights = try gpa.create(Weights);
    errdefer gpa.destroy(weights);
    weights.* = .{ .format = kind, .rows = rows, .k = k, .piece = try context.weights.take(kind.packedBytes(rows, k)) };
    errdefer weights.piece.deinit();
    place.* = try objects.add(Weights, weights, context.id);
}

/// Packs `row_count` GGUF rows, the first of which is row `row_first`, a multiple of 16. Only the last part of a matrix may
/// end within 16 rows. source: exactly those rows. Not for a matrix that was shared.
pub fn weightsLoad(
    context: *Context,
    id: u32,
    row_first: u32,
    row_count: u32,
    source: buffers.Input,
    source_bytes: u32,
) status.Error!void {
    const weights = try objects.get(Weights, id);
    if (weights.sealed.load(.acquire)) return error.InvalidArgument;
    const end = std.math.add(u32, row_first, row_count) catch return error.Overflow;
    if (row_count == 0 or end > weights.rows or row_first % simd.panel_rows != 0) return error.InvalidArgument;
    if (end != weights.rows and end % simd.panel_rows != 0) return error.InvalidArgument;
    const row_bytes = weights.format.rowBytes(weights.k);
    const needed = std.math.mul(usize, row_bytes, row_count) catch return error.Overflow;
    if (needed != source_bytes) return error.InvalidArgument;
    const rows = try buffers.values(u8, source, source_bytes, needed);
    const offset = row_first / simd.panel_rows * weights.format.panelBytes(weights.k);
    std.debug.assert(offset + weights.format.packedBytes(row_count, weights.k) <= weights.piece.bytes.len);
    weights.piece.prefault(&context.team, offset + weights.format.packedBytes(row_count, weights.k));
    const args: load_op.PackArgs = .{
        .source = rows.ptr,
        .packed_rows = weights.piece.bytes.ptr + offset,
        .format = weights.format,
        .rows = row_count,
        .k = weights.k,
    };
    try context.run(context.ops.pack, &args);
}

/// Another id for a matrix that was filled, of this process and perhaps of another context. It belongs to this context and
/// stays valid when the other one goes. The matrix cannot be written any more.
pub fn weightsShare(context: *Context, id: u32, out: buffers.Output) status.Error!void {
    const place = try buffers.result(out);
    place.* = try objects.share(Weights, id, context.id);
}

pub fn weightsInfo(id: u32, out: buffers.Output, out_bytes: u32) status.Error!void {
    const place = try buffers.room(WeightsInfo, out, out_bytes, 1);
    const weights = try objects.get(Weights, id);
    place[0] = .{
        .format = @backingInt(weights.format),
        .rows = weights.rows,
        .k = weights.k,
        .packed_kib = std.math.lossyCast(u32, weights.piece.bytes.len / 1024),
    };
}

/// A constant vector of `n` f32 values.
pub fn vectorCreate(
    context: *Context,
    n: u32,
    source: buffers.Input,
    source_bytes: u32,
    out: buffers.Output,
) status.Error!void {
    const place = try buffers.result(out);
    if (n == 0) return error.InvalidArgument;
    const values = try buffers.values(f32, source, source_bytes, n);
    const vector = try gpa.create(Vector);
    errdefer gpa.destroy(vector);
    vector.values = try gpa.alignedAlloc(f32, .fromByteUnits(context_module.unit_bytes), n);
    errdefer gpa.free(vector.values);
    @memcpy(vector.values, values);
    place.* = try objects.add(Vector, vector, context.id);
}

/// Cosines and sines of every position.
pub const Rope = struct {
    pub const kind: objects.Kind = .rope;

    n_rot: u32,
    max_positions: u32,
    block: memory.Block,

    pub fn table(self: *const Rope) [*]const f32 {
        return @ptrCast(self.block.bytes.ptr);
    }

    pub fn destroy(self: *Rope) void {
        self.block.deinit();
        gpa.destroy(self);
    }
};

/// desc: a rope.Desc; its freq_factors is a vector of n_rot / 2 values or NONE.
pub fn ropeCreate(context: *Context, desc: buffers.Input, desc_bytes: u32, out: buffers.Output) status.Error!void {
    const place = try buffers.result(out);
    const description = (try buffers.one(rope.Desc, desc, desc_bytes)).*;
    const factors: ?[]const f32 = if (description.freq_factors == objects.none)
        null
    else
        (try objects.get(Vector, description.freq_factors)).values;
    const frequencies = rope.Frequencies.init(description, factors) catch return error.InvalidArgument;
    const table = try gpa.create(Rope);
    errdefer gpa.destroy(table);
    table.* = .{
        .n_rot = description.n_rot,
        .max_positions = description.max_positions,
        .block = try .initOn(context.node, rope.tableLen(description) * @sizeOf(f32)),
    };
    errdefer table.block.deinit();
    const args: rope_table.Args = .{
        .frequencies = &frequencies,
        .table = @ptrCast(table.block.bytes.ptr),
        .n_rot = description.n_rot,
        .max_positions = description.max_positions,
    };
    try context.run(context.ops.rope_table, &args);
    place.* = try objects.add(Rope, table, context.id);
}
