//! A grammar as the caller compiled it: a network of rules over terminals, each an automaton over bytes. It never changes.
//!
//! A rule is a graph of states. An edge consumes a terminal, calls a rule, or consumes nothing; a rule ends in any of its final
//! states (Woods 1970, recursive transition networks). Nothing about it is deterministic: what may be at a place is found
//! while it is used.
//!
//! As words, little-endian: magic, counts (terminals, rules, states, edges), the root rule, words of the tables; each rule's
//! first state; states + 1 words `first edge << 1 | final`; edges of two words, `kind << 30 | terminal or rule` and the next
//! state; terminals of four words, kind, first word of its table, and two numbers; the tables.

const std = @import("std");

pub const magic: u32 = 0x3152_474b; // "KGR1"
pub const words_max = (64 << 20) / 4;
const header_words = 7;

pub const EdgeKind = enum(u2) { empty = 0, terminal = 1, call = 2 };

pub const Edge = struct {
    word: u32,
    next: u32,

    pub fn kind(edge: Edge) EdgeKind {
        return @fromBackingInt(@intCast(edge.word >> 30));
    }

    /// The number of a terminal or a rule.
    pub fn target(edge: Edge) u32 {
        return edge.word & 0x3fff_ffff;
    }
};

pub const TerminalKind = enum(u32) {
    /// Bytes, one after another. Numbers: how many, 0. Its state is how many have come.
    literal = 0,
    /// An automaton. Numbers: 0, 0. Table: states, classes, 256 bytes' classes, a bit for each accepting state, transitions
    /// in u16.
    automaton = 1,
    /// An automaton of one character, repeated. Numbers: least and most repetitions; most `unlimited` for no bound.
    characters = 2,
};

pub const unlimited: u32 = 0xffff_ffff;
pub const dead: u16 = 0xffff;

/// A terminal's automaton. Accepting states of characters lead nowhere.
pub const Automaton = struct {
    classes: *const [256]u8,
    accepting: []const u32,
    next: []const u16,
    class_count: u32,

    pub inline fn step(automaton: *const Automaton, state: u32, byte: u8) u16 {
        return automaton.next[state * automaton.class_count + automaton.classes[byte]];
    }

    pub inline fn accepts(automaton: *const Automaton, state: u32) bool {
        return automaton.accepting[state / 32] >> @intCast(state % 32) & 1 != 0;
    }

    /// How many of the 256 bytes lead on.
    fn width(automaton: *const Automaton, state: u32) u32 {
        var n: u32 = 0;
        for (0..256) |byte| n += @intFromBool(automaton.step(state, @intCast(byte)) != dead);
        return n;
    }
};

pub const Terminal = struct {
    kind: TerminalKind,
    literal: []const u8 = "",
    automaton: Automaton = undefined,
    least: u32 = 0,
    most: u32 = 0,
    /// Of its kind and automaton: terminals of several grammars that have one are alike.
    hash: u128 = 0,
    /// States from which so many bytes lead on that what tokens they allow is worth keeping: a bit each.
    wide: []u32 = &.{},

    pub fn isWide(terminal: *const Terminal, state: u32) bool {
        return terminal.wide.len > 0 and terminal.wide[state / 32] >> @intCast(state % 32) & 1 != 0;
    }
};

/// Bytes that lead on from a wide state.
const wide_bytes = 10;

pub const Error = error{ OutOfMemory, InvalidArgument };

pub const Grammar = struct {
    words: []u32,
    rules: []const u32,
    states: []const u32,
    edges: []const Edge,
    terminals: []Terminal,
    root: u32,

    /// Reads and checks what `words` says; nothing that it names lies outside of it. Copies what it keeps.
    pub fn init(gpa: std.mem.Allocator, given: []const u32) Error!Grammar {
        if (given.len < header_words or given.len > words_max or given[0] != magic) return error.InvalidArgument;
        const words = try gpa.dupe(u32, given);
        errdefer gpa.free(words);
        var rest: Reader = .{ .words = words[header_words..] };
        const rules = try rest.take(words[2]);
        const states = try rest.take(@as(u64, words[3]) + 1);
        const edges: []const Edge = @ptrCast(try rest.take(2 * @as(u64, words[4])));
        const terminal_words = try rest.take(4 * @as(u64, words[1]));
        const tables = try rest.take(words[6]);
        if (rest.words.len != 0) return error.InvalidArgument;
        const terminals = try gpa.alloc(Terminal, words[1]);
        @memset(terminals, .{ .kind = .literal });
        var grammar: Grammar = .{ .words = words, .rules = rules, .states = states, .edges = edges, .terminals = terminals, .root = words[5] };
        errdefer grammar.freeTerminals(gpa);
        try grammar.check();
        for (terminals, 0..) |*terminal, i| try readTerminal(gpa, terminal, terminal_words[4 * i ..][0..4], tables);
        return grammar;
    }

    pub fn deinit(grammar: *Grammar, gpa: std.mem.Allocator) void {
        grammar.freeTerminals(gpa);
        gpa.free(grammar.words);
    }

    fn freeTerminals(grammar: *Grammar, gpa: std.mem.Allocator) void {
        for (grammar.terminals) |terminal| gpa.free(terminal.wide);
        gpa.free(grammar.terminals);
    }

    pub fn edgesOf(grammar: *const Grammar, state: u32) []const Edge {
        return grammar.edges[grammar.states[state] >> 1 .. grammar.states[state + 1] >> 1];
    }

    pub fn isFinal(grammar: *const Grammar, state: u32) bool {
        return grammar.states[state] & 1 != 0;
    }

    /// Whether a rule ends here whatever comes: nothing need be remembered to return to it.
    pub fn endsHere(grammar: *const Grammar, state: u32) bool {
        return grammar.isFinal(state) and grammar.edgesOf(state).len == 0;
    }

    fn check(grammar: *const Grammar) Error!void {
        const n = grammar.states.len - 1;
        if (n == 0 or grammar.root >= grammar.rules.len) return error.InvalidArgument;
        for (grammar.rules) |first| if (first >= n) return error.InvalidArgument;
        if (grammar.states[0] >> 1 != 0 or grammar.states[n] >> 1 != grammar.edges.len) return error.InvalidArgument;
        for (grammar.states[0..n], grammar.states[1..]) |first, end| if (first >> 1 > end >> 1) return error.InvalidArgument;
        for (grammar.edges) |edge| {
            const count = switch (edge.word >> 30) {
                0 => 1,
                1 => grammar.terminals.len,
                2 => grammar.rules.len,
                else => return error.InvalidArgument,
            };
            if (edge.target() >= count or edge.next >= n) return error.InvalidArgument;
        }
    }
};

const Reader = struct {
    words: []const u32,

    fn take(reader: *Reader, count: u64) Error![]const u32 {
        if (count > reader.words.len) return error.InvalidArgument;
        defer reader.words = reader.words[@intCast(count)..];
        return reader.words[0..@intCast(count)];
    }
};

fn readTerminal(gpa: std.mem.Allocator, terminal: *Terminal, words: *const [4]u32, tables: []const u32) Error!void {
    if (words[0] > 2 or words[1] > tables.len) return error.InvalidArgument;
    terminal.kind = @fromBackingInt(@intCast(words[0]));
    var rest: Reader = .{ .words = tables[words[1]..] };
    if (terminal.kind == .literal) {
        if (words[2] == 0) return error.InvalidArgument;
        const bytes: []const u8 = @ptrCast(try rest.take((@as(u64, words[2]) + 3) / 4));
        terminal.literal = bytes[0..words[2]];
        return;
    }
    const sizes = try rest.take(2);
    const n = sizes[0];
    const m = sizes[1];
    if (n == 0 or n >= dead or m == 0 or m > 256) return error.InvalidArgument;
    const classes: *const [256]u8 = @ptrCast(try rest.take(64));
    for (classes) |class| if (class >= m) return error.InvalidArgument;
    const accepting = try rest.take((n + 31) / 32);
    const next: []const u16 = @ptrCast(try rest.take((@as(u64, n) * m + 1) / 2));
    for (next[0 .. n * m]) |state| if (state != dead and state >= n) return error.InvalidArgument;
    terminal.automaton = .{ .classes = classes, .accepting = accepting, .next = next, .class_count = m };
    terminal.least = words[2];
    terminal.most = words[3];
    if (terminal.kind == .characters and (words[2] == 0 or words[2] > words[3])) return error.InvalidArgument;
    const own = tables[words[1]..][0 .. 66 + accepting.len + next.len / 2];
    for ([_]u64{ 1, 2 }) |seed| {
        terminal.hash = terminal.hash << 64 | std.hash.Wyhash.hash(seed << 8 | words[0], std.mem.sliceAsBytes(own));
    }
    terminal.wide = try gpa.alloc(u32, (n + 31) / 32);
    @memset(terminal.wide, 0);
    for (0..n) |i| {
        const state: u32 = @intCast(i);
        if (terminal.automaton.width(state) >= wide_bytes) terminal.wide[i / 32] |= @as(u32, 1) << @intCast(i % 32);
    }
}
