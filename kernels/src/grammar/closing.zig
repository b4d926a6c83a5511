//! The shortest way to the end of a text that follows a grammar: from each place it is known how many bytes are needed at
//! least, so the way is gone byte by byte, and its bytes are taken as the fewest tokens that they can be.

const std = @import("std");
const grammar_module = @import("grammar.zig");
const states_module = @import("states.zig");
const vocabulary_module = @import("vocabulary.zig");
const Grammar = grammar_module.Grammar;
const Item = states_module.Item;
const States = states_module.States;
const Vocabulary = vocabulary_module.Vocabulary;

/// No way leads to the end, or none is known.
pub const never: u32 = 0xffff_ffff;
/// Bytes of the longest way that is gone.
const path_max = 1 << 16;
/// Passes over a network or an automaton. Ways are found from the end backwards, which is how both are numbered: few are
/// needed.
const passes_max = 256;

pub const Error = error{ OutOfMemory, InvalidArgument };

pub const Closing = struct {
    gpa: std.mem.Allocator,
    grammar: *const Grammar,
    /// Fewest bytes from each state of the network to the end of its rule.
    rest: []u32,
    /// Fewest bytes, one at least, from each state of a terminal's automaton to one that accepts: those of terminal i begin
    /// at firsts[i].
    steps: []u32,
    firsts: []u32,
    /// Fewest bytes behind a set of frames, as far as somebody has asked; of one epoch of the states.
    behind: std.AutoHashMapUnmanaged(u32, u32) = .empty,
    epoch: u32 = 0,
    path: std.ArrayList(u8) = .empty,

    pub fn init(gpa: std.mem.Allocator, grammar: *const Grammar) Error!Closing {
        var closing: Closing = .{ .gpa = gpa, .grammar = grammar, .rest = &.{}, .steps = &.{}, .firsts = &.{} };
        errdefer closing.deinit();
        try closing.measureTerminals();
        try closing.measureRules();
        return closing;
    }

    pub fn deinit(closing: *Closing) void {
        closing.gpa.free(closing.rest);
        closing.gpa.free(closing.steps);
        closing.gpa.free(closing.firsts);
        closing.behind.deinit(closing.gpa);
        closing.path.deinit(closing.gpa);
    }

    fn measureTerminals(closing: *Closing) Error!void {
        const terminals = closing.grammar.terminals;
        closing.firsts = try closing.gpa.alloc(u32, terminals.len);
        var total: u32 = 0;
        for (terminals, closing.firsts) |terminal, *first| {
            first.* = total;
            if (terminal.kind != .literal) total += @intCast(terminal.automaton.next.len / terminal.automaton.class_count);
        }
        closing.steps = try closing.gpa.alloc(u32, total);
        @memset(closing.steps, never);
        for (terminals, closing.firsts, 0..) |terminal, first, i| {
            if (terminal.kind == .literal) continue;
            const end = if (i + 1 < terminals.len) closing.firsts[i + 1] else total;
            measureAutomaton(&terminal.automaton, closing.steps[first..end]);
        }
    }

    fn measureRules(closing: *Closing) Error!void {
        const grammar = closing.grammar;
        closing.rest = try closing.gpa.alloc(u32, grammar.states.len - 1);
        for (closing.rest, 0..) |*rest, i| rest.* = if (grammar.isFinal(@intCast(i))) 0 else never;
        for (0..passes_max) |_| {
            var changed = false;
            var i = closing.rest.len;
            while (i > 0) {
                i -= 1;
                for (grammar.edgesOf(@intCast(i))) |edge| {
                    const through = switch (edge.kind()) {
                        .empty => 0,
                        .terminal => closing.whole(.{ .terminal = edge.target(), .state = 0, .count = 0, .next = 0, .parents = 0 }),
                        .call => closing.rest[grammar.rules[edge.target()]],
                    };
                    const bytes = through +| closing.rest[edge.next];
                    if (bytes >= closing.rest[i]) continue;
                    closing.rest[i] = bytes;
                    changed = true;
                }
            }
            if (!changed) return;
        }
    }

    /// Fewest bytes to the end of an item's terminal.
    fn whole(closing: *const Closing, item: Item) u32 {
        const terminal = &closing.grammar.terminals[item.terminal];
        const steps = closing.steps[closing.firsts[item.terminal]..];
        return switch (terminal.kind) {
            .literal => @intCast(terminal.literal.len - item.state),
            .automaton => steps[item.state],
            .characters => steps[item.state] +| (terminal.least -| (item.count + 1)) *| steps[0],
        };
    }

    /// Fewest bytes to the end of the text, from an item.
    fn from(closing: *Closing, states: *const States, item: Item) Error!u32 {
        return closing.whole(item) +| closing.rest[item.next] +| try closing.stack(states, item.parents);
    }

    fn stack(closing: *Closing, states: *const States, parents: u32) Error!u32 {
        if (closing.behind.get(parents)) |known| return known;
        var fewest = never;
        for (states.sets.items[parents]) |frame| {
            if (frame == states_module.bottom) {
                fewest = 0;
                break;
            }
            const caller = states.frames.items[frame];
            fewest = @min(fewest, closing.rest[caller.next] +| try closing.stack(states, caller.parents));
        }
        try closing.behind.put(closing.gpa, parents, fewest);
        return fewest;
    }

    /// The tokens of the shortest way from a state to where its text may end, as many as there is room for. Returns how many
    /// there are; `never` where there is no way.
    pub fn tokens(closing: *Closing, states: *States, vocabulary: *const Vocabulary, state: u32, room: []u32) Error!u32 {
        if (closing.epoch != states.epoch) {
            closing.behind.clearRetainingCapacity();
            closing.epoch = states.epoch;
        }
        closing.path.clearRetainingCapacity();
        var at = state;
        while (!states.get(at).accepting) {
            var fewest = never;
            var best: ?Item = null;
            for (states.get(at).items) |item| {
                const bytes = try closing.from(states, item);
                if (bytes < fewest) {
                    fewest = bytes;
                    best = item;
                }
            }
            const byte = closing.byteOf(vocabulary, best orelse return never) orelse return never;
            if (closing.path.items.len == path_max) return never;
            try closing.path.append(closing.gpa, byte);
            at = try states.step(at, byte);
            if (at == states_module.none) return never;
        }
        return cover(closing.gpa, vocabulary, closing.path.items, room);
    }

    /// The byte with which the shortest way through an item's terminal goes on: of several one that is a token by itself.
    fn byteOf(closing: *const Closing, vocabulary: *const Vocabulary, item: Item) ?u8 {
        const terminal = &closing.grammar.terminals[item.terminal];
        if (terminal.kind == .literal) return terminal.literal[item.state];
        const steps = closing.steps[closing.firsts[item.terminal]..];
        var any: ?u8 = null;
        for (0..256) |byte| {
            const to = terminal.automaton.step(item.state, @intCast(byte));
            if (to == grammar_module.dead) continue;
            const left = if (terminal.automaton.accepts(to)) 0 else steps[to];
            if (left +| 1 != steps[item.state]) continue;
            if (isToken(vocabulary, @intCast(byte))) return @intCast(byte);
            if (any == null) any = @intCast(byte);
        }
        return any;
    }
};

fn measureAutomaton(automaton: *const grammar_module.Automaton, steps: []u32) void {
    const classes = automaton.class_count;
    for (0..passes_max) |_| {
        var changed = false;
        var state = steps.len;
        while (state > 0) {
            state -= 1;
            for (automaton.next[state * classes ..][0..classes]) |to| {
                if (to == grammar_module.dead) continue;
                const left = if (automaton.accepts(to)) 0 else steps[to];
                if (left +| 1 >= steps[state]) continue;
                steps[state] = left + 1;
                changed = true;
            }
        }
        if (!changed) return;
    }
}

fn isToken(vocabulary: *const Vocabulary, byte: u8) bool {
    var at: usize = 0;
    while (at < vocabulary.nodes.len and vocabulary.nodes[at].byte != byte) at = vocabulary.nodes[at].end;
    return at < vocabulary.nodes.len and vocabulary.nodes[at].token != vocabulary_module.none;
}

/// The fewest tokens whose bytes, joined, are a path.
fn cover(gpa: std.mem.Allocator, vocabulary: *const Vocabulary, path: []const u8, room: []u32) Error!u32 {
    const needed = try gpa.alloc(u32, path.len + 1);
    defer gpa.free(needed);
    const first = try gpa.alloc(u32, path.len + 1);
    defer gpa.free(first);
    needed[path.len] = 0;
    var i = path.len;
    while (i > 0) {
        i -= 1;
        needed[i] = never;
        var at: usize = 0;
        var end = vocabulary.nodes.len;
        for (path[i..], i + 1..) |byte, behind| {
            while (at < end and vocabulary.nodes[at].byte != byte) at = vocabulary.nodes[at].end;
            if (at >= end) break;
            const node = vocabulary.nodes[at];
            if (node.token != vocabulary_module.none and needed[behind] +| 1 <= needed[i] and needed[behind] != never) {
                needed[i] = needed[behind] + 1;
                first[i] = node.token;
            }
            at += 1;
            end = node.end;
        }
    }
    var written: usize = 0;
    i = 0;
    while (i < path.len and needed[0] != never and written < room.len) : (written += 1) {
        room[written] = first[i];
        i += vocabulary.token(first[i]).len;
    }
    return needed[0];
}
