const options = @import("kumi_options");
const std = @import("std");
const simd = @import("../../isa/simd.zig");
const testing = @import("../../testing/testing.zig");
const activations = @import("../../quant/activations.zig");
const format_file = @import("../../quant/format.zig");
const Format = format_file.Format;
const matmul = @import("matmul.zig");

/// One item's buffers; each ends at a guard page.
const Case = struct {
    format: Format,
    rows: u32,
    k: u32,
    columns: u32,
    raw: testing.GuardedBuffer,
    weights: testing.GuardedBuffer,
    x: testing.GuardedBuffer,
    quantised: testing.GuardedBuffer,
    bias: testing.GuardedBuffer,
    y: testing.GuardedBuffer,

    const y_gap = 3;

    fn init(rng: *testing.Rng, format: Format, rows: u32, k: u32, columns: u32) !Case {
        const kind = format.activationKind() orelse .per32;
        const column_bytes = if (format.activationKind() == null) 0 else activations.columnBytes(kind, k);
        var case: Case = .{
            .format = format,
            .rows = rows,
            .k = k,
            .columns = columns,
            .raw = try .init(rows * format.rowBytes(k)),
            .weights = try .init(format.packedBytes(rows, k)),
            .x = try testing.guarded(f32, columns * k),
            .quantised = try .init(columns * column_bytes),
            .bias = try testing.guarded(f32, rows),
            .y = try testing.guarded(f32, (columns - 1) * (rows + y_gap) + rows),
        };
        rng.fill(case.x.slice(f32), 2);
        for (case.x.slice(f32), 0..) |*value, i| {
            if (i / 64 % 3 == 0) value.* = if (i / 64 % 2 == 0) 2 else -2;
        }
        rng.fill(case.bias.slice(f32), 1);
        case.fillWeights(rng);
        if (column_bytes != 0) {
            for (0..columns) |c| {
                const column = case.quantised.bytes[c * column_bytes ..][0..column_bytes];
                activations.quantizeColumn(kind, case.x.slice(f32)[c * k ..][0..k], column);
            }
        }
        return case;
    }

    /// Bytes over the whole range of the format, so that the int16 bounds are reached, with scales of ordinary size.
    fn fillWeights(case: *Case, rng: *testing.Rng) void {
        rng.fillBytes(case.raw.bytes);
        switch (case.format) {
            inline else => |f| {
                const Block = format_file.Codec(f).Block;
                const blocks: [*]align(1) Block = @ptrCast(case.raw.bytes.ptr);
                for (0..case.raw.bytes.len / @sizeOf(Block)) |i| {
                    if (@typeInfo(Block) != .@"struct") {
                        blocks[i] = format_file.Codec(f).encode(&.{rng.unit()}, null);
                        continue;
                    }
                    inline for (.{ .{ "d", 0.01 }, .{ "dmin", 0.02 }, .{ "m", 0.02 } }) |scale| {
                        if (@hasField(Block, scale[0])) @field(blocks[i], scale[0]) = @bitCast(@as(f16, @floatCast(rng.unit() * scale[1])));
                    }
                    // The only one whose d is made of the upper bits of its scales.
                    if (!@hasField(Block, "d") and @hasField(Block, "scales")) blocks[i].scales[3] = blocks[i].scales[3] & 0x0fff | 0x2000;
                    // The only factor that is a power of two alone.
                    if (@hasField(Block, "e")) blocks[i].e = rng.between(u8, 112, 122);
                    const extreme: u8 = rng.pick(u8, &.{ 0x00, 0x7f, 0x80, 0xff });
                    inline for (.{ "qs", "ql", "qh", "hmask", "bits", "signs" }) |name| {
                        if (@hasField(Block, name) and i % 4 == 0) @memset(std.mem.asBytes(&@field(blocks[i], name)), extreme);
                    }
                }
            },
        }
        format_file.packPanels(case.format, case.rows, case.k, case.raw.bytes, case.weights.bytes, 0, format_file.panelCount(case.rows));
    }

    fn item(case: *const Case, bias: bool, accumulate: bool) matmul.Item {
        return .{
            .weights = case.weights.bytes.ptr,
            .x = if (case.format.activationKind() == null) @ptrCast(case.x.slice(f32).ptr) else @ptrCast(case.quantised.bytes.ptr),
            .bias = if (bias) case.bias.slice(f32).ptr else null,
            .y = case.y.slice(f32).ptr,
            .format = @backingInt(case.format),
            .rows = case.rows,
            .k = case.k,
            .columns = case.columns,
            .y_stride = case.rows + y_gap,
            .accumulate = @intFromBool(accumulate),
        };
    }

    fn deinit(case: *Case) void {
        inline for (.{ "raw", "weights", "x", "quantised", "bias", "y" }) |name| @field(case, name).deinit();
    }
};

fn expectRunIsReference(rng: *testing.Rng, format: Format, rows: u32, k: u32, columns: u32) !void {
    errdefer std.debug.print("{t} rows {d} k {d} columns {d}\n", .{ format, rows, k, columns });
    var case: Case = try .init(rng, format, rows, k, columns);
    defer case.deinit();
    const y = case.y.slice(f32);
    const start = try std.testing.allocator.alloc(f32, y.len);
    defer std.testing.allocator.free(start);
    const want = try std.testing.allocator.alloc(f32, y.len);
    defer std.testing.allocator.free(want);
    rng.fill(start, 1);
    const bias = rng.between(u32, 0, 1) == 1;
    const accumulate = rng.between(u32, 0, 1) == 1;
    const group: matmul.Group = .of(&.{case.item(bias, accumulate)});
    @memcpy(y, start);
    matmul.reference(&group);
    @memcpy(want, y);
    for (1..if (options.emulated) 2 else 4) |parts| {
        @memcpy(y, start);
        testing.runParts(matmul.run, &group, @intCast(parts));
        try testing.expectBitwise(want, y);
    }
}

test "run is reference, bit for bit, for every format" {
    var rng: testing.Rng = .init(31);
    for (std.enums.values(Format)) |format| {
        const len: u32 = @intCast(format.blockLen());
        const ks: [3]u32 = if (len == 1) .{ 1, 37, 300 } else if (len == 32) .{ 32, 224, 512 } else .{ 256, 512, 1024 };
        for (if (options.emulated) [_]u32{ 17, 48 } else [_]u32{ 1, 15, 17, 33, 48 }, 0..) |rows, i| {
            for ([_]u32{ 1, 2, 3, 4, 5, 6, 7, 8, 11 }, 0..) |columns, j| {
                try expectRunIsReference(&rng, format, rows, ks[(i + j) % 3], columns);
            }
        }
        for ([_]u32{ 9, 12, 14, 16, 17, 31, 33, 48, 70, 130, 145 }, 0..) |columns, i| {
            const rows = ([_]u32{ 33, 35, 64 })[i % 3];
            try expectRunIsReference(&rng, format, rows, ks[i % 3], columns);
        }
        // Enough panels that one claim has several.
        try expectRunIsReference(&rng, format, 790, ks[0], 3);
    }
}

test "sums of BF16 that wait between slices of K" {
    var rng: testing.Rng = .init(35);
    try expectRunIsReference(&rng, .bf16, 35, 521, 64);
}

fn expectGroupIsReference(comptime formats: []const Format, rows: [formats.len]u32, columns: u32) !void {
    var rng: testing.Rng = .init(32);
    var cases: [formats.len]Case = undefined;
    var items: [formats.len]matmul.Item = undefined;
    for (&cases, &items, formats, rows, 0..) |*case, *item, format, count, i| {
        case.* = try .init(&rng, format, count, 512, columns);
        item.* = case.item(i == 0, false);
    }
    defer for (&cases) |*case| case.deinit();
    const group: matmul.Group = .of(&items);
    var want: [formats.len][]f32 = undefined;
    matmul.reference(&group);
    for (&cases, &want) |*case, *copy| copy.* = try std.testing.allocator.dupe(f32, case.y.slice(f32));
    defer for (want) |copy| std.testing.allocator.free(copy);
    for ([_]u32{ 2, 7 }) |parts| {
        for (&cases) |*case| @memset(case.y.slice(f32), 0);
        testing.runParts(matmul.run, &group, parts);
        for (&cases, want) |*case, copy| try testing.expectBitwise(copy, case.y.slice(f32));
    }
}

test "run takes matrices of different formats and sizes at once" {
    try expectGroupIsReference(&.{ .q4_k, .q6_k, .f16 }, .{ 130, 31, 16 }, 9);
    // Few columns, where a claim goes from one matrix to the next.
    try expectGroupIsReference(&.{ .q4_k, .q6_k, .q4_1, .q4_k }, .{ 130, 31, 16, 500 }, 1);
    try expectGroupIsReference(&.{ .mxfp4, .q8_0 }, .{ 17, 300 }, 2);
}

test "reference is the product of the decoded weights and the activations" {
    var rng: testing.Rng = .init(33);
    var row: [512]f32 = undefined;
    for (std.enums.values(Format)) |format| {
        var case: Case = try .init(&rng, format, 19, 512, 3);
        defer case.deinit();
        matmul.reference(&matmul.Group.of(&.{case.item(true, false)}));
        for (0..19) |r| {
            const bytes = format.rowBytes(512);
            format_file.decodeRow(format, case.raw.bytes[r * bytes ..][0..bytes], &row);
            for (0..3) |c| {
                var want: f64 = case.bias.slice(f32)[r];
                var size: f64 = 0;
                for (row, case.x.slice(f32)[c * 512 ..][0..512]) |w, x| {
                    want += @as(f64, w) * x;
                    size += @as(f64, w) * w * x * x;
                }
                // Rounding the activations costs half a step of 1/127 each, or half of their eighth bit, in random directions.
                const exact = format.activationKind() == null and !(format == .bf16 and (simd.has_bf16_dot or simd.has_tiles));
                const tolerance: f64 = if (exact) 1e-5 else 0.02;
                const got = case.y.slice(f32)[c * (19 + Case.y_gap) + r];
                try std.testing.expectApproxEqAbs(want, got, tolerance * @sqrt(size) + 1e-6);
            }
        }
    }
}

test "non-finite scales and activations give NaN and no trap" {
    var rng: testing.Rng = .init(34);
    for (std.enums.values(Format)) |format| {
        for ([_]u32{ 1, 18 }) |columns| {
            var case: Case = try .init(&rng, format, 16, 256, columns);
            defer case.deinit();
            rng.fillBytes(case.raw.bytes);
            format_file.packPanels(format, 16, 256, case.raw.bytes, case.weights.bytes, 0, 1);
            const group: matmul.Group = .of(&.{case.item(false, false)});
            matmul.reference(&group);
            const want = try std.testing.allocator.dupe(f32, case.y.slice(f32));
            defer std.testing.allocator.free(want);
            testing.runParts(matmul.run, &group, 1);
            for (want, case.y.slice(f32)) |a, b| {
                try std.testing.expect((std.math.isNan(a) and std.math.isNan(b)) or a == b);
            }
        }
    }
}
