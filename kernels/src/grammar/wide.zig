//! What the tokens of a vocabulary do inside a terminal, from one of its states on. It depends on the terminal's automaton
//! alone, so all grammars of a vocabulary share it: strings, numbers and dates are looked at once.

const std = @import("std");
const characters = @import("characters.zig");
const grammar_module = @import("grammar.zig");
const vocabulary_module = @import("vocabulary.zig");
const Terminal = grammar_module.Terminal;
const Vocabulary = vocabulary_module.Vocabulary;
const Taken = characters.Taken;

pub const Error = error{OutOfMemory};

/// Beyond this everything is forgotten, between two steps.
const kept_bytes = 64 << 20;
const hashes_max = 1 << 18;
/// States of an automaton whose places are known by all that they lead to.
const hashed_states_max = 512;

pub const Wide = struct {
    /// Tokens that stay inside it, or end where it may end, whatever the number of characters.
    mask: []u64,
    /// Most characters that a token of `mask` begins, of a terminal that counts.
    longest: u32,
    /// Of a terminal that counts: its tokens by the characters that they begin, ascending. Empty until somebody asks.
    counted: []Counted = &.{},
    /// A bit for each node of the trie where it may end; empty where there are none.
    ends: []u64,
    /// Nodes right behind those, by their byte: where tokens go on with what follows. Found when somebody asks for a byte.
    beyond: std.AutoHashMapUnmanaged(u8, []Beyond) = .empty,

    pub const Counted = struct { token: u32, count: u32 };
    /// count: characters that are whole before it.
    pub const Beyond = struct { node: u32, count: u32 };

    /// How many of a list begin at most `room` characters.
    pub fn fitting(list: []const Counted, room: u32) usize {
        return std.sort.upperBound(Counted, list, room, order);
    }

    fn order(room: u32, entry: Counted) std.math.Order {
        return std.math.order(room, entry.count);
    }

    fn endsAt(wide: *const Wide, node: u32) bool {
        return wide.ends[node / 64] >> @intCast(node % 64) & 1 != 0;
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
    /// What states of a terminal do with characters, as far as it is known.
    taken: std.AutoHashMapUnmanaged(u128, []?Taken) = .empty,
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
        masks.taken.deinit(masks.gpa);
        masks.order.deinit(masks.gpa);
        masks.places.deinit(masks.gpa);
        masks.gpa.free(masks.path);
    }

    fn clear(masks: *WideMasks) void {
        var entries = masks.known.valueIterator();
        while (entries.next()) |entry| masks.free(entry.*);
        masks.known.clearRetainingCapacity();
        var lists = masks.taken.valueIterator();
        while (lists.next()) |list| masks.gpa.free(list.*);
        masks.taken.clearRetainingCapacity();
        masks.hashes.clearRetainingCapacity();
        masks.bytes = 0;
    }

    fn free(masks: *WideMasks, wide: Wide) void {
        masks.gpa.free(wide.mask);
        masks.gpa.free(wide.counted);
        masks.gpa.free(wide.ends);
        var places = wide.beyond;
        var lists = places.valueIterator();
        while (lists.next()) |list| masks.gpa.free(list.*);
        places.deinit(masks.gpa);
    }

    /// What a state of a terminal allows; kept until `of` is called next.
    pub fn of(masks: *WideMasks, terminal: *const Terminal, state: u32) Error!*Wide {
        const place: Place = .{ .terminal = terminal.hash, .state = state };
        const key = masks.hashes.get(place) orelse made: {
            if (masks.bytes > kept_bytes or masks.hashes.count() > hashes_max) masks.clear();
            const hash = try masks.hashOf(terminal, state);
            try masks.hashes.put(masks.gpa, place, hash);
            break :made hash;
        };
        if (masks.known.getPtr(key)) |found| return found;
        const wide = try masks.look(terminal, state, false);
        errdefer masks.free(wide);
        try masks.known.put(masks.gpa, key, wide);
        masks.bytes += (wide.mask.len + wide.ends.len) * 8;
        return masks.known.getPtr(key).?;
    }

    /// The tokens of a terminal that counts, by the characters that they begin.
    pub fn counted(masks: *WideMasks, wide: *Wide, terminal: *const Terminal, state: u32) Error![]const Wide.Counted {
        if (wide.counted.len == 0) {
            const again = try masks.look(terminal, state, true);
            wide.counted = again.counted;
            masks.gpa.free(again.mask);
            masks.gpa.free(again.ends);
            masks.bytes += wide.counted.len * @sizeOf(Wide.Counted);
        }
        return wide.counted;
    }

    /// Nodes with a byte right behind those where the terminal may end, as it went on from a state.
    pub fn beyond(masks: *WideMasks, wide: *Wide, terminal: *const Terminal, state: u32, byte: u8) Error![]const Wide.Beyond {
        if (wide.ends.len == 0) return &.{};
        const entry = try wide.beyond.getOrPut(masks.gpa, byte);
        if (entry.found_existing) return entry.value_ptr.*;
        errdefer _ = wide.beyond.remove(byte);
        var list: std.ArrayList(Wide.Beyond) = .empty;
        errdefer list.deinit(masks.gpa);
        const vocabulary = masks.vocabulary;
        for (vocabulary.by_byte[vocabulary.byte_starts[byte]..vocabulary.byte_starts[@as(usize, byte) + 1]]) |node| {
            const parent = vocabulary.parents[node];
            if (parent == vocabulary_module.none or !wide.endsAt(parent)) continue;
            const count = if (terminal.kind == .characters) masks.countTo(terminal, state, node) else 0;
            try list.append(masks.gpa, .{ .node = node, .count = count });
        }
        entry.value_ptr.* = try list.toOwnedSlice(masks.gpa);
        masks.bytes += entry.value_ptr.len * @sizeOf(Wide.Beyond);
        return entry.value_ptr.*;
    }

    /// Characters that are whole before a node.
    fn countTo(masks: *const WideMasks, terminal: *const Terminal, first: u32, node: u32) u32 {
        const vocabulary = masks.vocabulary;
        const depth = vocabulary.nodes[node].depth;
        const bytes = vocabulary.token(vocabulary.order[vocabulary.firsts[node]])[0 .. depth - 1];
        var state = first;
        var count: u32 = 0;
        for (bytes) |byte| {
            state = terminal.automaton.step(state, byte);
            if (!terminal.automaton.accepts(state)) continue;
            count += 1;
            state = 0;
        }
        return count;
    }

    /// Of the automaton that begins at a state, whatever its states' numbers are. Large ones are known by their own alone: to
    /// read all of them costs more than it saves.
    fn hashOf(masks: *WideMasks, terminal: *const Terminal, first: u32) Error!u128 {
        const automaton = &terminal.automaton;
        if (automaton.accepting.len * 32 > hashed_states_max) {
            const own = [_]u128{ terminal.hash, first };
            return std.hash.Wyhash.hash(3, std.mem.sliceAsBytes(&own)) | @as(u128, std.hash.Wyhash.hash(4, std.mem.sliceAsBytes(&own))) << 64;
        }
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

    /// Walks the trie, but for the subtrees of which every character leads one way.
    fn look(masks: *WideMasks, terminal: *const Terminal, state: u32, lists: bool) Error!Wide {
        const vocabulary = masks.vocabulary;
        const nodes = vocabulary.nodes;
        const automaton = &terminal.automaton;
        const counts = terminal.kind == .characters;
        const way: Way = .{ .terminal = terminal, .taken = try masks.takenOf(terminal) };
        var sight: Sight = try .init(masks, counts, lists);
        errdefer sight.deinit();
        masks.path[0] = .{ .state = state, .whole = 0 };
        var i: u32 = 0;
        while (i < nodes.len) {
            const node = nodes[i];
            const from = masks.path[node.depth - 1];
            if (way.through(from.state, vocabulary.below[i], vocabulary.heights[i])) |ends| {
                try sight.addAll(i, node.end, from.whole, ends);
                i = node.end;
                continue;
            }
            const to = automaton.step(from.state, node.byte);
            if (to == grammar_module.dead) {
                i = node.end;
                continue;
            }
            const accepts = automaton.accepts(to);
            const whole = from.whole + @intFromBool(counts and accepts);
            try sight.add(i, accepts, whole);
            masks.path[node.depth] = .{ .state = if (counts and accepts) 0 else to, .whole = whole };
            i += 1;
        }
        return sight.finish();
    }

    fn takenOf(masks: *WideMasks, terminal: *const Terminal) Error![]?Taken {
        const entry = try masks.taken.getOrPut(masks.gpa, terminal.hash);
        if (entry.found_existing) return entry.value_ptr.*;
        errdefer _ = masks.taken.remove(terminal.hash);
        const list = try masks.gpa.alloc(?Taken, terminal.automaton.accepting.len * 32);
        @memset(list, null);
        entry.value_ptr.* = list;
        masks.bytes += list.len * @sizeOf(?Taken);
        return list;
    }
};

/// The way that characters take through a terminal where all kinds of them take one.
const Way = struct {
    terminal: *const Terminal,
    taken: []?Taken,

    /// Whether up to so many characters of some kinds stay inside from a state on, and the terminal may end behind each of
    /// them, or behind none. Null where they do not all take one way.
    fn through(way: Way, first: u32, kinds: characters.Set, height: u16) ?bool {
        const counts = way.terminal.kind == .characters;
        const automaton = &way.terminal.automaton;
        var state = first;
        var ends: ?bool = null;
        for (0..height) |_| {
            const taken = way.at(state);
            if (kinds & ~taken.kinds != 0) return null;
            const accepts = counts or automaton.accepts(taken.next);
            if (accepts != (ends orelse accepts)) return null;
            ends = accepts;
            if (taken.next == state) break;
            state = taken.next;
        }
        return ends;
    }

    fn at(way: Way, state: u32) Taken {
        if (way.taken[state] == null) way.taken[state] = characters.takenBy(&way.terminal.automaton, state, way.terminal.kind == .characters);
        return way.taken[state].?;
    }
};

/// What a walk has seen.
const Sight = struct {
    gpa: std.mem.Allocator,
    vocabulary: *const Vocabulary,
    mask: []u64,
    ends: []u64,
    counted: std.ArrayList(Wide.Counted) = .empty,
    counts: bool,
    /// Whether each token is listed with its characters.
    lists: bool,
    longest: u32 = 0,
    has_end: bool = false,

    fn init(masks: *const WideMasks, counts: bool, lists: bool) Error!Sight {
        const gpa = masks.gpa;
        const vocabulary = masks.vocabulary;
        const mask = try gpa.alloc(u64, vocabulary.maskWords());
        errdefer gpa.free(mask);
        @memset(mask, 0);
        const ends = try gpa.alloc(u64, vocabulary.whole.len);
        errdefer gpa.free(ends);
        @memset(ends, 0);
        var sight: Sight = .{ .gpa = gpa, .vocabulary = vocabulary, .mask = mask, .ends = ends, .counts = counts, .lists = lists };
        if (lists) try sight.counted.ensureTotalCapacityPrecise(gpa, vocabulary.order.len);
        return sight;
    }

    fn deinit(sight: *Sight) void {
        sight.gpa.free(sight.mask);
        sight.gpa.free(sight.ends);
        sight.counted.deinit(sight.gpa);
    }

    /// A node, where the terminal may end or not.
    fn add(sight: *Sight, i: u32, is_end: bool, whole: u32) Error!void {
        const vocabulary = sight.vocabulary;
        const node = vocabulary.nodes[i];
        if (is_end) {
            sight.has_end = true;
            sight.ends[i / 64] |= @as(u64, 1) << @intCast(i % 64);
        }
        if (node.token == vocabulary_module.none) return;
        vocabulary.allow(sight.mask, node);
        if (!sight.counts) return;
        sight.longest = @max(sight.longest, whole + @intFromBool(!is_end));
        if (!sight.lists) return;
        var id = node.token;
        while (id != vocabulary_module.none) : (id = vocabulary.same[id]) {
            sight.counted.appendAssumeCapacity(.{ .token = id, .count = whole + @intFromBool(!is_end) });
        }
    }

    /// Nodes first … end, a whole subtree that stays inside; behind each character the terminal may end or not.
    fn addAll(sight: *Sight, first: u32, end: u32, whole: u32, may_end: bool) Error!void {
        const vocabulary = sight.vocabulary;
        const from = vocabulary.firsts[first];
        const tokens = vocabulary.order[from..vocabulary.firsts[end]];
        for (tokens) |id| sight.mask[id / 64] |= @as(u64, 1) << @intCast(id % 64);
        if (may_end) sight.addEnds(first, end);
        if (!sight.counts) return;
        // Characters on the way here, of those that the vocabulary counts in a token.
        var before: u16 = 0;
        for (vocabulary.token(tokens[0])[0 .. vocabulary.nodes[first].depth - 1]) |byte| before += @intFromBool(!characters.isInside(byte));
        const numbers = vocabulary.characters[from..][0..tokens.len];
        sight.longest = @max(sight.longest, whole + std.mem.max(u16, numbers) - before);
        if (!sight.lists) return;
        for (tokens, numbers) |id, number| {
            sight.counted.appendAssumeCapacity(.{ .token = id, .count = whole + number - before });
        }
    }

    fn addEnds(sight: *Sight, first: u32, end: u32) void {
        sight.has_end = true;
        const whole = sight.vocabulary.whole;
        for (first / 64..(end + 63) / 64) |word| {
            var bits = whole[word];
            if (word == first / 64) bits &= ~@as(u64, 0) << @intCast(first % 64);
            if (word == end / 64) bits &= (@as(u64, 1) << @intCast(end % 64)) - 1;
            sight.ends[word] |= bits;
        }
    }

    fn finish(sight: *Sight) Error!Wide {
        const counted = try sight.sorted();
        if (!sight.has_end) sight.gpa.free(sight.ends);
        return .{ .mask = sight.mask, .longest = sight.longest, .counted = counted, .ends = if (sight.has_end) sight.ends else &.{} };
    }

    /// By their counts: few numbers, so each gets its place at once.
    fn sorted(sight: *Sight) Error![]Wide.Counted {
        var starts: [vocabulary_module.token_bytes_max + 2]u32 = @splat(0);
        for (sight.counted.items) |entry| starts[entry.count + 1] += 1;
        for (1..starts.len) |i| starts[i] += starts[i - 1];
        const list = try sight.gpa.alloc(Wide.Counted, sight.counted.items.len);
        for (sight.counted.items) |entry| {
            list[starts[entry.count]] = entry;
            starts[entry.count] += 1;
        }
        sight.counted.deinit(sight.gpa);
        return list;
    }
};
