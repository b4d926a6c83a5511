//! From logits to tokens and log-probabilities.

const sample_op = @import("../ops/sample.zig");
const score_op = @import("../ops/score.zig");
const buffers = @import("buffers.zig");
const status = @import("status.zig");
const Context = @import("context.zig").Context;
const Grammar = @import("grammars.zig").Grammar;
const objects = @import("objects.zig");

/// Samples one token per row. logits: [n, vocab]; params: n sample.Params; data: u32, token histories and (token, f32 bits)
/// biases, which the params name by first word and count; out: n sample.Results.
pub fn sample(
    context: *Context,
    logits: u32,
    vocab: u32,
    n: u32,
    params: buffers.Input,
    params_bytes: u32,
    data: buffers.Input,
    data_bytes: u32,
    out: buffers.Output,
    out_bytes: u32,
) status.Error!void {
    const rows = try buffers.values(sample_op.Params, params, params_bytes, n);
    const words = try buffers.all(u32, data, data_bytes);
    const results = try buffers.room(sample_op.Result, out, out_bytes, n);
    if (vocab > sample_op.vocab_max) return error.InvalidArgument;
    const bytes = sample_op.scratchBytes(vocab, context.threads());
    const scratch = try context.scratchBytes(bytes + @as(usize, n) * @sizeOf(sample_op.RowMask));
    const masks: [*]sample_op.RowMask = @ptrCast(@alignCast(scratch + bytes));
    const constrained = try setMasks(rows, masks[0..n]);
    const args: sample_op.Args = .{
        .logits = try context.matrix(logits, n, vocab),
        .masks = if (constrained) masks else null,
        .params = rows.ptr,
        .data = words.ptr,
        .results = results.ptr,
        .scratch = scratch,
        .vocab = vocab,
        .n = n,
        .data_count = @intCast(words.len),
    };
    if (!args.valid()) return error.InvalidArgument;
    if (n > 0) try context.run(context.ops.sample, &args);
}

/// The masks of the rows' grammars; whether there are any. They stay until a grammar is next asked for some.
fn setMasks(rows: []const sample_op.Params, masks: []sample_op.RowMask) status.Error!bool {
    var constrained = false;
    for (rows) |row| if (row.grammar != sample_op.no_grammar) {
        (try objects.get(Grammar, row.grammar)).matcher.masks.beginStep();
        constrained = true;
    };
    if (!constrained) return false;
    for (rows, masks) |row, *mask| {
        mask.* = .{};
        if (row.grammar == sample_op.no_grammar) continue;
        const grammar = try objects.get(Grammar, row.grammar);
        const state = grammar.matcher.find(row.grammar_state) orelse return error.InvalidArgument;
        const words = try grammar.matcher.masks.of(state);
        mask.* = .{ .words = words.ptr, .tokens = grammar.vocabulary.native.count() };
    }
    return true;
}

/// Per row the log-probability of a given token and the most likely token. logits: [n, vocab]; targets: n token ids;
/// out: n score.Results.
pub fn score(
    context: *Context,
    logits: u32,
    vocab: u32,
    n: u32,
    targets: buffers.Input,
    targets_bytes: u32,
    out: buffers.Output,
    out_bytes: u32,
) status.Error!void {
    const tokens = try buffers.values(u32, targets, targets_bytes, n);
    const results = try buffers.room(score_op.Result, out, out_bytes, n);
    if (vocab > sample_op.vocab_max) return error.InvalidArgument;
    const args: score_op.Args = .{
        .logits = try context.matrix(logits, n, vocab),
        .targets = tokens.ptr,
        .results = results.ptr,
        .scratch = try context.scratchBytes(score_op.scratchBytes(vocab, context.threads())),
        .vocab = vocab,
        .n = n,
    };
    if (!args.valid()) return error.InvalidArgument;
    if (n > 0) try context.run(context.ops.score, &args);
}
