//! The ops of latent attention: what its projections give becomes keys and queries, and each head multiplies by its own matrix.

const head_columns_op = @import("../ops/head_columns.zig");
const latent_split_op = @import("../ops/latent_split.zig");
const matmul_op = @import("../ops/matmul/matmul.zig");
const buffers = @import("buffers.zig");
const none = @import("objects.zig").none;
const sizes = @import("sizes.zig");
const status = @import("status.zig");
const Context = @import("context.zig").Context;
const Stacked = @import("stacked.zig").Stacked;

/// ops/latent_split.zig has the order of parts.
pub const LatentSplit = extern struct {
    /// [tokens, latent + turned] f32
    kv: u32,
    /// A vector [latent].
    norm: u32,
    eps: f32,
    /// [tokens, turned + latent] f32
    keys: u32,
    /// [tokens, heads, plain + turned] f32
    q: u32,
    /// [tokens, heads, turned + latent] f32
    queries: u32,
    heads: u32,
    latent: u32,
    turned: u32,
    plain: u32,
};

/// y[token, head] = W[head] · x[token, head], of parts of rows.
pub const HeadProducts = extern struct {
    /// [tokens, heads, x_width] f32; the columns begin at x_first of each head.
    x: u32,
    x_width: u32,
    x_first: u32,
    heads: u32,
    /// [heads · rows, k], rows a multiple of 16.
    weights: u32,
    /// [heads · tokens, k] in the forms that the weights read, and perhaps others.
    columns: u32,
    columns_forms: u32,
    /// [tokens, heads, y_width] f32; the products begin at y_first of each head.
    y: u32,
    y_width: u32,
    y_first: u32,
};

/// Heads at most: their products are listed in scratch memory.
const heads_max = 1 << 12;
const width_max = 1 << 20;

/// Keys of the tokens, and the turned part of each query at its front.
pub fn split(context: *Context, call: buffers.Input, call_bytes: u32, tokens: u32) status.Error!void {
    const c = try buffers.one(LatentSplit, call, call_bytes);
    if (!(c.eps >= 0) or c.heads == 0 or c.heads > heads_max) return error.InvalidArgument;
    for ([_]u32{ c.latent, c.turned, c.plain }) |part| if (part == 0 or part > width_max) return error.ShapeMismatch;
    const key = c.latent + c.turned;
    const args: latent_split_op.Args = .{
        .kv = try context.matrix(c.kv, tokens, key),
        .w = try context.vector(c.norm, c.latent),
        .keys = try context.matrix(c.keys, tokens, key),
        .q = try context.matrix(c.q, tokens, try sizes.product(&.{ c.heads, c.plain + c.turned })),
        .queries = try context.matrix(c.queries, tokens, try sizes.product(&.{ c.heads, key })),
        .n = tokens,
        .heads = c.heads,
        .latent = c.latent,
        .turned = c.turned,
        .plain = c.plain,
        .eps = c.eps,
    };
    _ = try sizes.product(&.{ tokens, c.heads + 1 });
    if (tokens == 0) return;
    try context.run(context.ops.latent_split, &args);
}

/// Each head's product of a part of its row, for all tokens: the parts become columns, an item of the matmul for each head.
pub fn headProducts(context: *Context, call: buffers.Input, call_bytes: u32, tokens: u32) status.Error!void {
    const c = try buffers.one(HeadProducts, call, call_bytes);
    if (c.heads == 0 or c.heads > heads_max) return error.InvalidArgument;
    const matrices: Stacked = try .of(context, c.weights, none, c.heads);
    const k = matrices.weights.k;
    if (!sizes.inRow(c.x_first, k, c.x_width) or !sizes.inRow(c.y_first, matrices.rows, c.y_width)) return error.ShapeMismatch;
    if (@max(c.x_width, c.y_width) > width_max) return error.ShapeMismatch;
    if (matrices.form() & ~c.columns_forms != 0 or c.x == c.y) return error.InvalidArgument;
    const columns: head_columns_op.Args = .{
        .x = try context.matrix(c.x, tokens, try sizes.product(&.{ c.heads, c.x_width })),
        .y = try context.activation(c.columns, c.columns_forms, try sizes.product(&.{ tokens, c.heads }), k),
        .n = tokens,
        .heads = c.heads,
        .width = c.x_width,
        .first = c.x_first,
        .k = k,
    };
    const y_stride = try sizes.product(&.{ c.heads, c.y_width });
    const y = try context.matrix(c.y, tokens, y_stride);
    if (tokens == 0) return;
    try context.run(context.ops.head_columns, &columns);
    const bytes = try context.scratchBytes(c.heads * @sizeOf(matmul_op.Item));
    const items: [*]matmul_op.Item = @ptrCast(@alignCast(bytes));
    for (items[0..c.heads], 0..) |*item, head| {
        const x = matrices.column(&columns.y, head * tokens);
        item.* = matrices.item(head, x, tokens, y + head * c.y_width + c.y_first, y_stride);
    }
    try context.run(context.ops.matmul, &matmul_op.Group.of(items[0..c.heads]));
}
