//! A grammar with a vocabulary: which tokens may follow a text, and where a token leads.

const std = @import("std");
const Grammar = @import("grammar.zig").Grammar;
const states_module = @import("states.zig");
const States = states_module.States;
const Closing = @import("closing.zig").Closing;
const Masks = @import("mask.zig").Masks;
const Vocabulary = @import("vocabulary.zig").Vocabulary;
const WideMasks = @import("wide.zig").WideMasks;

pub const none = states_module.none;
/// A state's number has these bits, and those above tell its epoch.
const state_bits = 24;
/// Beyond this everything that was found is forgotten.
pub const kept_bytes_default = 48 << 20;

pub const Error = error{ OutOfMemory, InvalidArgument };

pub const Matcher = struct {
    gpa: std.mem.Allocator,
    grammar: Grammar,
    ends: []const u32,
    states: States,
    masks: Masks,
    kept_bytes: usize = kept_bytes_default,
    /// Made when somebody asks.
    closing: ?Closing = null,

    /// `wide`: of a vocabulary; must outlive it. `ends`: tokens that end an answer.
    pub fn create(gpa: std.mem.Allocator, words: []const u32, wide: *WideMasks, ends: []const u32) Error!*Matcher {
        for (ends) |id| if (id >= wide.vocabulary.count()) return error.InvalidArgument;
        const matcher = try gpa.create(Matcher);
        errdefer gpa.destroy(matcher);
        const own_ends = try gpa.dupe(u32, ends);
        errdefer gpa.free(own_ends);
        matcher.* = .{
            .gpa = gpa,
            .grammar = try .init(gpa, words),
            .ends = own_ends,
            .states = undefined,
            .masks = undefined,
        };
        errdefer matcher.grammar.deinit(gpa);
        matcher.states = .init(gpa, &matcher.grammar);
        errdefer matcher.states.deinit();
        matcher.masks = try .init(gpa, &matcher.states, wide, own_ends);
        return matcher;
    }

    pub fn deinit(matcher: *Matcher) void {
        const gpa = matcher.gpa;
        if (matcher.closing) |*closing| closing.deinit();
        matcher.masks.deinit();
        matcher.states.deinit();
        matcher.grammar.deinit(gpa);
        gpa.free(matcher.ends);
        gpa.destroy(matcher);
    }

    /// The state before any text. Where too much has been found, older states end here.
    pub fn start(matcher: *Matcher) Error!u32 {
        if (matcher.states.bytes() > matcher.kept_bytes or matcher.states.list.items.len >= 1 << (state_bits - 1)) {
            matcher.states.clear();
            matcher.masks.forgetStates();
        }
        return matcher.handle(try matcher.states.start());
    }

    /// Whether it is time to begin anew: `start`, and the text again.
    pub fn isFull(matcher: *const Matcher) bool {
        return matcher.states.bytes() > matcher.kept_bytes or matcher.states.list.items.len >= 1 << (state_bits - 1);
    }

    /// The number inside of a state that `start` or `accept` gave; null for one of another epoch.
    pub fn find(matcher: *const Matcher, state: u32) ?u32 {
        const index = state & ((1 << state_bits) - 1);
        if (state >> state_bits != matcher.states.epoch & 0x7f or index >= matcher.states.list.items.len) return null;
        return index;
    }

    fn handle(matcher: *const Matcher, state: u32) u32 {
        return (matcher.states.epoch & 0x7f) << state_bits | state;
    }

    /// The state after a token's bytes; none where they cannot follow.
    pub fn accept(matcher: *Matcher, state: u32, text: []const u8) Error!u32 {
        var at = matcher.find(state) orelse return error.InvalidArgument;
        for (text) |byte| {
            at = try matcher.states.step(at, byte);
            if (at == none) return none;
        }
        return matcher.handle(at);
    }

    /// The text may end here.
    pub fn mayEnd(matcher: *const Matcher, state: u32) bool {
        return matcher.states.get(matcher.find(state) orelse return false).accepting;
    }

    /// Nothing may follow.
    pub fn isEnd(matcher: *const Matcher, state: u32) bool {
        return matcher.states.get(matcher.find(state) orelse return false).items.len == 0;
    }

    /// The fewest tokens known that make the text whole, as many as there is room for. Returns how many; `closing.never`:
    /// none do.
    pub fn close(matcher: *Matcher, state: u32, room: []u32) Error!u32 {
        const at = matcher.find(state) orelse return error.InvalidArgument;
        if (matcher.closing == null) matcher.closing = try .init(matcher.gpa, &matcher.grammar);
        return matcher.closing.?.tokens(&matcher.states, matcher.masks.vocabulary, at, room);
    }

    /// The bytes that must follow, as far as there is one way only; how many were written.
    pub fn forced(matcher: *Matcher, state: u32, room: []u8) Error!usize {
        var at = matcher.find(state) orelse return error.InvalidArgument;
        for (room, 0..) |*place, n| {
            if (matcher.states.get(at).accepting) return n;
            var only: ?u8 = null;
            var to: u32 = none;
            for (0..256) |byte| {
                const next = try matcher.states.walk(at, @intCast(byte));
                if (next == none) continue;
                if (only != null) return n;
                only = @intCast(byte);
                to = next;
            }
            place.* = only orelse return n;
            at = to;
        }
        return room.len;
    }
};

const testing = std.testing;

/// `"` characters{2,4} `"` `,` numbers, as words.
const Example = struct {
    fn words(room: *std.ArrayList(u32)) !void {
        const gpa = testing.allocator;
        // Terminals: 0 literal `"`, 1 characters a–z or é {2,4}, 2 literal `,`, 3 automaton [0-9]+
        var tables: std.ArrayList(u32) = .empty;
        defer tables.deinit(gpa);
        try tables.append(gpa, '"');
        const characters: u32 = @intCast(tables.items.len);
        try automaton(&tables, 3, &.{ .{ 'a', 'z', 1 }, .{ 0xc3, 0xc3, 2 }, .{ 0xa9, 0xa9, 3 } }, 4, 0b010, &.{
            0xffff, 1,      2,      0xffff,
            0xffff, 0xffff, 0xffff, 0xffff,
            0xffff, 0xffff, 0xffff, 1,
        });
        const comma: u32 = @intCast(tables.items.len);
        try tables.append(gpa, ',');
        const number: u32 = @intCast(tables.items.len);
        try automaton(&tables, 2, &.{.{ '0', '9', 1 }}, 2, 0b10, &.{ 0xffff, 1, 0xffff, 1 });
        // Rules: 0 root: string (`,` number)*; 1 string: `"` characters `"`
        const edges = [_][3]u32{ .{ 0, 2 << 30 | 1, 1 }, .{ 1, 1 << 30 | 2, 2 }, .{ 2, 1 << 30 | 3, 1 }, .{ 3, 1 << 30 | 0, 4 }, .{ 4, 1 << 30 | 1, 5 }, .{ 5, 1 << 30 | 0, 6 } };
        const finals: u32 = 0b100_0010;
        try room.appendSlice(gpa, &.{ @import("grammar.zig").magic, 4, 2, 7, edges.len, 0, @intCast(tables.items.len) });
        try room.appendSlice(gpa, &.{ 0, 3 });
        for (0..8) |state| {
            var first: u32 = 0;
            for (edges) |edge| first += @intFromBool(edge[0] < state);
            try room.append(gpa, first << 1 | (finals >> @intCast(state) & 1));
        }
        for (edges) |edge| try room.appendSlice(gpa, edge[1..]);
        try room.appendSlice(gpa, &.{ 0, 0, 1, 0, 2, characters, 2, 4, 0, comma, 1, 0, 1, number, 0, 0 });
        try room.appendSlice(gpa, tables.items);
    }

    fn automaton(tables: *std.ArrayList(u32), n: u32, ranges: []const [3]u8, classes: u32, accepting: u32, next: []const u16) !void {
        var map: [256]u8 align(4) = @splat(0);
        for (ranges) |range| for (range[0]..@as(usize, range[1]) + 1) |byte| {
            map[byte] = range[2];
        };
        try tables.appendSlice(testing.allocator, &.{ n, classes });
        try tables.appendSlice(testing.allocator, std.mem.bytesAsSlice(u32, &map));
        try tables.append(testing.allocator, accepting);
        for (0..next.len / 2) |i| try tables.append(testing.allocator, next[2 * i] | @as(u32, next[2 * i + 1]) << 16);
    }
};

/// Whether some text in the language begins with `text`, read from the grammar by hand.
fn begins(text: []const u8) bool {
    if (text.len == 0) return true;
    if (text[0] != '"') return false;
    var i: usize = 1;
    var count: usize = 0;
    while (i < text.len and text[i] != '"') : (count += 1) {
        if (count == 4) return false;
        if (text[i] >= 'a' and text[i] <= 'z') {
            i += 1;
        } else if (text[i] == 0xc3) {
            if (i + 1 == text.len) return true;
            if (text[i + 1] != 0xa9) return false;
            i += 2;
        } else return false;
    }
    if (i == text.len) return true;
    if (count < 2) return false;
    i += 1;
    while (i < text.len) {
        if (text[i] != ',') return false;
        i += 1;
        const first = i;
        while (i < text.len and text[i] >= '0' and text[i] <= '9') i += 1;
        if (i == first and i < text.len) return false;
    }
    return true;
}

test "a mask has the tokens that can follow, and accept goes where they lead" {
    const gpa = testing.allocator;
    var room: std.ArrayList(u32) = .empty;
    defer room.deinit(gpa);
    try Example.words(&room);
    // All texts of up to three bytes over these, and some longer ones.
    const alphabet = [_]u8{ '"', 'a', 'z', 0xc3, 0xa9, ',', '7', 'A' };
    var bytes: std.ArrayList(u8) = .empty;
    defer bytes.deinit(gpa);
    var starts: std.ArrayList(u32) = .empty;
    defer starts.deinit(gpa);
    try starts.append(gpa, 0);
    for ([_]usize{ 0, 1, 2, 3 }) |len| {
        var number: usize = 0;
        while (number < std.math.pow(usize, alphabet.len, len)) : (number += 1) {
            var rest = number;
            for (0..len) |_| {
                try bytes.append(gpa, alphabet[rest % alphabet.len]);
                rest /= alphabet.len;
            }
            try starts.append(gpa, @intCast(bytes.items.len));
        }
    }
    for ([_][]const u8{ "aazz", "aazzz", "az\",77,", "\"aa\"" }) |text| {
        try bytes.appendSlice(gpa, text);
        try starts.append(gpa, @intCast(bytes.items.len));
    }
    var vocabulary: Vocabulary = try .init(gpa, bytes.items, starts.items);
    defer vocabulary.deinit(gpa);
    var wide: WideMasks = try .init(gpa, &vocabulary);
    defer wide.deinit();
    const matcher: *Matcher = try .create(gpa, room.items, &wide, &.{0});
    defer matcher.deinit();
    for ([_][]const u8{ "", "\"", "\"a", "\"aa", "\"aa\xc3", "\"aza", "\"azaz", "\"az\"", "\"az\",", "\"az\",7", "\"az\",77," }) |text| {
        const state = try matcher.accept(try matcher.start(), text);
        try testing.expect(state != none);
        matcher.masks.beginStep();
        const mask = try matcher.masks.of(matcher.find(state).?);
        for (1..vocabulary.count()) |id| {
            const token = vocabulary.token(@intCast(id));
            const whole = try std.mem.concat(gpa, u8, &.{ text, token });
            defer gpa.free(whole);
            const allowed = mask[id / 64] >> @intCast(id % 64) & 1 != 0;
            try testing.expectEqual(begins(whole), allowed);
            try testing.expectEqual(allowed, try matcher.accept(state, token) != none);
        }
        const ended = text.len > 4 and (text[text.len - 1] == '"' or text[text.len - 1] == '7');
        try testing.expectEqual(ended or std.mem.eql(u8, text, "\"az\""), mask[0] & 1 != 0);
        try testing.expectEqual(mask[0] & 1 != 0, matcher.mayEnd(state));
    }
}

test "closing is the shortest way to the end, in the fewest tokens" {
    const gpa = testing.allocator;
    var room: std.ArrayList(u32) = .empty;
    defer room.deinit(gpa);
    try Example.words(&room);
    const bytes = "\"a7,\"aaaa\"\xc3\xa9zaa";
    var vocabulary: Vocabulary = try .init(gpa, bytes, &.{ 0, 1, 2, 3, 4, 6, 8, 10, 11, 12, 13, 15 });
    defer vocabulary.deinit(gpa);
    var wide: WideMasks = try .init(gpa, &vocabulary);
    defer wide.deinit();
    const matcher: *Matcher = try .create(gpa, room.items, &wide, &.{});
    defer matcher.deinit();
    var tokens: [8]u32 = undefined;
    for ([_]struct { []const u8, []const u8 }{
        .{ "", "\"aa\"" },
        .{ "\"", "aa\"" },
        .{ "\"aa", "\"" },
        .{ "\"aa\"", "" },
        .{ "\"aa\",", "7" },
        .{ "\"a\xc3", "\xa9\"" },
    }) |case| {
        const state = try matcher.accept(try matcher.start(), case[0]);
        const n = try matcher.close(state, &tokens);
        var text: std.ArrayList(u8) = .empty;
        defer text.deinit(gpa);
        for (tokens[0..n]) |id| try text.appendSlice(gpa, vocabulary.token(id));
        try testing.expect(begins(text.items) or case[0].len > 0);
        try testing.expectEqual(case[1].len, text.items.len);
        try testing.expect(matcher.mayEnd(try matcher.accept(state, text.items)));
        try testing.expect(n <= text.items.len);
        // Without room for all of them their count is told.
        try testing.expectEqual(n, try matcher.close(state, tokens[0..0]));
    }
}

test "states of another epoch are not found, and the text leads to the same masks again" {
    const gpa = testing.allocator;
    var room: std.ArrayList(u32) = .empty;
    defer room.deinit(gpa);
    try Example.words(&room);
    var vocabulary: Vocabulary = try .init(gpa, "\"ab,7", &.{ 0, 1, 2, 3, 4, 5 });
    defer vocabulary.deinit(gpa);
    var wide: WideMasks = try .init(gpa, &vocabulary);
    defer wide.deinit();
    const matcher: *Matcher = try .create(gpa, room.items, &wide, &.{});
    defer matcher.deinit();
    const first = try matcher.accept(try matcher.start(), "\"ab");
    const mask = (try matcher.masks.of(matcher.find(first).?))[0];
    matcher.kept_bytes = 0;
    const again = try matcher.start();
    try testing.expectEqual(null, matcher.find(first));
    try testing.expectError(error.InvalidArgument, matcher.accept(first, "a"));
    try testing.expectEqual(mask, (try matcher.masks.of(matcher.find(try matcher.accept(again, "\"ab")).?))[0]);
    var text: [8]u8 = undefined;
    try testing.expectEqual(1, try matcher.forced(again, &text));
    try testing.expectEqual('"', text[0]);
}

test "words that lead outside are refused, whichever is wrong" {
    const gpa = testing.allocator;
    var room: std.ArrayList(u32) = .empty;
    defer room.deinit(gpa);
    try Example.words(&room);
    var vocabulary: Vocabulary = try .init(gpa, "\"a", &.{ 0, 1, 2 });
    defer vocabulary.deinit(gpa);
    var wide: WideMasks = try .init(gpa, &vocabulary);
    defer wide.deinit();
    for (0..room.items.len) |cut| {
        try testing.expectError(error.InvalidArgument, Matcher.create(gpa, room.items[0..cut], &wide, &.{}));
    }
    var random: std.Random.DefaultPrng = .init(5);
    for (0..3000) |_| {
        const words = try gpa.dupe(u32, room.items);
        defer gpa.free(words);
        for (0..random.random().uintLessThan(usize, 3) + 1) |_| {
            words[random.random().uintLessThan(usize, words.len)] = if (random.random().boolean()) random.random().int(u32) else random.random().uintLessThan(u32, 9);
        }
        const matcher = Matcher.create(gpa, words, &wide, &.{}) catch continue;
        defer matcher.deinit();
        const state = try matcher.start();
        _ = try matcher.masks.of(matcher.find(state).?);
        _ = try matcher.accept(state, "\"aaaa\",77");
    }
}
