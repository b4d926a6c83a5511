//! Which tokens may come next.
//!
//! A walk of the vocabulary's trie with the automaton of states would do, and does where few bytes lead on. Inside a string, a
//! number or free text it would visit most of the vocabulary each time. What tokens do there depends on the terminal's own
//! state alone, but for those that reach its end and go on: so the walk is done once a terminal's state, and only the
//! subtrees behind its ends are walked with what follows here (Dong et al. 2024 split masks in the same way). The masks of
//! states that were asked for last are kept whole.

const std = @import("std");
const grammar_module = @import("grammar.zig");
const states_module = @import("states.zig");
const vocabulary_module = @import("vocabulary.zig");
const Grammar = grammar_module.Grammar;
const States = states_module.States;
const Item = states_module.Item;
const Vocabulary = vocabulary_module.Vocabulary;
const wide_module = @import("wide.zig");
const Wide = wide_module.Wide;
const WideMasks = wide_module.WideMasks;

/// Bytes of whole masks that a grammar keeps beside those of the step under way.
const kept_bytes = 4 << 20;

pub const Error = error{OutOfMemory};

const Slot = struct { state: u32, used: u64, words: []u64 };

pub const Masks = struct {
    gpa: std.mem.Allocator,
    grammar: *const Grammar,
    states: *States,
    vocabulary: *const Vocabulary,
    /// Tokens that end an answer.
    ends: []const u32,
    wide: *WideMasks,
    /// Which bits were set before those of a terminal came.
    before: std.ArrayList(bool) = .empty,
    slots: std.ArrayList(Slot) = .empty,
    /// Counts the calls of `beginStep`.
    time: u64 = 1,
    path: []u32,
    narrow: std.ArrayList(Item) = .empty,

    pub fn init(gpa: std.mem.Allocator, states: *States, wide: *WideMasks, ends: []const u32) Error!Masks {
        const vocabulary = wide.vocabulary;
        const path = try gpa.alloc(u32, @as(usize, vocabulary.depth_max) + 1);
        return .{ .gpa = gpa, .grammar = states.grammar, .states = states, .vocabulary = vocabulary, .wide = wide, .ends = ends, .path = path };
    }

    pub fn deinit(masks: *Masks) void {
        masks.before.deinit(masks.gpa);
        for (masks.slots.items) |slot| masks.gpa.free(slot.words);
        masks.slots.deinit(masks.gpa);
        masks.narrow.deinit(masks.gpa);
        masks.gpa.free(masks.path);
    }

    pub fn bytes(masks: *const Masks) usize {
        return masks.slots.items.len * masks.vocabulary.maskWords() * 8;
    }

    /// After `states.clear()`.
    pub fn forgetStates(masks: *Masks) void {
        for (masks.slots.items) |*slot| slot.* = .{ .state = states_module.none, .used = 0, .words = slot.words };
    }

    /// From here on the masks that `of` gives are kept until the next call.
    pub fn beginStep(masks: *Masks) void {
        masks.time += 1;
    }

    /// The mask of a state: a bit for each token.
    pub fn of(masks: *Masks, state: u32) Error![]const u64 {
        const known = masks.states.get(state).mask_slot;
        if (known < masks.slots.items.len and masks.slots.items[known].state == state) {
            masks.slots.items[known].used = masks.time;
            return masks.slots.items[known].words;
        }
        const index = try masks.freeSlot();
        const slot = &masks.slots.items[index];
        slot.state = states_module.none;
        @memset(slot.words, 0);
        try masks.fill(state, slot.words);
        slot.* = .{ .state = state, .used = masks.time, .words = slot.words };
        masks.states.get(state).mask_slot = index;
        return slot.words;
    }

    fn freeSlot(masks: *Masks) Error!u32 {
        const words = masks.vocabulary.maskWords();
        const kept = @max(8, kept_bytes / (words * 8));
        if (masks.slots.items.len >= kept) {
            var oldest: usize = 0;
            for (masks.slots.items, 0..) |slot, i| if (slot.used < masks.slots.items[oldest].used) {
                oldest = i;
            };
            if (masks.slots.items[oldest].used < masks.time) return @intCast(oldest);
        }
        const memory = try masks.gpa.alloc(u64, words);
        errdefer masks.gpa.free(memory);
        try masks.slots.append(masks.gpa, .{ .state = states_module.none, .used = 0, .words = memory });
        return @intCast(masks.slots.items.len - 1);
    }

    fn fill(masks: *Masks, state: u32, mask: []u64) Error!void {
        const from = masks.states.get(state).*;
        if (from.accepting) for (masks.ends) |id| {
            mask[id / 64] |= @as(u64, 1) << @intCast(id % 64);
        };
        masks.narrow.clearRetainingCapacity();
        for (from.items) |item| {
            if (masks.grammar.terminals[item.terminal].isWide(item.state)) continue;
            try masks.narrow.append(masks.gpa, item);
        }
        const all = masks.vocabulary.nodes.len;
        if (masks.narrow.items.len == from.items.len) return masks.walk(state, 0, all, mask);
        if (masks.narrow.items.len > 0) try masks.walk(try masks.states.of(masks.narrow.items), 0, all, mask);
        for (from.items) |item| {
            if (masks.grammar.terminals[item.terminal].isWide(item.state)) try masks.addWide(item, mask);
        }
    }

    /// Allows what tokens do that pass nodes first … end of the trie, whose parent was reached in a state.
    fn walk(masks: *Masks, state: u32, first: usize, end: usize, mask: []u64) Error!void {
        const nodes = masks.vocabulary.nodes;
        if (first == end) return;
        const top = nodes[first].depth;
        masks.path[0] = state;
        var i = first;
        while (i < end) {
            const node = nodes[i];
            const to = try masks.states.walk(masks.path[node.depth - top], node.byte);
            if (to == states_module.none) {
                i = node.end;
                continue;
            }
            if (node.token != vocabulary_module.none) masks.vocabulary.allow(mask, node);
            masks.path[node.depth - top + 1] = to;
            i += 1;
        }
    }

    fn addWide(masks: *Masks, item: Item, mask: []u64) Error!void {
        const terminal = &masks.grammar.terminals[item.terminal];
        const wide = try masks.wide.of(terminal, item.state);
        const counts = terminal.kind == .characters;
        const room = if (counts and terminal.most != grammar_module.unlimited) terminal.most - item.count else grammar_module.unlimited;
        if (room >= wide.longest) {
            for (mask, wide.mask) |*word, more| word.* |= more;
        } else try masks.addCounted(wide.mask, try masks.wide.counted(wide, terminal, item.state), room, mask);
        if (wide.ends.len == 0) return;
        const after = try masks.states.after(item.next, item.parents);
        if (masks.states.get(after).items.len == 0) return;
        const nodes = masks.vocabulary.nodes;
        for (0..256) |byte| {
            const to = try masks.states.walk(after, @intCast(byte));
            if (to == states_module.none) continue;
            for (try masks.wide.beyond(wide, terminal, item.state, @intCast(byte))) |place| {
                if (counts and (place.count > room or item.count + place.count < terminal.least)) continue;
                const node = nodes[place.node];
                masks.vocabulary.allow(mask, node);
                try masks.walk(to, place.node + 1, node.end, mask);
            }
        }
    }

    /// Allows what stays inside a terminal and begins no more characters than there is room for.
    fn addCounted(masks: *Masks, all: []const u64, counted: []const Wide.Counted, room: u32, mask: []u64) Error!void {
        const fitting = Wide.fitting(counted, room);
        if (fitting < counted.len / 2) {
            for (counted[0..fitting]) |entry| mask[entry.token / 64] |= @as(u64, 1) << @intCast(entry.token % 64);
            return;
        }
        // Few are too long: all are allowed, and those are not, unless something else allowed them before.
        const long = counted[fitting..];
        try masks.before.resize(masks.gpa, long.len);
        for (long, masks.before.items) |entry, *before| before.* = mask[entry.token / 64] >> @intCast(entry.token % 64) & 1 != 0;
        for (mask, all) |*word, more| word.* |= more;
        for (long, masks.before.items) |entry, before| {
            if (!before) mask[entry.token / 64] &= ~(@as(u64, 1) << @intCast(entry.token % 64));
        }
    }
};
