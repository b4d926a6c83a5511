const std = @import("std");
const options = @import("kumi_options");
const Format = @import("../../quant/format.zig").Format;
const Span = @import("item.zig").Span;
const strategies = @import("strategies.zig");

/// Levels, kind of weights: strategy, from how many columns of a claim on another one. Who adds a level adds lines; who adds a
/// format does not, as long as it is of a kind that is here.
const table =
    \\amx                             singles  float
    \\amx                             pairs    amx_bf16
    \\amx                             blocks   tile 7 vnni 12 amx_32
    \\amx                             bytes    tile 7 vnni 10 amx_32
    \\amx                             mins     tile 6 vnni 12 amx_k
    \\amx                             sixteens tile 9 vnni 12 amx_k
    \\x86_64_v4_bf16,x86_64_v4_vnni   singles  float
    \\x86_64_v4_bf16                  pairs    bf16
    \\x86_64_v4_vnni                  pairs    float
    \\x86_64_v4_bf16,x86_64_v4_vnni   blocks   tile 7 vnni
    \\x86_64_v4_bf16,x86_64_v4_vnni   bytes    tile 7 vnni
    \\x86_64_v4_bf16,x86_64_v4_vnni   mins     tile 6 vnni
    \\x86_64_v4_bf16,x86_64_v4_vnni   sixteens tile 9 vnni
    \\x86_64_v4,avx_vnni,x86_64_v3    singles  float
    \\x86_64_v4,avx_vnni,x86_64_v3    pairs    float
    \\x86_64_v4,avx_vnni              blocks   tile
    \\x86_64_v4,avx_vnni              bytes    tile
    \\x86_64_v4,avx_vnni              mins     tile 16 expanded
    \\x86_64_v4,avx_vnni,x86_64_v3    sixteens tile 16 expanded
    \\x86_64_v3                       blocks   tile 8 short
    \\x86_64_v3                       bytes    tile 8 short
    \\x86_64_v3                       mins     tile 8 short 32 expanded
    \\neon_i8mm                       singles  float
    \\neon_i8mm                       pairs    float
    \\neon_i8mm                       blocks   tile 2 i8mm
    \\neon_i8mm                       bytes    tile 2 i8mm
    \\neon_i8mm                       mins     tile 2 i8mm
    \\neon_i8mm                       sixteens tile 2 i8mm
    \\neon_dotprod,neon,baseline      singles  float
    \\neon_dotprod,neon,baseline      pairs    float
    \\neon_dotprod,neon,baseline      blocks   tile
    \\neon_dotprod,neon,baseline      bytes    tile
    \\neon_dotprod,neon,baseline      mins     tile 16 expanded
    \\neon_dotprod,neon,baseline      sixteens tile 16 expanded
;

/// What the strategies ask of a format. `mins`, `sixteens`: K formats with sub-blocks of 32 and of 16 values.
fn kindOf(format: Format) []const u8 {
    return switch (format.traits()) {
        .float => |kind| @tagName(kind),
        .integer => |traits| switch (traits.activation) {
            .per256 => if (traits.sub_len == 32) "mins" else "sixteens",
            .per32 => if (traits.isSigned()) "bytes" else "blocks",
        },
    };
}

/// The strategy that the table has for `count` columns.
fn wanted(kind: []const u8, count: usize) ![]const u8 {
    var lines = std.mem.tokenizeScalar(u8, table, '\n');
    while (lines.next()) |line| {
        var words = std.mem.tokenizeScalar(u8, line, ' ');
        var levels = std.mem.splitScalar(u8, words.next().?, ',');
        const is_level = while (levels.next()) |level| {
            if (std.mem.eql(u8, level, options.level)) break true;
        } else false;
        if (!is_level or !std.mem.eql(u8, words.next().?, kind)) continue;
        var name = words.next().?;
        while (words.next()) |from| {
            const next = words.next().?;
            if (count >= try std.fmt.parseInt(usize, from, 10)) name = next;
        }
        return name;
    }
    std.debug.print("no line for {s} {s}\n", .{ options.level, kind });
    return error.MissingLine;
}

test "the first strategy that serves is the one that was measured to be best" {
    try std.testing.expectEqual(@as(usize, if (std.mem.eql(u8, options.level, "amx")) 128 else 64), strategies.columns_max);
    for (std.enums.values(Format)) |format| {
        for (1..300) |total| {
            var first: usize = 0;
            while (first < total) : (first += strategies.columns_max) {
                const span: Span = .{ .first = first, .end = @min(first + strategies.columns_max, total), .total = total };
                errdefer std.debug.print("{t}: columns {d} to {d} of {d}\n", .{ format, first, span.end, total });
                try std.testing.expectEqualStrings(try wanted(kindOf(format), span.count()), strategies.nameOf(format, span));
            }
        }
    }
}
