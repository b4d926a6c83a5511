//! The ways to multiply a claim, best first: of those that serve it, the first one runs. A new one is a file and a line here.
//!
//! Each file declares
//! - serves(format, span): whether it computes these columns of weights in this format best on this level. What a level
//!   lacks makes it false at compile time, so that nothing of it is compiled there. Rows do not matter: an output element
//!   has one strategy, however the rows are shared out.
//! - cut(format, columns): how it wants an item of so many columns to be cut into claims.
//! - run(format, claim): computes the claim, bias, residual and store included.
//! - reference, only where its bits are its own: the sum of one element. It then serves any number of columns.
//!
//! Integer sums are exact, and all strategies do the float operations that tile.zig states, so that only speed decides there.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const Format = @import("../../quant/format.zig").Format;
const item_file = @import("item.zig");
const Claim = item_file.Claim;
const Cut = item_file.Cut;
const Span = item_file.Span;

pub const all = .{
    @import("amx_bf16.zig"),
    @import("amx_k.zig"),
    @import("amx_32.zig"),
    @import("bf16.zig"),
    @import("i8mm.zig"),
    @import("vnni.zig"),
    @import("short.zig"),
    @import("expanded.zig"),
    @import("tile.zig"),
    @import("float.zig"),
};

/// Columns of a claim: as many as the level's strategies want for many columns.
pub const columns_max = columns: {
    var most: usize = 0;
    for (std.enums.values(Format)) |format| most = @max(most, Best(format, many).cut(format, many.total).columns_max);
    break :columns most;
};
const many: Span = .{ .first = 0, .end = 64, .total = 64 };

comptime {
    for (std.enums.values(Format)) |format| std.debug.assert(Best(format, many).cut(format, many.total).panels_min <= item_file.panels_max);
}

/// Each strategy asks for each format's traits.
const quota = 20_000;

fn Best(comptime format: Format, comptime span: Span) type {
    @setEvalBranchQuota(quota);
    inline for (all) |Strategy| {
        if (Strategy.serves(format, span)) return Strategy;
    }
    unreachable;
}

/// The strategy of an output element whose bits are not those of `reference` in matmul.zig; null: they are.
pub fn WithReference(comptime format: Format) ?type {
    const Strategy = Best(format, .{ .first = 0, .end = 1, .total = 1 });
    return if (@hasDecl(Strategy, "reference")) Strategy else null;
}

/// The first columns of an item.
fn firstSpan(columns: usize) Span {
    return .{ .first = 0, .end = @min(columns, columns_max), .total = columns };
}

pub fn cut(format: Format, columns: usize) Cut {
    @setEvalBranchQuota(quota);
    std.debug.assert(columns > 0);
    switch (format.layout()) {
        inline else => |f| if (comptime f.layout() == f) inline for (all) |Strategy| {
            if (Strategy.serves(f, firstSpan(columns))) return Strategy.cut(f, columns);
        },
    }
    unreachable;
}

pub fn run(comptime format: Format, claim: *const Claim) void {
    @setEvalBranchQuota(quota);
    std.debug.assert(claim.panels() > 0 and claim.panels() <= item_file.panels_max);
    std.debug.assert(claim.span.count() > 0 and claim.span.count() <= columns_max and claim.span.end <= claim.span.total);
    inline for (all) |Strategy| {
        // A function of its own: what all of them inlined into one would cost the compiler grows faster than their number.
        if (Strategy.serves(format, claim.span)) return @call(.never_inline, Strategy.run, .{ format, claim });
    }
    unreachable;
}

/// File name of the strategy of a span, for tests.
pub fn nameOf(format: Format, span: Span) []const u8 {
    @setEvalBranchQuota(quota);
    switch (format.layout()) {
        inline else => |f| if (comptime f.layout() == f) inline for (all) |Strategy| {
            if (Strategy.serves(f, span)) return comptime baseName(@typeName(Strategy));
        },
    }
    unreachable;
}

fn baseName(comptime path: []const u8) []const u8 {
    return path[std.mem.findScalarLast(u8, path, '.').? + 1 ..];
}

test {
    _ = @import("strategies_test.zig");
}
