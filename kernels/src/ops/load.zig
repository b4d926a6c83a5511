//! Conversions of whole tensors that run on all threads: packing at load, quantising and decoding for the command line.

const Job = @import("../system/job.zig").Job;
const format = @import("../quant/format.zig");

/// Packs GGUF rows into panels. source: `rows` rows of k values; packed_rows: their panels, 64-byte aligned.
pub const PackArgs = extern struct {
    source: [*]const u8,
    packed_rows: [*]u8,
    format: format.Format,
    rows: u32,
    k: u32,
};

/// Panels that a member claims at once: few, so that a part of a matrix is enough for many members.
const claim_panels = 2;

pub fn pack(args: *const PackArgs, job: *const Job) callconv(.c) void {
    const rows: usize = args.rows;
    const source = args.source[0 .. rows * args.format.rowBytes(args.k)];
    const target = args.packed_rows[0..args.format.packedBytes(rows, args.k)];
    while (job.claim(@intCast(format.panelCount(rows)), claim_panels)) |panels| {
        format.packPanels(args.format, rows, args.k, source, target, panels.first, panels.end);
    }
}

/// Encodes or decodes `count` values, a multiple of the format's block. bytes: GGUF blocks, no alignment needed. importance: of
/// each column of the rows that the values are, `row` values long; null: none.
pub const EncodeArgs = extern struct {
    values: [*]const f32,
    bytes: [*]u8,
    importance: ?[*]const f32 = null,
    format: format.Format,
    count: u32,
    row: u32 = 0,
};

pub const DecodeArgs = extern struct {
    bytes: [*]const u8,
    values: [*]f32,
    format: format.Format,
    count: u32,
};

/// Values that a member claims at once: a multiple of every block length.
const claim_values = 4096;

pub fn encode(args: *const EncodeArgs, job: *const Job) callconv(.c) void {
    while (job.claim(args.count, claim_values)) |part| {
        const bytes = args.bytes[args.format.rowBytes(part.first)..args.format.rowBytes(part.end)];
        const values = args.values[part.first..part.end];
        if (args.importance) |importance| {
            format.encodeWeighted(args.format, values, importance[0..args.row], part.first, bytes);
        } else {
            format.encodeRow(args.format, values, bytes);
        }
    }
}

pub fn decode(args: *const DecodeArgs, job: *const Job) callconv(.c) void {
    while (job.claim(args.count, claim_values)) |part| {
        const bytes = args.bytes[args.format.rowBytes(part.first)..args.format.rowBytes(part.end)];
        format.decodeRow(args.format, bytes, args.values[part.first..part.end]);
    }
}
