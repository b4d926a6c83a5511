//! Tokens sorted by the experts that they chose: one row for each token and expert, those of an expert one after another.

const std = @import("std");

/// A row and the token that it is of.
pub const Copy = extern struct { token: u32, row: u32 };

pub const ExpertRows = struct {
    /// [experts + 1]: an expert's rows are starts[e] to starts[e + 1] − 1.
    starts: []u32,
    /// [n, used]: the row of each token's expert.
    rows: []u32,
    /// [n · used]: the token of each row.
    tokens: []u32,

    /// Words that `init` wants for n tokens.
    pub fn words(n: u32, used: u32, experts: u32) usize {
        return 2 * @as(usize, n) * used + experts + 1;
    }

    /// chosen: [n, used], each below `experts`. An expert's rows have ascending tokens.
    pub fn init(chosen: []const u32, used: u32, experts: u32, memory: []u32) ExpertRows {
        std.debug.assert(used > 0 and chosen.len % used == 0);
        std.debug.assert(memory.len == words(@intCast(chosen.len / used), used, experts));
        const result: ExpertRows = .{
            .starts = memory[2 * chosen.len ..],
            .rows = memory[0..chosen.len],
            .tokens = memory[chosen.len..][0..chosen.len],
        };
        const starts = result.starts;
        @memset(starts, 0);
        for (chosen) |expert| starts[expert + 1] += 1;
        for (1..starts.len) |i| starts[i] += starts[i - 1];
        for (chosen, result.rows, 0..) |expert, *row, i| {
            row.* = starts[expert];
            starts[expert] += 1;
            result.tokens[row.*] = @intCast(i / used);
        }
        // Each start is where the next expert's was.
        var i = starts.len - 1;
        while (i > 0) : (i -= 1) starts[i] = starts[i - 1];
        starts[0] = 0;
        std.debug.assert(starts[experts] == chosen.len);
        return result;
    }

    /// Rows of an expert.
    pub fn count(self: *const ExpertRows, expert: usize) u32 {
        return self.starts[expert + 1] - self.starts[expert];
    }

    /// The token of an expert that has one row: what it multiplies need not be copied.
    pub fn onlyToken(self: *const ExpertRows, expert: usize) ?u32 {
        return if (self.count(expert) == 1) self.tokens[self.starts[expert]] else null;
    }

    /// Fills `copies` with the rows of experts that have several, and gives those.
    pub fn copiesOf(self: *const ExpertRows, copies: []Copy) []Copy {
        var len: usize = 0;
        for (0..self.starts.len - 1) |expert| {
            if (self.count(expert) < 2) continue;
            for (self.starts[expert]..self.starts[expert + 1]) |row| {
                copies[len] = .{ .token = self.tokens[row], .row = @intCast(row) };
                len += 1;
            }
        }
        return copies[0..len];
    }
};

test "each token has a row with each of its experts, and an expert's rows ascend in tokens" {
    const chosen = [_]u32{ 1, 4, 0, 4, 1, 3, 1, 4 };
    var memory: [ExpertRows.words(4, 2, 6)]u32 = undefined;
    const sorted: ExpertRows = .init(&chosen, 2, 6, &memory);
    try std.testing.expectEqualSlices(u32, &.{ 0, 1, 4, 4, 5, 8, 8 }, sorted.starts);
    try std.testing.expectEqualSlices(u32, &.{ 1, 0, 2, 3, 2, 0, 1, 3 }, sorted.tokens);
    try std.testing.expectEqualSlices(u32, &.{ 1, 5, 0, 6, 2, 4, 3, 7 }, sorted.rows);
    try std.testing.expectEqual(1, sorted.onlyToken(0));
    try std.testing.expectEqual(null, sorted.onlyToken(1));
    try std.testing.expectEqual(null, sorted.onlyToken(2));
    var room: [8]Copy = undefined;
    const copies = sorted.copiesOf(&room);
    try std.testing.expectEqual(6, copies.len);
    try std.testing.expectEqual(Copy{ .token = 0, .row = 1 }, copies[0]);
    try std.testing.expectEqual(Copy{ .token = 3, .row = 7 }, copies[5]);
}
