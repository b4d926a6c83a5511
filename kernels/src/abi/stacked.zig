//! Matrices of one shape that lie one after the other: of each expert, or of each head.

const simd = @import("../isa/simd.zig");
const activations = @import("../quant/activations.zig");
const Activation = activations.Activation;
const matmul_op = @import("../ops/matmul/matmul.zig");
const objects = @import("objects.zig");
const status = @import("status.zig");
const Context = @import("context.zig").Context;
const Weights = @import("weights.zig").Weights;

pub const Stacked = struct {
    weights: *Weights,
    bias: ?[*]const f32,
    /// Of one of them.
    rows: u32,

    /// `count` of them; bias: a vector with a value for each row, or NONE.
    pub fn of(context: *Context, id: u32, bias: u32, count: u32) status.Error!Stacked {
        const weights = try objects.get(Weights, id);
        if (count == 0 or weights.rows % count != 0) return error.ShapeMismatch;
        const rows = weights.rows / count;
        // A panel holds rows of one.
        if (rows % simd.panel_rows != 0) return error.ShapeMismatch;
        return .{ .weights = weights, .bias = try context.optionalVector(bias, weights.rows), .rows = rows };
    }

    pub fn form(stacked: Stacked) u32 {
        return if (stacked.weights.format.activationKind()) |kind| kind.form() else activations.form_f32;
    }

    /// The product of one with `columns` columns from `x` on; columns of y are `y_stride` values apart.
    pub fn item(stacked: Stacked, index: usize, x: *const anyopaque, columns: u32, y: [*]f32, y_stride: u32) matmul_op.Item {
        const weights = stacked.weights;
        const panels = stacked.rows / simd.panel_rows;
        return .{
            .weights = weights.piece.bytes.ptr + index * panels * weights.format.panelBytes(weights.k),
            .x = x,
            .bias = if (stacked.bias) |bias| bias + index * stacked.rows else null,
            .y = y,
            .format = @backingInt(weights.format),
            .rows = stacked.rows,
            .k = weights.k,
            .columns = columns,
            .y_stride = y_stride,
            .accumulate = 0,
        };
    }

    /// A column in the form that the weights read.
    pub fn column(stacked: Stacked, columns: *const Activation, index: usize) *const anyopaque {
        const weights = stacked.weights;
        const kind = weights.format.activationKind() orelse return @ptrCast(columns.f32.? + index * weights.k);
        return @ptrCast(columns.of(kind).? + index * activations.columnBytes(kind, weights.k));
    }
};
