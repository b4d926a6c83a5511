//! What the tokens of a vocabulary do inside a terminal, from one of its states on. It depends on the terminal's automaton
//! alone, so all grammars of a vocabulary share it: strings, numbers and dates are looked at once.

const std = @import("std");
const grammar_module = @import("grammar.zig");
const vocabulary_module = @import("vocabulary.zig");
const Terminal = grammar_module.Terminal;
const Vocabulary = vocabulary_module.Vocabulary;

pub const Error = error{OutOfMemory};

/// Beyond this everything is forgotten, between two steps.
const kept_bytes = 64 << 20;
const hashes_max = 1 << 18;

pub const Wide = struct {
    /// Tokens that stay inside it, or end where it may end, whatever the number of characters.
    mask: []u64,
    /// Of a terminal that counts: its tokens by the characters that they begin, ascending.
    counted: []Counted,
    /// Nodes of the trie behind those where it may end, by their byte: where tokens go on with what follows.
    beyond: []Beyond,
    /// beyond[beyond_starts[byte]..beyond_starts[byte + 1]]
    beyond_starts: [257]u32,

    const Counted = struct { token: u32, count: u32 };
    /// count: characters that are whole before it.
    pub const Beyond = struct { node: u32, count: u32 };

    /// How many of `counted` begin at most `room` characters.
    pub fn fitting(wide: *const Wide, room: u32) usize {
        return std.sort.upperBound(Counted, wide.counted, room, order);
    }

    fn order(room: u32, entry: Counted) std.math.Order {
        return std.math.order(room, entry.count);
    }
};

/// A state of a terminal as it stands in a grammar.
const Place = struct { terminal: u128, state: u32 };

pub const WideMasks = struct {
    gpa: std.mem.Allocator,
    vocabulary: *const Vocabulary,
    /// By a hash of all that a state leads to: automata that differ elsewhere share it.
    known: std.AutoHashMapUnmanaged(u128, Wide) = .empty,
    hashes: std.AutoHashMapUnmanaged(Place, u128) = .empty,
    bytes: usize = 0,
    path: []Step,
    /// Of the hash being made: states in the order in which they were reached, and their places in it.
    order: std.ArrayList(u32) = .empty,
    places: std.ArrayList(u32) = .empty,

    /// Where a walk is: the automaton's state, and the characters that are whole.
    const Step = struct { state: u32, whole: u32 };

    pub fn init(gpa: std.mem.Allocator, vocabulary: *const Vocabulary) Error!WideMasks {
        return .{ .gpa = gpa, .vocabulary = vocabulary, .path = try gpa.alloc(Step, @as(usize, vocabulary.depth_max) + 1) };
    }

    pub fn deinit(masks: *WideMasks) void {
        masks.clear();
        masks.known.deinit(masks.gpa);
        masks.hashes.deinit(masks.gpa);
        masks.order.deinit(masks.gpa);
        masks.places.deinit(masks.gpa);
        masks.gpa.free(masks.path);
    }

    fn clear(masks: *WideMasks) void {
        var entries = masks.known.valueIterator();
        while (entries.next()) |entry| masks.free(entry.*);
        masks.known.clearRetainingCapacity();
        masks.hashes.clearRetainingCapacity();
        masks.bytes = 0;
    }

    fn free(masks: *WideMasks, wide: Wide) void {
        masks.gpa.free(wide.mask);
        masks.gpa.free(wide.counted);
        masks.gpa.free(wide.beyond);
    }

    /// What a state of a terminal allows; kept until `of` is called next.
    pub fn of(masks: *WideMasks, terminal: *const Terminal, state: u32) Error!*const Wide {
        const place: Place = .{ .terminal = terminal.hash, .state = state };
        const key = masks.hashes.get(place) orelse made: {
            if (masks.bytes > kept_bytes or masks.hashes.count() > hashes_max) masks.clear();
            const hash = try masks.hashOf(terminal, state);
            try masks.hashes.put(masks.gpa, place, hash);
            break :made hash;
        };
        if (masks.known.getPtr(key)) |found| return found;
        const wide = try masks.look(terminal, state);
        errdefer masks.free(wide);
        try masks.known.put(masks.gpa, key, wide);
        masks.bytes += wide.mask.len * 8 + wide.counted.len * @sizeOf(Wide.Counted) + wide.beyond.len * @sizeOf(Wide.Beyond);
        return masks.known.getPtr(key).?;
    }

    /// Of the automaton that begins at a state, whatever its states' numbers are.
    fn hashOf(masks: *WideMasks, terminal: *const Terminal, first: u32) Error!u128 {
        const automaton = &terminal.automaton;
        const unseen = std.math.maxInt(u32);
        masks.order.clearRetainingCapacity();
        try masks.places.resize(masks.gpa, automaton.accepting.len * 32);
        @memset(masks.places.items, unseen);
        // A count of characters goes on from the first state, wherever it begins.
        const counts = terminal.kind == .characters;
        for ([_]u32{ first, if (counts) 0 else first }) |state| {
            if (masks.places.items[state] != unseen) continue;
            masks.places.items[state] = @intCast(masks.order.items.len);
            try masks.order.append(masks.gpa, state);
        }
        var low: std.hash.Wyhash = .init(1);
        var high: std.hash.Wyhash = .init(2);
        var i: usize = 0;
        while (i < masks.order.items.len) : (i += 1) {
            const state = masks.order.items[i];
            var row: [257]u32 = undefined;
            row[256] = @as(u32, @intFromBool(automaton.accepts(state))) << 1 | @intFromBool(counts);
            for (row[0..256], 0..) |*to, byte| {
                const next = automaton.step(state, @intCast(byte));
                to.* = unseen;
                if (next == grammar_module.dead) continue;
                if (masks.places.items[next] == unseen) {
                    masks.places.items[next] = @intCast(masks.order.items.len);
                    try masks.order.append(masks.gpa, next);
                }
                to.* = masks.places.items[next];
            }
            low.update(std.mem.sliceAsBytes(&row));
            high.update(std.mem.sliceAsBytes(&row));
        }
        return @as(u128, high.final()) << 64 | low.final();
    }

    /// Walks the whole trie.
    fn look(masks: *WideMasks, terminal: *const Terminal, state: u32) Error!Wide {
        const vocabulary = masks.vocabulary;
        const nodes = vocabulary.nodes;
        const mask = try masks.gpa.alloc(u64, vocabulary.maskWords());
        errdefer masks.gpa.free(mask);
        @memset(mask, 0);
        var counted: std.ArrayList(Wide.Counted) = .empty;
        errdefer counted.deinit(masks.gpa);
        var beyond: std.ArrayList(Wide.Beyond) = .empty;
        defer beyond.deinit(masks.gpa);
        const counts = terminal.kind == .characters;
        masks.path[0] = .{ .state = state, .whole = 0 };
        var i: u32 = 0;
        while (i < nodes.len) {
            const node = nodes[i];
            const from = masks.path[node.depth - 1];
            const to = terminal.automaton.step(from.state, node.byte);
            if (to == grammar_module.dead) {
                i = node.end;
                continue;
            }
            const accepts = terminal.automaton.accepts(to);
            const whole = from.whole + @intFromBool(counts and accepts);
            if (node.token != vocabulary_module.none) {
                vocabulary.allow(mask, node);
                var id = node.token;
                while (counts and id != vocabulary_module.none) : (id = vocabulary.same[id]) {
                    try counted.append(masks.gpa, .{ .token = id, .count = whole + @intFromBool(!accepts) });
                }
            }
            if (accepts) {
                var child = i + 1;
                while (child < node.end) : (child = nodes[child].end) try beyond.append(masks.gpa, .{ .node = child, .count = whole });
            }
            masks.path[node.depth] = .{ .state = if (counts and accepts) 0 else to, .whole = whole };
            i += 1;
        }
        std.sort.pdq(Wide.Counted, counted.items, {}, fewer);
        const own_counted = try counted.toOwnedSlice(masks.gpa);
        errdefer masks.gpa.free(own_counted);
        var wide: Wide = .{ .mask = mask, .counted = own_counted, .beyond = &.{}, .beyond_starts = @splat(0) };
        try masks.sortBeyond(&wide, beyond.items);
        return wide;
    }

    /// By byte, in the trie's order.
    fn sortBeyond(masks: *WideMasks, wide: *Wide, unsorted: []const Wide.Beyond) Error!void {
        const nodes = masks.vocabulary.nodes;
        for (unsorted) |entry| wide.beyond_starts[@as(usize, nodes[entry.node].byte) + 1] += 1;
        for (1..257) |i| wide.beyond_starts[i] += wide.beyond_starts[i - 1];
        wide.beyond = try masks.gpa.alloc(Wide.Beyond, unsorted.len);
        var places = wide.beyond_starts;
        for (unsorted) |entry| {
            const place = &places[nodes[entry.node].byte];
            wide.beyond[place.*] = entry;
            place.* += 1;
        }
    }

    fn fewer(_: void, a: Wide.Counted, b: Wide.Counted) bool {
        return if (a.count != b.count) a.count < b.count else a.token < b.token;
    }
};
