//! The bytes of a vocabulary's tokens as a trie in preorder: a walk that cuts what an automaton does not accept is a loop
//! over an array, in which a cut is a jump to the end of a subtree. Of each subtree it is known which kinds of characters begin
//! in it: where a place takes all of them and stays where it is, nobody need walk there.

const std = @import("std");
const kinds = @import("characters.zig");

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
    depth_max: u16 = 0,
    /// Each node's parent; `none` of the first level.
    parents: []u32 = &.{},
    /// Kinds of the characters that begin at a node or below it. All of them at one inside of a character.
    below: []kinds.Set = &.{},
    /// Most characters that begin at a node and below it, one after another.
    heights: []u16 = &.{},
    /// A bit for each node behind whose byte a character is whole.
    whole: []u64 = &.{},
    /// Tokens in the order in which the trie has them, and how many characters each begins.
    order: []u32 = &.{},
    characters: []u16 = &.{},
    /// How many tokens stand before a node in `order`; one more for the trie's end.
    firsts: []u32 = &.{},
    /// Nodes by their byte, ascending: those of a byte are by_byte[byte_starts[byte]..byte_starts[byte + 1]].
    by_byte: []u32 = &.{},
    byte_starts: [257]u32 = @splat(0),

    /// `starts`: n + 1 offsets into `bytes`, ascending. Tokens without bytes (control tokens, say) are never allowed.
    pub fn init(gpa: std.mem.Allocator, bytes: []const u8, starts: []const u32) error{ OutOfMemory, InvalidArgument }!Vocabulary {
        if (starts.len < 2 or starts[0] != 0 or starts[starts.len - 1] != bytes.len) return error.InvalidArgument;
        for (starts[0 .. starts.len - 1], starts[1..]) |first, end| if (first > end) return error.InvalidArgument;
        const n = starts.len - 1;
        var vocabulary: Vocabulary = .{ .nodes = &.{}, .same = &.{}, .bytes = &.{}, .starts = &.{} };
        errdefer vocabulary.deinit(gpa);
        vocabulary.bytes = try gpa.dupe(u8, bytes);
        vocabulary.starts = try gpa.dupe(u32, starts);
        vocabulary.same = try gpa.alloc(u32, n);
        @memset(vocabulary.same, none);
        try vocabulary.sort(gpa);
        try vocabulary.grow(gpa);
        try vocabulary.look(gpa);
        return vocabulary;
    }

    pub fn deinit(vocabulary: *Vocabulary, gpa: std.mem.Allocator) void {
        inline for (.{ "nodes", "same", "bytes", "starts", "parents", "below", "heights", "whole", "order", "characters", "firsts", "by_byte" }) |name| {
            gpa.free(@field(vocabulary, name));
        }
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

    /// Tokens that have bytes, and not too many, in the order of these.
    fn sort(vocabulary: *Vocabulary, gpa: std.mem.Allocator) !void {
        var order: std.ArrayList(u32) = try .initCapacity(gpa, vocabulary.same.len);
        errdefer order.deinit(gpa);
        for (0..vocabulary.same.len) |i| {
            const id: u32 = @intCast(i);
            const length = vocabulary.token(id).len;
            if (length > 0 and length <= token_bytes_max) order.appendAssumeCapacity(id);
        }
        std.sort.pdq(u32, order.items, vocabulary, less);
        vocabulary.order = try order.toOwnedSlice(gpa);
    }

    fn grow(vocabulary: *Vocabulary, gpa: std.mem.Allocator) !void {
        var nodes: std.ArrayList(Node) = .empty;
        defer nodes.deinit(gpa);
        var firsts: std.ArrayList(u32) = .empty;
        defer firsts.deinit(gpa);
        var parents: std.ArrayList(u32) = .empty;
        defer parents.deinit(gpa);
        var path: [token_bytes_max]u32 = undefined; // the nodes on the way to the token before
        var before: []const u8 = "";
        for (vocabulary.order, 0..) |id, place| {
            const bytes = vocabulary.token(id);
            const shared = std.mem.findDiff(u8, before, bytes) orelse bytes.len;
            for (path[shared..before.len]) |node| nodes.items[node].end = @intCast(nodes.items.len);
            for (bytes[shared..], shared..) |byte, depth| {
                path[depth] = @intCast(nodes.items.len);
                try nodes.append(gpa, .{ .end = 0, .token = none, .depth = @intCast(depth + 1), .byte = byte });
                try firsts.append(gpa, @intCast(place));
                try parents.append(gpa, if (depth == 0) none else path[depth - 1]);
            }
            const last = &nodes.items[path[bytes.len - 1]];
            vocabulary.same[id] = last.token;
            last.token = id;
            vocabulary.depth_max = @max(vocabulary.depth_max, last.depth);
            before = bytes;
        }
        for (path[0..before.len]) |node| nodes.items[node].end = @intCast(nodes.items.len);
        try firsts.append(gpa, @intCast(vocabulary.order.len));
        vocabulary.nodes = try nodes.toOwnedSlice(gpa);
        vocabulary.firsts = try firsts.toOwnedSlice(gpa);
        vocabulary.parents = try parents.toOwnedSlice(gpa);
    }

    /// Finds what characters there are, and where each byte stands.
    fn look(vocabulary: *Vocabulary, gpa: std.mem.Allocator) !void {
        const nodes = vocabulary.nodes;
        vocabulary.below = try gpa.alloc(kinds.Set, nodes.len);
        vocabulary.heights = try gpa.alloc(u16, nodes.len);
        @memset(vocabulary.heights, 0);
        vocabulary.whole = try gpa.alloc(u64, (nodes.len + 63) / 64);
        @memset(vocabulary.whole, 0);
        vocabulary.by_byte = try gpa.alloc(u32, nodes.len);
        var path: [token_bytes_max + 1]kinds.Place = undefined;
        path[0] = .between;
        for (nodes, 0..) |node, i| {
            const at, const begun = path[node.depth - 1].step(node.byte);
            path[node.depth] = at;
            vocabulary.below[i] = begun;
            if (at.isBetween()) vocabulary.whole[i / 64] |= @as(u64, 1) << @intCast(i % 64);
            vocabulary.byte_starts[@as(usize, node.byte) + 1] += 1;
        }
        for (1..257) |byte| vocabulary.byte_starts[byte] += vocabulary.byte_starts[byte - 1];
        var places = vocabulary.byte_starts;
        for (nodes, 0..) |node, i| {
            vocabulary.by_byte[places[node.byte]] = @intCast(i);
            places[node.byte] += 1;
        }
        var i = nodes.len;
        while (i > 0) {
            i -= 1;
            const parent = vocabulary.parents[i];
            const inside = kinds.isInside(nodes[i].byte);
            vocabulary.heights[i] += @intFromBool(!inside);
            if (parent != none) {
                vocabulary.below[parent] |= vocabulary.below[i];
                vocabulary.heights[parent] = @max(vocabulary.heights[parent], vocabulary.heights[i]);
            }
            if (inside) vocabulary.below[i] = kinds.all;
        }
        vocabulary.characters = try gpa.alloc(u16, vocabulary.order.len);
        for (vocabulary.order, vocabulary.characters) |id, *number| {
            number.* = 0;
            for (vocabulary.token(id)) |byte| number.* += @intFromBool(!kinds.isInside(byte));
        }
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
