//! Vocabularies and grammars as native objects: what constrained answers need beside sampling.

const std = @import("std");
const Matcher = @import("../grammar/matcher.zig").Matcher;
const vocabulary_module = @import("../grammar/vocabulary.zig");
const WideMasks = @import("../grammar/wide.zig").WideMasks;
const objects = @import("objects.zig");
const buffers = @import("buffers.zig");
const status = @import("status.zig");
const Context = @import("context.zig").Context;

const gpa = std.heap.c_allocator;

/// The bytes of a model's tokens; lives until the last grammar over it has gone. It and its grammars belong to one thread.
pub const Vocabulary = struct {
    pub const kind: objects.Kind = .vocabulary;

    native: vocabulary_module.Vocabulary,
    wide: WideMasks,
    holders: std.atomic.Value(u32) = .init(1),

    pub fn destroy(vocabulary: *Vocabulary) void {
        if (vocabulary.holders.fetchSub(1, .acq_rel) != 1) return;
        vocabulary.wide.deinit();
        vocabulary.native.deinit(gpa);
        gpa.destroy(vocabulary);
    }
};

pub const Grammar = struct {
    pub const kind: objects.Kind = .grammar;

    matcher: *Matcher,
    vocabulary: *Vocabulary,
    /// 1 while a call is inside: a second thread gets an error instead of a race.
    busy: std.atomic.Value(u32) = .init(0),

    pub fn destroy(grammar: *Grammar) void {
        grammar.matcher.deinit();
        grammar.vocabulary.destroy();
        gpa.destroy(grammar);
    }
};

/// What a state allows, beside tokens.
pub const StateInfo = extern struct {
    /// 1 where the text may end.
    may_end: u32,
    /// 1 where nothing may follow.
    is_end: u32,
    /// Bytes that all of the grammar's states and masks take.
    bytes: u32,
};

pub const state_none = @import("../grammar/matcher.zig").none;

fn enter(id: u32) status.Error!*Grammar {
    const grammar = try objects.get(Grammar, id);
    if (grammar.busy.swap(1, .acquire) != 0) return error.ContextBusy;
    return grammar;
}

fn leave(grammar: *Grammar) void {
    grammar.busy.store(0, .release);
}

/// bytes: the tokens' bytes one after another; starts: tokens + 1 offsets into them. Tokens without bytes are never allowed.
pub fn vocabularyCreate(
    context: *Context,
    bytes: buffers.Input,
    bytes_bytes: u32,
    starts: buffers.Input,
    starts_bytes: u32,
    out: buffers.Output,
) status.Error!void {
    const place = try buffers.result(out);
    const object = try gpa.create(Vocabulary);
    errdefer gpa.destroy(object);
    object.* = .{ .native = try .init(gpa, try buffers.all(u8, bytes, bytes_bytes), try buffers.all(u32, starts, starts_bytes)), .wide = undefined };
    errdefer object.native.deinit(gpa);
    object.wide = try .init(gpa, &object.native);
    errdefer object.wide.deinit();
    place.* = try objects.add(Vocabulary, object, context.id);
}

/// words: a compiled grammar, as grammar/grammar.zig says. ends: ids of the tokens that end an answer.
pub fn create(
    context: *Context,
    vocabulary: u32,
    words: buffers.Input,
    words_bytes: u32,
    ends: buffers.Input,
    ends_bytes: u32,
    out: buffers.Output,
) status.Error!void {
    const place = try buffers.result(out);
    const tokens = try objects.get(Vocabulary, vocabulary);
    const object = try gpa.create(Grammar);
    errdefer gpa.destroy(object);
    const end_ids = try buffers.all(u32, ends, ends_bytes);
    object.* = .{ .matcher = try .create(gpa, try buffers.all(u32, words, words_bytes), &tokens.wide, end_ids), .vocabulary = tokens };
    errdefer object.matcher.deinit();
    place.* = try objects.add(Grammar, object, context.id);
    _ = tokens.holders.fetchAdd(1, .acq_rel);
}

/// out: the state before any text. All states may become unknown by it, when they have become too many: whoever has one begins
/// anew with the tokens that led to it.
pub fn start(id: u32, out: buffers.Output) status.Error!void {
    const place = try buffers.result(out);
    const grammar = try enter(id);
    defer leave(grammar);
    place.* = try grammar.matcher.start();
}

/// out: the state after a token, or `stateNone` where it cannot follow. Returns 1 where `start` should be called because much
/// has been found, else 0. An unknown state is an InvalidArgument.
pub fn accept(id: u32, state: u32, token: u32, out: buffers.Output) status.Error!u32 {
    const place = try buffers.result(out);
    const grammar = try enter(id);
    defer leave(grammar);
    if (token >= grammar.vocabulary.native.count()) return error.InvalidArgument;
    const text = grammar.vocabulary.native.token(token);
    place.* = if (text.len == 0) state_none else try grammar.matcher.accept(state, text);
    return @intFromBool(grammar.matcher.isFull());
}

/// As `accept`, for any bytes.
pub fn acceptBytes(id: u32, state: u32, bytes: buffers.Input, bytes_bytes: u32, out: buffers.Output) status.Error!void {
    const place = try buffers.result(out);
    const grammar = try enter(id);
    defer leave(grammar);
    place.* = try grammar.matcher.accept(state, try buffers.all(u8, bytes, bytes_bytes));
}

/// out: a StateInfo.
pub fn info(id: u32, state: u32, out: buffers.Output, out_bytes: u32) status.Error!void {
    const room = try buffers.room(StateInfo, out, out_bytes, 1);
    const grammar = try enter(id);
    defer leave(grammar);
    const matcher = grammar.matcher;
    if (matcher.find(state) == null) return error.InvalidArgument;
    const bytes = matcher.states.bytes() + matcher.masks.bytes();
    room[0] = .{
        .may_end = @intFromBool(matcher.mayEnd(state)),
        .is_end = @intFromBool(matcher.isEnd(state)),
        .bytes = @intCast(@min(bytes, std.math.maxInt(u32))),
    };
}

/// The bytes that must follow a state, as far as there is one way only. Returns how many.
pub fn forced(id: u32, state: u32, out: buffers.Output, out_bytes: u32) status.Error!u32 {
    const room = try buffers.room(u8, out, out_bytes, out_bytes);
    const grammar = try enter(id);
    defer leave(grammar);
    return @intCast(try grammar.matcher.forced(state, room));
}

/// out: the one token that may follow a state, or `stateNone` where there are several, or none.
pub fn only(id: u32, state: u32, out: buffers.Output) status.Error!void {
    const place = try buffers.result(out);
    const grammar = try enter(id);
    defer leave(grammar);
    const known = grammar.matcher.find(state) orelse return error.InvalidArgument;
    place.* = state_none;
    for (try grammar.matcher.masks.of(known), 0..) |word, i| {
        if (word == 0) continue;
        if (place.* != state_none or @popCount(word) > 1) {
            place.* = state_none;
            return;
        }
        place.* = @intCast(i * 64 + @ctz(word));
    }
}

/// out: the fewest tokens known that make the text whole, as many as there is room for. Returns how many there are, with
/// `closing_max` where there are more, or none.
pub fn closing(id: u32, state: u32, out: buffers.Output, out_bytes: u32) status.Error!u32 {
    const room = try buffers.room(u32, out, out_bytes, out_bytes / 4);
    const grammar = try enter(id);
    defer leave(grammar);
    return @min(try grammar.matcher.close(state, room), closing_max);
}

pub const closing_max: u32 = 1 << 20;

/// out: a bit for each token that may follow a state, in words of 64.
pub fn mask(id: u32, state: u32, out: buffers.Output, out_bytes: u32) status.Error!void {
    const grammar = try enter(id);
    defer leave(grammar);
    const room = try buffers.room(u64, out, out_bytes, grammar.vocabulary.native.maskWords());
    const known = grammar.matcher.find(state) orelse return error.InvalidArgument;
    grammar.matcher.masks.beginStep();
    @memcpy(room, try grammar.matcher.masks.of(known));
}
