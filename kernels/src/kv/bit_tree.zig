//! A set of numbers below a bound whose least member is found in O(log₆₄ bound): a bitmap, and above it bitmaps that say
//! which words of the one below are not empty. It uses memory that it is given and touches only the words it needs.

const std = @import("std");

const word_bits = 64;
const levels_max = 5;

pub const BitTree = struct {
    levels: [levels_max][]u64 = @splat(&.{}),
    depth: u32 = 0,

    /// Bounds up to 2³⁰ fit into the levels.
    pub const bound_max = 1 << 30;

    /// Words of memory that a set of numbers below `bound` takes.
    pub fn words(bound: u32) usize {
        var total: usize = 0;
        var bits: usize = bound;
        while (bits > 0) {
            bits = std.math.divCeil(usize, bits, word_bits) catch unreachable;
            total += bits;
            if (bits == 1) break;
        }
        return total;
    }

    /// The empty set. memory: `words(bound)` zeros, which the set owns.
    pub fn init(bound: u32, memory: []u64) BitTree {
        std.debug.assert(bound <= bound_max and memory.len == words(bound));
        var tree: BitTree = .{};
        var rest = memory;
        var bits: usize = bound;
        while (rest.len > 0) : (tree.depth += 1) {
            bits = std.math.divCeil(usize, bits, word_bits) catch unreachable;
            tree.levels[tree.depth] = rest[0..bits];
            rest = rest[bits..];
        }
        return tree;
    }

    pub fn contains(tree: *const BitTree, number: u32) bool {
        const word = number / word_bits;
        if (tree.depth == 0 or word >= tree.levels[0].len) return false;
        return tree.levels[0][word] & bit(number) != 0;
    }

    pub fn insert(tree: *BitTree, number: u32) void {
        std.debug.assert(!tree.contains(number));
        var position = number;
        for (tree.levels[0..tree.depth]) |level| {
            const word = &level[position / word_bits];
            const was_empty = word.* == 0;
            word.* |= bit(position);
            if (!was_empty) return;
            position /= word_bits;
        }
    }

    pub fn remove(tree: *BitTree, number: u32) void {
        std.debug.assert(tree.contains(number));
        var position = number;
        for (tree.levels[0..tree.depth]) |level| {
            const word = &level[position / word_bits];
            word.* &= ~bit(position);
            if (word.* != 0) return;
            position /= word_bits;
        }
    }

    /// The least member.
    pub fn first(tree: *const BitTree) ?u32 {
        return tree.atLeast(0);
    }

    /// The least member that is not below `from`.
    pub fn atLeast(tree: *const BitTree, from: u32) ?u32 {
        var position = from;
        for (tree.levels[0..tree.depth], 0..) |level, height| {
            const index = position / word_bits;
            if (index >= level.len) return null;
            const word = level[index] & (~@as(u64, 0) << @intCast(position % word_bits));
            if (word != 0) return tree.descend(height, index * word_bits + @ctz(word));
            position = index + 1;
        }
        return null;
    }

    fn descend(tree: *const BitTree, height: usize, position: u32) u32 {
        var found = position;
        var level = height;
        while (level > 0) {
            level -= 1;
            found = found * word_bits + @ctz(tree.levels[level][found]);
        }
        return found;
    }

    /// Number of members; reads every word.
    pub fn count(tree: *const BitTree) u32 {
        var total: u32 = 0;
        if (tree.depth > 0) for (tree.levels[0]) |word| {
            total += @popCount(word);
        };
        return total;
    }

    /// Whether the upper levels say what the lowest holds.
    pub fn consistent(tree: *const BitTree) bool {
        for (1..@max(tree.depth, 1)) |height| {
            const below = tree.levels[height - 1];
            for (tree.levels[height], 0..) |word, i| {
                const words_below = below[i * word_bits .. @min((i + 1) * word_bits, below.len)];
                var expected: u64 = 0;
                for (words_below, 0..) |lower, j| expected |= @as(u64, @intFromBool(lower != 0)) << @intCast(j);
                if (word != expected) return false;
            }
        }
        return true;
    }

    fn bit(position: u32) u64 {
        return @as(u64, 1) << @intCast(position % word_bits);
    }
};

test "BitTree agrees with a plain bitmap" {
    const testing = @import("../testing/testing.zig");
    var rng: testing.Rng = .init(3);
    for ([_]u32{ 1, 2, 63, 64, 65, 4096, 4097, 5000 }) |bound| {
        const memory = try std.testing.allocator.alloc(u64, BitTree.words(bound));
        defer std.testing.allocator.free(memory);
        @memset(memory, 0);
        var tree: BitTree = .init(bound, memory);
        var plain: [5000]bool = @splat(false);
        for (0..2000) |_| {
            const number = rng.between(u32, 0, bound - 1);
            try std.testing.expectEqual(plain[number], tree.contains(number));
            if (plain[number]) tree.remove(number) else tree.insert(number);
            plain[number] = !plain[number];
            const from = rng.between(u32, 0, bound);
            const expected: ?u32 = for (from..bound) |i| {
                if (plain[i]) break @intCast(i);
            } else null;
            try std.testing.expectEqual(expected, tree.atLeast(from));
        }
        try std.testing.expect(tree.consistent());
        try std.testing.expectEqual(std.mem.countScalar(bool, plain[0..bound], true), tree.count());
        try std.testing.expect(!tree.contains(bound + 64));
    }
}

test "BitTree notices a wrong upper level" {
    var memory: [BitTree.words(200)]u64 = @splat(0);
    var tree: BitTree = .init(200, &memory);
    tree.insert(150);
    try std.testing.expect(tree.consistent());
    tree.levels[1][0] = 0;
    try std.testing.expect(!tree.consistent());
}
