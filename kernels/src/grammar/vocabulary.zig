//! The bytes of a vocabulary's tokens as a trie in preorder: a walk that cuts what an automaton does not accept is a loop
//! over an array, in which a cut is a jump to the end of a subtree.

const std = @import("std");

/// No token ends at a node, or no other token has the same bytes.
pub const none: u32 = 0xffff_ffff;
/// Longer tokens are left out: a grammar never chooses them.
pub const token_bytes_max = 1024;

pub const Node = struct {
    /// The node behind its subtree.
    end: u32,
    /// The first token that ends here.
    token: u32,
    /// Bytes on the way here, at least 1.
    depth: u16,
    byte: u8,
};

pub const Vocabulary = struct {
    nodes: []Node,
    /// The next token with the same bytes.
    same: []u32,
    /// Bytes of token i: bytes[starts[i]..starts[i + 1]]; none of those that are no text.
    bytes: []u8,
    starts: []u32,
    depth_max: u16,

    /// `starts`: n + 1 offsets into `bytes`, ascending. Tokens without bytes (control tokens, say) are never allowed.
    pub fn init(gpa: std.mem.Allocator, bytes: []const u8, starts: []const u32) error{ OutOfMemory, InvalidArgument }!Vocabulary {
        if (starts.len < 2 or starts[0] != 0 or starts[starts.len - 1] != bytes.len) return error.InvalidArgument;
        for (starts[0 .. starts.len - 1], starts[1..]) |first, end| if (first > end) return error.InvalidArgument;
        const n = starts.len - 1;
        const own_bytes = try gpa.dupe(u8, bytes);
        errdefer gpa.free(own_bytes);
        const own_starts = try gpa.dupe(u32, starts);
        errdefer gpa.free(own_starts);
        const same = try gpa.alloc(u32, n);
        errdefer gpa.free(same);
        @memset(same, none);
        var vocabulary: Vocabulary = .{ .nodes = &.{}, .same = same, .bytes = own_bytes, .starts = own_starts, .depth_max = 0 };
        const order = try gpa.alloc(u32, n);
        defer gpa.free(order);
        for (order, 0..) |*id, i| id.* = @intCast(i);
        std.sort.pdq(u32, order, &vocabulary, less);
        try vocabulary.grow(gpa, order);
        return vocabulary;
    }

    pub fn deinit(vocabulary: *Vocabulary, gpa: std.mem.Allocator) void {
        gpa.free(vocabulary.nodes);
        gpa.free(vocabulary.same);
        gpa.free(vocabulary.bytes);
        gpa.free(vocabulary.starts);
    }

    pub fn count(vocabulary: *const Vocabulary) u32 {
        return @intCast(vocabulary.same.len);
    }

    pub fn token(vocabulary: *const Vocabulary, id: u32) []const u8 {
        return vocabulary.bytes[vocabulary.starts[id]..vocabulary.starts[id + 1]];
    }

    /// Words of a mask with a bit for each token.
    pub fn maskWords(vocabulary: *const Vocabulary) usize {
        return (vocabulary.same.len + 63) / 64;
    }

    /// Sets the bits of the tokens that end at a node.
    pub inline fn allow(vocabulary: *const Vocabulary, mask: []u64, node: Node) void {
        var id = node.token;
        while (id != none) : (id = vocabulary.same[id]) mask[id / 64] |= @as(u64, 1) << @intCast(id % 64);
    }

    fn less(vocabulary: *const Vocabulary, a: u32, b: u32) bool {
        return switch (std.mem.order(u8, vocabulary.token(a), vocabulary.token(b))) {
            .lt => true,
            .gt => false,
            .eq => a < b,
        };
    }

    fn grow(vocabulary: *Vocabulary, gpa: std.mem.Allocator, order: []const u32) !void {
        var nodes: std.ArrayList(Node) = .empty;
        errdefer nodes.deinit(gpa);
        var path: [token_bytes_max]u32 = undefined; // the nodes on the way to the token before
        var before: []const u8 = "";
        for (order) |id| {
            const bytes = vocabulary.token(id);
            if (bytes.len == 0 or bytes.len > token_bytes_max) continue;
            const shared = std.mem.findDiff(u8, before, bytes) orelse bytes.len;
            for (path[shared..before.len]) |node| nodes.items[node].end = @intCast(nodes.items.len);
            for (bytes[shared..], shared..) |byte, depth| {
                path[depth] = @intCast(nodes.items.len);
                try nodes.append(gpa, .{ .end = 0, .token = none, .depth = @intCast(depth + 1), .byte = byte });
            }
            const last = &nodes.items[path[bytes.len - 1]];
            vocabulary.same[id] = last.token;
            last.token = id;
            vocabulary.depth_max = @max(vocabulary.depth_max, last.depth);
            before = bytes;
        }
        for (path[0..before.len]) |node| nodes.items[node].end = @intCast(nodes.items.len);
        vocabulary.nodes = try nodes.toOwnedSlice(gpa);
    }
};

const testing = std.testing;

test "the trie has every token with text once, subtrees in a row" {
    const gpa = testing.allocator;
    var vocabulary: Vocabulary = try .init(gpa, "abcabbaab" ++ "b", &.{ 0, 1, 3, 3, 5, 6, 8, 9, 10 });
    defer vocabulary.deinit(gpa);
    // a, bc, "", ab, b, aa, b, b
    var seen: [8]bool = @splat(false);
    for (vocabulary.nodes, 0..) |node, i| {
        try testing.expect(node.end > i and node.end <= vocabulary.nodes.len);
        var id = node.token;
        while (id != none) : (id = vocabulary.same[id]) {
            try testing.expect(!seen[id]);
            seen[id] = true;
            try testing.expectEqual(node.depth, vocabulary.token(id).len);
            try testing.expectEqual(node.byte, vocabulary.token(id)[node.depth - 1]);
        }
    }
    try testing.expectEqualSlices(bool, &.{ true, true, false, true, true, true, true, true }, &seen);
    try testing.expectEqual(5, vocabulary.nodes.len);
    try testing.expectEqual(2, vocabulary.depth_max);
}

test "offsets that cannot be are refused" {
    const gpa = testing.allocator;
    for ([_][]const u32{ &.{}, &.{0}, &.{ 1, 2 }, &.{ 0, 3, 2 }, &.{ 0, 1 } }) |starts| {
        try testing.expectError(error.InvalidArgument, Vocabulary.init(gpa, "ab", starts));
    }
}
