const std = @import("std");
const testing = @import("../testing/testing.zig");
const format_file = @import("format.zig");
const panel = @import("panel.zig");
const Format = format_file.Format;

const all = std.enums.values(Format);
/// Those that values can be encoded to.
const written = written: {
    var list: []const Format = &.{};
    for (all) |format| list = if (format.isWritten()) list ++ .{format} else list;
    break :written list;
};

/// Random GGUF rows; the scales of the integer formats are any f16, infinities and NaN included.
fn randomRows(rng: *testing.Rng, format: Format, rows: usize, k: usize) !testing.GuardedBuffer {
    const buffer: testing.GuardedBuffer = try .init(rows * format.rowBytes(k));
    rng.fillBytes(buffer.bytes);
    return buffer;
}

fn expectSameFloats(want: []const f32, got: []const f32) !void {
    for (want, got) |a, b| {
        if (std.math.isNan(a) and std.math.isNan(b)) continue;
        try std.testing.expectEqual(@as(u32, @bitCast(a)), @as(u32, @bitCast(b)));
    }
}

test "ids are GGUF's, and panels fill whole cache lines" {
    for (all) |format| {
        try std.testing.expectEqual(format, Format.fromId(@backingInt(format)));
        try std.testing.expect(format.packedBytes(33, 768) % 64 == 0);
    }
    for ([_]u32{ 4, 9, 41, 255 }) |id| try std.testing.expectEqual(null, Format.fromId(id));
}

test "a packed row decodes to the same bits as its GGUF row" {
    var rng: testing.Rng = .init(21);
    for (all) |format| {
        for ([_][2]usize{ .{ 1, 1 }, .{ 16, 3 }, .{ 33, 2 }, .{ 15, 1 }, .{ 40, 71 } }) |shape| {
            const rows = shape[0];
            // Many blocks matter where they are single values: those are packed a cache line at a time.
            if (shape[1] > 3 and format.blockLen() > 1) continue;
            const k = shape[1] * format.blockLen();
            var raw = try randomRows(&rng, format, rows, k);
            defer raw.deinit();
            var packed_bytes: testing.GuardedBuffer = try .init(format.packedBytes(rows, k));
            defer packed_bytes.deinit();
            format_file.packPanels(format, rows, k, raw.bytes, packed_bytes.bytes, 0, format_file.panelCount(rows));
            var want: testing.GuardedBuffer = try testing.guarded(f32, k);
            defer want.deinit();
            var got: testing.GuardedBuffer = try testing.guarded(f32, k);
            defer got.deinit();
            for (0..rows) |row| {
                const bytes = format.rowBytes(k);
                format_file.decodeRow(format, raw.bytes[row * bytes ..][0..bytes], want.slice(f32));
                format_file.unpackRow(format, k, packed_bytes.bytes.ptr, row, got.slice(f32).ptr);
                try expectSameFloats(want.slice(f32), got.slice(f32));
            }
        }
    }
}

test "unpacking a block gives back its bytes" {
    var rng: testing.Rng = .init(22);
    // What is only read does not come back from its panels; the test above compares its values.
    inline for (written) |format| {
        const Codec = format_file.Codec(format);
        const per_chunk = Codec.chunk_len / Codec.block_len;
        var blocks: [16][per_chunk]Codec.Block = undefined;
        rng.fillBytes(std.mem.asBytes(&blocks));
        var pointers: [per_chunk]panel.Blocks(Codec) = undefined;
        for (0..16) |row| {
            for (0..per_chunk) |i| pointers[i][row] = &blocks[row][i];
        }
        var chunk: Codec.Packed = undefined;
        Codec.packChunk(&pointers, &chunk);
        for (0..16) |row| {
            for (0..per_chunk) |i| {
                const block = Codec.unpackBlock(&chunk, row, i);
                try std.testing.expectEqualSlices(u8, std.mem.asBytes(&blocks[row][i]), std.mem.asBytes(&block));
            }
        }
    }
}

/// Gaussian-like values: the sum of four uniform ones.
fn fillBell(rng: *testing.Rng, values: []f32, scale: f32) void {
    for (values) |*value| value.* = scale * (rng.unit() + rng.unit() + rng.unit() + rng.unit());
}

test "encode then decode stays within each format's error" {
    var rng: testing.Rng = .init(23);
    var values: [8192]f32 = undefined;
    var bytes: [8192 * 4]u8 = undefined;
    var again: [8192]f32 = undefined;
    for (written) |format| {
        const bound: f64 = switch (format) {
            inline else => |f| if (comptime f.isWritten()) format_file.Codec(f).error_max else unreachable,
        };
        for ([_]f32{ 0.02, 30 }) |scale| {
            fillBell(&rng, &values, scale);
            format_file.encodeRow(format, &values, bytes[0..format.rowBytes(values.len)]);
            format_file.decodeRow(format, &bytes, &again);
            var squared_error: f64 = 0;
            var squared: f64 = 0;
            for (values, again) |a, b| {
                squared_error += (a - b) * (a - b);
                squared += a * a;
            }
            const relative = @sqrt(squared_error / squared);
            errdefer std.debug.print("{t}: relative error {d}\n", .{ format, relative });
            try std.testing.expect(relative <= bound);
            if (@import("builtin").is_test and std.c.getenv("KUMI_PRINT") != null) std.debug.print("{t} {d:.5}\n", .{ format, relative });
        }
    }
}

/// Σ importance · error² over Σ importance · value².
fn weightedError(values: []const f32, decoded: []const f32, importance: []const f32) f64 {
    var errors: f64 = 0;
    var squares: f64 = 0;
    for (values, decoded, 0..) |a, b, i| {
        const weight = importance[i % importance.len];
        errors += weight * (a - b) * (a - b);
        squares += weight * a * a;
    }
    return @sqrt(errors / squares);
}

test "importances lower the weighted error of every format that searches for scales" {
    var rng: testing.Rng = .init(24);
    var values: [8192]f32 = undefined;
    var importance: [512]f32 = undefined;
    var bytes: [8192 * 4]u8 = undefined;
    var again: [8192]f32 = undefined;
    fillBell(&rng, &values, 0.02);
    // As in models: most columns alike, a few matter a hundred times as much.
    for (&importance) |*weight| weight.* = @exp(3 * (rng.unit() + rng.unit()));
    for (written) |format| {
        const size = format.rowBytes(values.len);
        format_file.encodeRow(format, &values, bytes[0..size]);
        format_file.decodeRow(format, &bytes, &again);
        const plain = weightedError(&values, &again, &importance);
        format_file.encodeWeighted(format, &values, &importance, 0, bytes[0..size]);
        format_file.decodeRow(format, &bytes, &again);
        const weighted = weightedError(&values, &again, &importance);
        errdefer std.debug.print("{t}: {d:.5} without, {d:.5} with importances\n", .{ format, plain, weighted });
        if (std.c.getenv("KUMI_PRINT") != null) std.debug.print("{t} {d:.5} {d:.5}\n", .{ format, plain, weighted });
        switch (format) {
            .f32, .f16, .bf16, .q8_0 => try std.testing.expectEqual(plain, weighted),
            .mxfp4 => try std.testing.expect(weighted <= plain),
            else => try std.testing.expect(weighted < 0.98 * plain),
        }
    }
}

test "a part of rows is encoded as it is within all of them, and importances of zero or none at all do no harm" {
    var rng: testing.Rng = .init(25);
    var values: [2048]f32 = undefined;
    var importance: [512]f32 = undefined;
    var whole: [2048 * 4]u8 = undefined;
    var part: [2048 * 4]u8 = undefined;
    fillBell(&rng, &values, 1);
    for (written) |format| {
        for (&importance) |*weight| weight.* = rng.unit() + 1;
        const size = format.rowBytes(values.len);
        format_file.encodeWeighted(format, &values, &importance, 0, whole[0..size]);
        const skipped = format.rowBytes(768);
        format_file.encodeWeighted(format, values[768..], &importance, 768, part[skipped..size]);
        try std.testing.expectEqualSlices(u8, whole[skipped..size], part[skipped..size]);
        for ([_]f32{ 0, std.math.inf(f32), std.math.nan(f32) }) |bad| {
            importance = @splat(bad);
            format_file.encodeWeighted(format, &values, &importance, 0, whole[0..size]);
            var decoded: [2048]f32 = undefined;
            format_file.decodeRow(format, &whole, &decoded);
            for (decoded) |value| try std.testing.expect(@abs(value) < 8);
        }
    }
}

test "encode accepts zeros, constants, huge, tiny and non-finite values" {
    var values: [512]f32 = undefined;
    var bytes: [512 * 4]u8 = undefined;
    var again: [512]f32 = undefined;
    const cases = [_]f32{ 0, -0.0, 1, -1, 3e38, -3e38, 1e-42, std.math.inf(f32), -std.math.inf(f32), std.math.nan(f32) };
    for (written) |format| {
        for (cases) |case| {
            values = @splat(case);
            for (0..2) |_| {
                format_file.encodeRow(format, &values, bytes[0..format.rowBytes(values.len)]);
                format_file.decodeRow(format, &bytes, &again);
                values[100] = 0.5;
            }
        }
        values = @splat(0.75);
        format_file.encodeRow(format, &values, bytes[0..format.rowBytes(values.len)]);
        format_file.decodeRow(format, &bytes, &again);
        for (again) |value| try std.testing.expectApproxEqRel(0.75, value, 2e-3);
    }
}
