//! Kinds of characters in UTF-8 (RFC 3629): what a place in an automaton takes is asked once a kind, not once a character.

const std = @import("std");
const grammar_module = @import("grammar.zig");
const Automaton = grammar_module.Automaton;

/// A bit for each kind.
pub const Set = u64;
/// No set of kinds that a place takes has the last bit.
pub const all: Set = ~@as(Set, 0);

/// A byte where no character can have it.
const broken = 0;
/// Kinds of characters of two bytes, three, four; and of those of three bytes among which are the ends of lines that patterns
/// look at.
const several = 1;
const punctuation_lead = 0xe2;

fn kindOfLead(lead: u8, follow: Follow) u6 {
    return if (lead == punctuation_lead) several + 3 else several + @as(u6, @intCast(follow.more));
}

/// Kinds of single bytes: digits, the letters of hexadecimal digits and the others, controls, and each sign for itself.
const kind_of_ascii: [128]u6 = made: {
    var table: [128]u6 = undefined;
    var signs: u6 = several + 9;
    for (&table, 0..) |*kind, byte| kind.* = switch (byte) {
        '0'...'9' => several + 4,
        'A'...'F' => several + 5,
        'G'...'Z' => several + 6,
        'a'...'f' => several + 7,
        'g'...'z' => several + 8,
        0...8, 11, 12, 14...31 => several + 9,
        else => sign: {
            signs += 1;
            break :sign signs;
        },
    };
    std.debug.assert(signs < 63);
    break :made table;
};

fn bit(kind: u6) Set {
    return @as(Set, 1) << kind;
}

/// Whether a byte is one of a character's later ones.
pub fn isInside(byte: u8) bool {
    return byte & 0xc0 == 0x80;
}

/// The bytes that may follow a first one, and how many more then do.
const Follow = struct { first: u8, last: u8, more: u8 };

fn followOf(lead: u8) ?Follow {
    return switch (lead) {
        0xc2...0xdf => .{ .first = 0x80, .last = 0xbf, .more = 0 },
        0xe0 => .{ .first = 0xa0, .last = 0xbf, .more = 1 },
        0xe1...0xec, 0xee, 0xef => .{ .first = 0x80, .last = 0xbf, .more = 1 },
        0xed => .{ .first = 0x80, .last = 0x9f, .more = 1 },
        0xf0 => .{ .first = 0x90, .last = 0xbf, .more = 2 },
        0xf1...0xf3 => .{ .first = 0x80, .last = 0xbf, .more = 2 },
        0xf4 => .{ .first = 0x80, .last = 0x8f, .more = 2 },
        else => null,
    };
}

/// Where in a character a text is.
pub const Place = struct {
    /// Null between two.
    follow: ?Follow,

    pub const between: Place = .{ .follow = null };

    pub fn isBetween(place: Place) bool {
        return place.follow == null;
    }

    /// The place behind a byte, and the kind of character that begins with it. What cannot be is broken, and ends there.
    pub fn step(place: Place, byte: u8) struct { Place, Set } {
        if (place.follow) |follow| {
            if (byte < follow.first or byte > follow.last) return .{ .between, bit(broken) };
            if (follow.more == 0) return .{ .between, 0 };
            return .{ .{ .follow = .{ .first = 0x80, .last = 0xbf, .more = follow.more - 1 } }, 0 };
        }
        if (byte < 0x80) return .{ .between, bit(kind_of_ascii[byte]) };
        const follow = followOf(byte) orelse return .{ .between, bit(broken) };
        return .{ .{ .follow = follow }, bit(kindOfLead(byte, follow)) };
    }
};

/// What a state does with characters. On the way through one no text may end.
pub const Taken = struct {
    /// Kinds of which every character leads to `next`.
    kinds: Set,
    next: u32,
};

/// Of a state of an automaton; or, of an automaton of one character, whose ends go on at its first state, if `counts`.
pub fn takenBy(automaton: *const Automaton, state: u32, counts: bool) Taken {
    if (counts and state != 0) return .{ .kinds = 0, .next = state };
    const next = mostTaken(automaton, state, counts) orelse return .{ .kinds = 0, .next = state };
    const taker: Taker = .{ .automaton = automaton, .next = next, .counts = counts };
    var taken: Set = 0;
    var refused: Set = bit(broken);
    for (0..128) |byte| {
        const to = automaton.step(state, @intCast(byte));
        (if (taker.isThere(to)) &taken else &refused).* |= bit(kind_of_ascii[byte]);
    }
    // Whoever takes no letters will hardly take those of all the world.
    if (taken & ~refused == 0) return .{ .kinds = 0, .next = state };
    for (0xc2..0xf5) |lead| {
        const follow = followOf(@intCast(lead)).?;
        const kind = bit(kindOfLead(@intCast(lead), follow));
        if (refused & kind != 0) continue;
        const to = automaton.step(state, @intCast(lead));
        (if (taker.leadsThere(to, follow)) &taken else &refused).* |= kind;
    }
    return .{ .kinds = taken & ~refused, .next = next };
}

/// Where most characters lead, by the vote of those that come first in their kinds; null where all are refused.
fn mostTaken(automaton: *const Automaton, state: u32, counts: bool) ?u32 {
    if (counts) return 0;
    var best: ?u32 = null;
    var votes: u32 = 0;
    for ("azAZ09 _-.,") |byte| {
        const to = automaton.step(state, byte);
        if (to == grammar_module.dead) continue;
        // The majority, if there is one (Boyer and Moore 1981).
        if (votes == 0) best = to;
        if (best == to) votes += 1 else votes -= 1;
    }
    return best;
}

const Taker = struct {
    automaton: *const Automaton,
    next: u32,
    counts: bool,

    fn isThere(taker: Taker, to: u16) bool {
        if (to == grammar_module.dead) return false;
        return if (taker.counts) taker.automaton.accepts(to) else to == taker.next;
    }

    /// Whether all bytes that may follow lead there.
    fn leadsThere(taker: Taker, at: u16, follow: Follow) bool {
        if (at == grammar_module.dead or taker.automaton.accepts(at)) return false;
        var before: u16 = grammar_module.dead;
        for (follow.first..@as(usize, follow.last) + 1) |byte| {
            const to = taker.automaton.step(at, @intCast(byte));
            // Most bytes lead where the one before them did.
            if (to == before and to != grammar_module.dead) continue;
            before = to;
            if (follow.more == 0) {
                if (!taker.isThere(to)) return false;
            } else if (!taker.leadsThere(to, .{ .first = 0x80, .last = 0xbf, .more = follow.more - 1 })) return false;
        }
        return true;
    }
};

const testing = std.testing;

test "every character of every length has one kind, and what is none is broken" {
    var point: u21 = 0;
    var seen: Set = 0;
    while (point <= 0x10ffff) : (point += 1) {
        if (point >= 0xd800 and point <= 0xdfff) continue;
        var room: [4]u8 = undefined;
        const length = try std.unicode.utf8Encode(point, &room);
        var place: Place = .between;
        for (room[0..length], 0..) |byte, i| {
            try testing.expectEqual(i > 0, isInside(byte));
            place, const begun = place.step(byte);
            try testing.expectEqual(i == 0, @popCount(begun) == 1);
            try testing.expect(begun & bit(broken) == 0);
            try testing.expectEqual(i + 1 == length, place.isBetween());
            seen |= begun;
        }
    }
    try testing.expect(seen & (1 << 63) == 0);
    for ([_][]const u8{ "\x80", "\xc0", "\xc3a", "\xe0\x9f", "\xed\xa0", "\xf4\x90", "\xff" }) |text| {
        var place: Place = .between;
        var met: Set = 0;
        for (text) |byte| {
            place, const begun = place.step(byte);
            met |= begun;
        }
        try testing.expect(met & bit(broken) != 0);
    }
}
