//! Quantising and decoding of tensors for the command line, and facts about quantised activations.

const format = @import("../quant/format.zig");
const activations = @import("../quant/activations.zig");
const load_op = @import("../ops/load.zig");
const buffers = @import("buffers.zig");
const status = @import("status.zig");
const Context = @import("context.zig").Context;

/// Bytes of `n` values in a format.
fn encodedBytes(format_id: u32, n: u32) status.Error!struct { format: format.Format, bytes: usize } {
    const found = format.Format.fromId(format_id) orelse return error.UnsupportedFormat;
    if (n % found.blockLen() != 0) return error.ShapeMismatch;
    return .{ .format = found, .bytes = found.rowBytes(n) };
}

/// Encodes n f32 values, a multiple of the format's block, to GGUF blocks: exactly target_bytes bytes.
pub fn quantize(
    context: *Context,
    format_id: u32,
    source: buffers.Input,
    n: u32,
    target: buffers.Output,
    target_bytes: u32,
) status.Error!void {
    const encoded = try encodedBytes(format_id, n);
    if (!encoded.format.isWritten()) return error.UnsupportedFormat;
    if (encoded.bytes != target_bytes) return error.BufferTooSmall;
    const bytes = try buffers.room(u8, target, target_bytes, target_bytes);
    // The caller vouches for n values: TypeScript passes the array's own length.
    const values = try buffers.values(f32, source, @intCast(@min(@as(u64, n) * 4, 0xFFFF_FFFF)), n);
    const args: load_op.EncodeArgs = .{ .values = values.ptr, .bytes = bytes.ptr, .format = encoded.format, .count = n };
    if (n > 0) try context.run(context.ops.encode, &args);
}

/// As quantize, with the importance of each column of the rows that the values are: `row` f32 values of at least 0.
pub fn quantizeWeighted(
    context: *Context,
    format_id: u32,
    source: buffers.Input,
    n: u32,
    importance: buffers.Input,
    row: u32,
    target: buffers.Output,
    target_bytes: u32,
) status.Error!void {
    const encoded = try encodedBytes(format_id, n);
    if (!encoded.format.isWritten()) return error.UnsupportedFormat;
    if (row == 0 or row % encoded.format.blockLen() != 0 or n % row != 0) return error.ShapeMismatch;
    if (encoded.bytes != target_bytes) return error.BufferTooSmall;
    const bytes = try buffers.room(u8, target, target_bytes, target_bytes);
    const values = try buffers.values(f32, source, @intCast(@min(@as(u64, n) * 4, 0xFFFF_FFFF)), n);
    const weights = try buffers.values(f32, importance, @intCast(@min(@as(u64, row) * 4, 0xFFFF_FFFF)), row);
    const args: load_op.EncodeArgs = .{
        .values = values.ptr,
        .bytes = bytes.ptr,
        .importance = weights.ptr,
        .format = encoded.format,
        .count = n,
        .row = row,
    };
    if (n > 0) try context.run(context.ops.encode, &args);
}

/// Decodes GGUF blocks, exactly source_bytes bytes, to n f32 values.
pub fn dequantize(
    context: *Context,
    format_id: u32,
    source: buffers.Input,
    source_bytes: u32,
    target: buffers.Output,
    n: u32,
) status.Error!void {
    const encoded = try encodedBytes(format_id, n);
    if (encoded.bytes != source_bytes) return error.BufferTooSmall;
    const bytes = try buffers.values(u8, source, source_bytes, source_bytes);
    const values = try buffers.room(f32, target, @intCast(@min(@as(u64, n) * 4, 0xFFFF_FFFF)), n);
    const args: load_op.DecodeArgs = .{ .bytes = bytes.ptr, .values = values.ptr, .format = encoded.format, .count = n };
    if (n > 0) try context.run(context.ops.decode, &args);
}

/// Bytes of an activation [n, k] in the forms of a mask, a multiple of 64.
pub fn activationBytes(forms: u32, n: u32, k: u32) status.Error!u32 {
    const layout: activations.Layout = try .of(forms, n, k);
    if (layout.bytes > 0x7FFF_FFFF) return error.Overflow;
    return @intCast(layout.bytes);
}
