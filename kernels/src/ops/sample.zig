//! Chooses each row's next token. The order is:
//!
//!     grammar → logit bias → penalties (repetition, then frequency and presence) → top-k → top-p → min-p → temperature → draw
//!
//! A grammar's mask leaves only the tokens that may follow. Top-p and min-p look at probabilities at temperature 1.
//! Temperature 0 takes the largest logit after bias and penalties,
//! the lowest id where several are equal. NaN counts as −inf. Reported log-probabilities are of the logits as they came.
//!
//! The draw depends on the logits, the parameters, `seed` and `position` alone: masses are integers, and the random number is
//! a hash of (seed, position). Repetition penalty: Keskar et al. 2019 (CTRL). Top-p: Holtzman et al. 2020. Min-p: Nguyen et
//! al. 2024.

const std = @import("std");
const simd = @import("../isa/simd.zig");
const math = @import("math.zig");
const Job = @import("../system/job.zig").Job;
const logits = @import("logits.zig");
const candidates = @import("candidates.zig");

/// Most likely tokens that a result can list.
pub const top_max = 20;
/// The token of a row whose logits are all −inf or NaN.
pub const no_token = 0xffffffff;
pub const vocab_max = 1 << 22;

pub const Flags = packed struct(u32) {
    /// Do not compute `logprob` (it is NaN) unless logprobs_n > 0: saves a pass over the row.
    skip_logprob: bool = false,
    unused: u31 = 0,
};

pub const Params = extern struct {
    /// ≥ 0; 0 is greedy.
    temperature: f32,
    /// ≥ 1 keeps all.
    top_p: f32,
    /// Keeps tokens at least this share as likely as the most likely one; ≤ 0 keeps all.
    min_p: f32,
    /// > 0; 1 is none. Positive logits of tokens in the history are divided by it, negative ones multiplied.
    repeat_penalty: f32,
    /// Subtracted once from tokens in the history.
    presence_penalty: f32,
    /// Subtracted for each time a token is in the history.
    frequency_penalty: f32,
    /// 0 keeps all.
    top_k: u32,
    seed_lo: u32,
    seed_hi: u32,
    /// Position of the token to choose: the counter of the random numbers.
    position: u32,
    /// 0 … `top_max`.
    logprobs_n: u32,
    /// History: data[history_first …][0 … history_count], token ids.
    history_first: u32,
    history_count: u32,
    /// Biases: bias_count pairs (id, f32 bits) from data[bias_first]. −inf forbids a token.
    bias_first: u32,
    bias_count: u32,
    flags: Flags,
    /// The grammar that the answer follows, or `no_grammar`, and its state.
    grammar: u32 = no_grammar,
    grammar_state: u32 = 0,
};

pub const no_grammar: u32 = 0xffff_ffff;

/// The tokens that may be chosen: a bit each, those from `tokens` on may not. Null for all.
pub const RowMask = extern struct { words: ?[*]const u64 = null, tokens: u32 = 0 };

pub const TokenLogprob = extern struct { id: u32, logprob: f32 };

pub const Result = extern struct {
    token: u32,
    /// ln softmax(logits)[token], before bias, penalties and temperature.
    logprob: f32,
    /// Entries of `top`, most likely first: fewer than logprobs_n where fewer tokens are possible.
    n: u32,
    top: [top_max]TokenLogprob,
};

/// logits: [n, vocab], not changed; params, results: [n]; data: [data_count]; scratch: `scratchBytes(vocab, parts)`, aligned
/// to 64 bytes. To be checked with `valid` first.
pub const Args = extern struct {
    logits: [*]const f32,
    params: [*]const Params,
    data: [*]const u32,
    results: [*]Result,
    /// [n], or null where no row has one.
    masks: ?[*]const RowMask = null,
    scratch: [*]u8,
    vocab: u32,
    n: u32,
    data_count: u32,

    /// Ranges inside `data`, ids inside the vocabulary, numbers finite and in range.
    pub fn valid(args: *const Args) bool {
        if (args.vocab == 0 or args.vocab > vocab_max) return false;
        for (args.params[0..args.n]) |*params| {
            if (!numbersValid(params)) return false;
            if (@as(u64, params.history_first) + params.history_count > args.data_count) return false;
            if (@as(u64, params.bias_first) + 2 * @as(u64, params.bias_count) > args.data_count) return false;
            for (args.history(params)) |id| if (id >= args.vocab) return false;
            for (0..params.bias_count) |i| {
                const pair = args.data[params.bias_first + 2 * i ..][0..2];
                if (pair[0] >= args.vocab or std.math.isNan(@as(f32, @bitCast(pair[1])))) return false;
            }
        }
        return true;
    }

    fn biases(args: *const Args, params: *const Params) []const [2]u32 {
        return @ptrCast(args.data[params.bias_first..][0 .. 2 * params.bias_count]);
    }

    fn history(args: *const Args, params: *const Params) []const u32 {
        return args.data[params.history_first..][0..params.history_count];
    }
};

fn numbersValid(params: *const Params) bool {
    for ([_]f32{
        params.temperature,    params.top_p,            params.min_p,
        params.repeat_penalty, params.presence_penalty, params.frequency_penalty,
    }) |value| if (!std.math.isFinite(value)) return false;
    return params.temperature >= 0 and params.repeat_penalty > 0 and params.min_p <= 1 and
        params.logprobs_n <= top_max and params.flags.unused == 0;
}

/// Working memory of one member of the team.
const Scratch = struct {
    tops: []f32,
    /// The row after bias and penalties.
    changed: []f32,
    counts: []u32,
    list: candidates.List,

    fn bytes(vocab: usize) usize {
        const blocks = logits.blockCount(vocab);
        return std.mem.alignForward(usize, vocab * (@sizeOf(candidates.Candidate) + 8) + blocks * 4, 64);
    }

    fn init(memory: []u8, vocab: usize) Scratch {
        var fixed: std.heap.FixedBufferAllocator = .init(memory);
        const gpa = fixed.allocator();
        // `bytes` counts exactly these; the widest alignment comes first.
        const room = gpa.alloc(candidates.Candidate, vocab) catch unreachable;
        return .{
            .list = .{ .room = room },
            .changed = gpa.alloc(f32, vocab) catch unreachable,
            .counts = gpa.alloc(u32, vocab) catch unreachable,
            .tops = gpa.alloc(f32, logits.blockCount(vocab)) catch unreachable,
        };
    }
};

/// Bytes of `Args.scratch` for a team of `parts`. Untouched parts of it cost nothing: small steps use little.
pub fn scratchBytes(vocab: u32, parts: u32) usize {
    return Scratch.bytes(vocab) * parts;
}

pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    const vocab: usize = args.vocab;
    const bytes = Scratch.bytes(vocab);
    var scratch: Scratch = .init(args.scratch[bytes * job.part ..][0..bytes], vocab);
    while (job.claim(args.n, 1)) |claimed| {
        const row = args.logits[claimed.first * vocab ..][0..vocab];
        const mask: RowMask = if (args.masks) |masks| masks[claimed.first] else .{};
        sampleRow(args, row, &args.params[claimed.first], mask, &args.results[claimed.first], &scratch);
    }
}

fn sampleRow(args: *const Args, row: []const f32, params: *const Params, mask: RowMask, result: *Result, scratch: *Scratch) void {
    var scan: logits.Scan = .init(row, scratch.tops);
    const raw_max = scan.max;
    const wanted = params.logprobs_n > 0 or !params.flags.skip_logprob;
    const log_sum = if (wanted) logits.logSumExp(row, raw_max) else 0;
    result.* = .{ .token = no_token, .logprob = std.math.nan(f32), .n = 0, .top = @splat(.{ .id = no_token, .logprob = 0 }) };
    if (params.logprobs_n > 0) {
        scratch.list.gatherTop(row, scan, params.logprobs_n);
        for (scratch.list.sortTop(params.logprobs_n), 0..) |candidate, i| {
            result.top[i] = .{ .id = candidate.id, .logprob = logits.logprob(row, candidate.id, raw_max, log_sum) };
            result.n += 1;
        }
    }
    var final = row;
    if (mask.words != null or changes(params)) {
        final = change(args, row, params, mask, args.biases(params), scratch);
        scan = .init(final, scratch.tops);
    }
    if (scan.max == -std.math.inf(f32) and mask.words != null) {
        // Biases forbid all that the grammar allows: what was promised of the answer's form comes first.
        final = change(args, row, params, mask, &.{}, scratch);
        scan = .init(final, scratch.tops);
    }
    if (scan.max == -std.math.inf(f32)) return;
    result.token = if (params.temperature == 0) scan.argmax(final) else draw(final, scan, params, &scratch.list);
    if (wanted) result.logprob = logits.logprob(row, result.token, raw_max, log_sum);
}

fn changes(params: *const Params) bool {
    const penalties = params.repeat_penalty != 1 or params.presence_penalty != 0 or params.frequency_penalty != 0;
    return params.bias_count > 0 or (params.history_count > 0 and penalties);
}

/// A copy of the row with mask, biases and penalties.
fn change(args: *const Args, row: []const f32, params: *const Params, mask: RowMask, biases: []const [2]u32, scratch: *Scratch) []const f32 {
    const out = scratch.changed;
    if (mask.words) |words| allow(row, words, mask.tokens, out) else @memcpy(out, row);
    for (biases) |pair| out[pair[0]] += @bitCast(pair[1]);
    const history = args.history(params);
    // Only the counts of ids in the history are ever read, so only those are cleared.
    for (history) |id| scratch.counts[id] = 0;
    for (history) |id| scratch.counts[id] += 1;
    for (history) |id| {
        const count = scratch.counts[id];
        if (count == 0) continue;
        scratch.counts[id] = 0;
        const x = out[id];
        const repeated = if (x > 0) x / params.repeat_penalty else x * params.repeat_penalty;
        out[id] = repeated - (@as(f32, @floatFromInt(count)) * params.frequency_penalty + params.presence_penalty);
    }
    return out;
}

/// The row with −inf for what the mask forbids.
fn allow(row: []const f32, words: [*]const u64, tokens: u32, out: []f32) void {
    const lowest: simd.F32x16 = simd.splat(-std.math.inf(f32));
    const whole = @min(tokens, row.len) / simd.lanes * simd.lanes;
    var first: usize = 0;
    while (first < whole) : (first += simd.lanes) {
        const bits: u16 = @truncate(words[first / 64] >> @intCast(first % 64));
        const allowed: @Vector(simd.lanes, bool) = @bitCast(bits);
        out[first..][0..simd.lanes].* = @select(f32, allowed, @as(simd.F32x16, row[first..][0..simd.lanes].*), lowest);
    }
    for (whole..row.len) |id| {
        const allowed = id < tokens and words[id / 64] >> @intCast(id % 64) & 1 != 0;
        out[id] = if (allowed) row[id] else -std.math.inf(f32);
    }
}

fn draw(row: []const f32, scan: logits.Scan, params: *const Params, list: *candidates.List) u32 {
    const random = randomBits(@as(u64, params.seed_hi) << 32 | params.seed_lo, params.position);
    const by_count = params.top_k > 0 and params.top_k < row.len;
    if (!by_count and params.top_p >= 1 and params.min_p <= 0) return drawFromAll(row, scan, params.temperature, random);
    var weighed = false; // whether the list has masses at temperature 1
    if (by_count) {
        list.gatherTop(row, scan, params.top_k);
        list.keepMass(params.top_k);
        weighed = params.top_p < 1;
        if (weighed) list.keepMass(share(params.top_p, list.weigh(scan.max, 1)));
    } else if (params.top_p < 1) {
        gatherShare(list, row, scan, params.top_p);
        weighed = true;
    } else {
        // The margin covers the rounding of the logarithm; the test on the weights below decides.
        list.gather(row, scan, scan.max + math.log(params.min_p) - 1e-3);
    }
    if (params.min_p > 0) keepLikely(list, scan.max, params.min_p);
    const total = if (weighed and params.temperature == 1) list.totalMass() else list.weigh(scan.max, params.temperature);
    var rest = below(random, total);
    for (list.items()) |candidate| {
        if (rest < candidate.mass) return candidate.id;
        rest -= candidate.mass;
    }
    unreachable; // rest < total
}

/// The mass that a share of `total` needs, at least 1.
fn share(top_p: f32, total: u64) u64 {
    if (top_p <= 0) return 1;
    const wanted: u64 = @intFromFloat(@ceil(@as(f64, top_p) * @as(f64, @floatFromInt(total))));
    return @min(total, @max(1, wanted));
}

/// The smallest most likely set with `top_p` of all mass. Tokens near the maximum usually hold enough: one pass finds the
/// total and how near suffices.
fn gatherShare(list: *candidates.List, row: []const f32, scan: logits.Scan, top_p: f32) void {
    const U64x16 = @Vector(simd.lanes, u64);
    const zero: U64x16 = @splat(0);
    const distances = [_]f32{ 4, 8, 12, candidates.zero_mass_distance };
    var sums: [distances.len]U64x16 = @splat(zero); // the last one is the total
    var first: usize = 0;
    while (first < row.len) : (first += simd.lanes) {
        const x = logits.cleanAt(row, first);
        const masses = candidates.massOf(x, scan.max, 1);
        inline for (distances[0 .. distances.len - 1], 0..) |distance, i| {
            sums[i] += @select(u64, x >= simd.splat(scan.max - distance), masses, zero);
        }
        sums[distances.len - 1] += masses;
    }
    const target = share(top_p, @reduce(.Add, sums[distances.len - 1]));
    const near = for (distances, sums) |distance, sum| {
        if (@reduce(.Add, sum) >= target) break distance;
    } else unreachable; // share is at most the total
    list.gather(row, scan, scan.max - near);
    _ = list.weigh(scan.max, 1);
    list.keepMass(target);
}

/// min-p: keeps tokens whose probability is at least min_p times the largest.
fn keepLikely(list: *candidates.List, max: f32, min_p: f32) void {
    var kept: usize = 0;
    for (list.items()) |candidate| {
        if (math.exp(candidate.x - max) < min_p) continue;
        list.room[kept] = candidate;
        kept += 1;
    }
    list.len = kept;
}

/// Without any cut: a pass for the total, a second one up to the token.
fn drawFromAll(row: []const f32, scan: logits.Scan, temperature: f32, random: u64) u32 {
    var total: u64 = 0;
    var first: usize = 0;
    while (first < row.len) : (first += simd.lanes) {
        total += @reduce(.Add, candidates.massOf(logits.cleanAt(row, first), scan.max, temperature));
    }
    var rest = below(random, total);
    first = 0;
    while (first < row.len) : (first += simd.lanes) {
        const masses: [simd.lanes]u64 = candidates.massOf(logits.cleanAt(row, first), scan.max, temperature);
        for (masses, first..) |mass, id| {
            if (rest < mass) return @intCast(id);
            rest -= mass;
        }
    }
    unreachable; // rest < total, and lanes beyond the row have mass 0
}

/// Uniform in [0, total): total · random / 2⁶⁴.
fn below(random: u64, total: u64) u64 {
    return @truncate(@as(u128, random) * total >> 64);
}

/// 64 random bits that depend on (seed, position) alone: two rounds of SplitMix64's finaliser (Steele et al. 2014).
pub fn randomBits(seed: u64, position: u32) u64 {
    const golden = 0x9E3779B97F4A7C15;
    return mix(mix(seed +% golden) ^ (@as(u64, position) +% 1) *% golden);
}

fn mix(value: u64) u64 {
    var z = value;
    z = (z ^ (z >> 30)) *% 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) *% 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

test {
    _ = @import("sample_test.zig");
}
