import { CotuneError } from '#base'
import type { CachedAttention, Node, Operator, Operators } from './node.ts'
import { inferType } from './shapes.ts'
import { type DType, type Shape, sizeOf, tensor } from './tensor.ts'
import type { WeightFormat } from './weights.ts'

let nextId = 0

/** Every node is made here: the shape rule runs, so a node that exists is well formed. */
function build<K extends Operator>(
  operator: K,
  inputs: Operators[K]['operands'],
  parameters: Operators[K]['parameters'],
): Node {
  const node = { id: nextId++, operator, inputs, parameters, dtype: 'float32', shape: [] }
  return Object.freeze({ ...node, ...inferType(node as unknown as Node) }) as unknown as Node
}

/** A node like `node` on other operands. */
export function rebuild(node: Node, operands: readonly Node[]): Node {
  return build(node.operator, operands as never, node.parameters as never)
}

// Leaves.

/** A value fed at each run. */
export function input(name: string, shape: Shape, dtype: DType = 'float32'): Node {
  return build('input', [], { name, shape: checkShape(shape), dtype })
}

/** A frozen float32 value, given when the program is compiled; only a matrix can be stored in blocks. */
export function weight(name: string, shape: Shape, format: WeightFormat = 'float32'): Node {
  return build('weight', [], { name, shape: checkShape(shape), format })
}

/** A float32 value that a session holds from run to run; zeros until written, see `updates` of `createProgram`. */
export function variable(name: string, shape: Shape): Node {
  return build('variable', [], { name, shape: checkShape(shape) })
}

/** A value known now. The array must not change afterwards. */
export function constant(data: Float32Array | Int32Array, shape: Shape): Node {
  return build('constant', [], tensor(data, checkShape(shape)))
}

/** A float32 constant of shape []. */
export function scalar(x: number): Node {
  return constant(Float32Array.of(x), [])
}

/** Float32 zeros, without the memory. */
export function zeros(shape: Shape): Node {
  return expand(scalar(0), shape)
}

// Element-wise, two operands broadcast by the rules of NumPy; both have one dtype.

export function add(a: Node, b: Node): Node {
  return build('add', [a, b], {})
}
export function subtract(a: Node, b: Node): Node {
  return build('subtract', [a, b], {})
}
export function multiply(a: Node, b: Node): Node {
  return build('multiply', [a, b], {})
}
export function divide(a: Node, b: Node): Node {
  return build('divide', [a, b], {})
}
/** The larger of the two; where they tie the gradient goes to `a`. */
export function maximum(a: Node, b: Node): Node {
  return build('maximum', [a, b], {})
}
/** 1 where `a < b`, else 0, as float32. No gradient. */
export function less(a: Node, b: Node): Node {
  return build('less', [a, b], {})
}
/** 1 where `a == b`, else 0, as float32. No gradient. */
export function equal(a: Node, b: Node): Node {
  return build('equal', [a, b], {})
}
/** `a` where `condition` (float32) is not 0, else `b`; all three broadcast. No gradient to the condition. */
export function where(condition: Node, a: Node, b: Node): Node {
  return build('where', [condition, a, b], {})
}

/** x + scale y, with one scale a row: x and y are [.., D], scale is [.., 1]. */
export function addScaled(x: Node, y: Node, scale: Node): Node {
  return build('addScaled', [x, y, scale], {})
}

// Element-wise, float32.

export function negate(x: Node): Node {
  return build('negate', [x], {})
}
export function exp(x: Node): Node {
  return build('exp', [x], {})
}
export function log(x: Node): Node {
  return build('log', [x], {})
}
export function sqrt(x: Node): Node {
  return build('sqrt', [x], {})
}
export function reciprocal(x: Node): Node {
  return build('reciprocal', [x], {})
}
export function sigmoid(x: Node): Node {
  return build('sigmoid', [x], {})
}
export function tanh(x: Node): Node {
  return build('tanh', [x], {})
}
export function square(x: Node): Node {
  return build('square', [x], {})
}
/** max(x, 0); the gradient at 0 is 0. */
export function relu(x: Node): Node {
  return build('relu', [x], {})
}
/** The error function. */
export function erf(x: Node): Node {
  return build('erf', [x], {})
}
/** x times the normal distribution function of x: 0.5 x (1 + erf(x / sqrt(2))) (Hendrycks, Gimpel 2016). */
export function gelu(x: Node): Node {
  return build('gelu', [x], {})
}
/** GPT-2's approximation of it: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (`gelu_new`). */
export function tanhGelu(x: Node): Node {
  return build('tanhGelu', [x], {})
}
/** x sigmoid(x) (Elfwing et al. 2017). */
export function silu(x: Node): Node {
  return build('silu', [x], {})
}

// Linear algebra and what transformers are made of.

export interface MatmulOptions {
  readonly transposeA?: boolean
  readonly transposeB?: boolean
  readonly scale?: number
}

/** `scale` times the matrix product over the last two axes, [.., M, K] x [.., K, N]; the leading dimensions broadcast. */
export function matmul(
  a: Node,
  b: Node,
  { transposeA = false, transposeB = false, scale = 1 }: MatmulOptions = {},
): Node {
  return build('matmul', [a, b], { transposeA, transposeB, scale })
}
/** exp(x) / sum(exp(x)) over the last axis. */
export function softmax(x: Node): Node {
  return build('softmax', [x], {})
}
/** log(softmax(x)) over the last axis, without overflow. */
export function logSoftmax(x: Node): Node {
  return build('logSoftmax', [x], {})
}
/**
 * Negative log-likelihood, in nats, of `targets` int32 [M] under the logits x w^T of x [M, H] and w [V, H]: [M].
 * The logits are made a block at a time and never kept: with a large vocabulary they are most of a step's
 * memory (Hsu et al. 2024, arXiv 2410.10989).
 */
export function linearCrossEntropy(x: Node, w: Node, targets: Node): Node {
  return build('linearCrossEntropy', [x, w, targets], {})
}
/** By row, the gradient of `linearCrossEntropy` by x: softmax(x w^T) w - w[targets], [M, H]. No gradient. */
export function linearCrossEntropySlope(x: Node, w: Node, targets: Node): Node {
  return build('linearCrossEntropySlope', [x, w, targets], {})
}
/** x / sqrt(mean(x^2) + epsilon) * w over the last axis (Zhang, Sennrich 2019); w is [D]. */
export function rmsNorm(x: Node, w: Node, epsilon: number): Node {
  return build('rmsNorm', [x, w], { epsilon })
}
/** 1 / sqrt(mean(x^2) + epsilon) over the last axis: [.., D] -> [.., 1]. */
export function inverseRms(x: Node, epsilon: number): Node {
  return build('inverseRms', [x], { epsilon })
}
/** (x - mean) / sqrt(variance + epsilon) * w + b over the last axis (Ba et al. 2016); w and b are [D]. */
export function layerNorm(x: Node, w: Node, b: Node, epsilon: number): Node {
  return build('layerNorm', [x, w, b], { epsilon })
}
/** 1 / sqrt(variance + epsilon) over the last axis: [.., D] -> [.., 1]. */
export function inverseDeviation(x: Node, epsilon: number): Node {
  return build('inverseDeviation', [x], { epsilon })
}
/**
 * Rotary position embedding (Su et al. 2021) in the half-split layout of Llama and Qwen2: with x = [x1, x2] split in
 * the middle of the last axis, [x1 cos - x2 sin, x2 cos + x1 sin]. Of a head wider than the tables say, the rest stays.
 *
 * @param x [batch, heads, length, width]
 * @param positions int32 [batch, length], rows of the tables
 * @param cosines [positions, rotated width / 2], as is `sines`; no gradient flows to the tables
 */
export function rotary(x: Node, positions: Node, cosines: Node, sines: Node): Node {
  return build('rotary', [x, positions, cosines, sines], {})
}

/**
 * Causal attention of new tokens to themselves and to earlier ones whose keys and values are cached; heads of queries share
 * those of keys in groups (Ainslie et al. 2023). No gradient.
 *
 * The N = B * S new tokens lie row by row. Row b has lengths[b] tokens with them; of the cache its first
 * max(0, lengths[b] - S) columns count. Either no row has a past (prompts of unequal length, padded on the right to the longest,
 * whose padding gives what it may), or S is 1, or B is 1.
 *
 * @param queries [N, H * D], heads of size D, which must be a multiple of 8
 * @param keys [N, G * D], as are `values`; G divides H
 * @param cachedKeys [B, G, T, D], as are `cachedValues`; T may be 0
 * @param lengths int32 [B]
 */
export function cachedAttention(
  operands: {
    readonly queries: Node
    readonly keys: Node
    readonly values: Node
    readonly cachedKeys: Node
    readonly cachedValues: Node
    readonly lengths: Node
  },
  parameters: CachedAttention,
): Node {
  const { queries, keys, values, cachedKeys, cachedValues, lengths } = operands
  return build(
    'cachedAttention',
    [queries, keys, values, cachedKeys, cachedValues, lengths],
    parameters,
  )
}

// Shapes.

export function transpose(x: Node, permutation: readonly number[]): Node {
  return build('transpose', [x], { permutation })
}
/** The same values in another shape; one dimension may be -1, to be worked out. */
export function reshape(x: Node, shape: Shape): Node {
  const known = -sizeOf(shape)
  return build('reshape', [x], {
    shape: shape.map((dimension) => (dimension === -1 ? sizeOf(x.shape) / known : dimension)),
  })
}
/** Broadcasts to `shape`. */
export function expand(x: Node, shape: Shape): Node {
  return build('expand', [x], { shape: checkShape(shape) })
}
/** Elements `start` to `end` (exclusive) of one axis. */
export function slice(x: Node, axis: number, start: number, end: number): Node {
  return build('slice', [x], { axis: fromEnd(x, axis), start, end })
}
/** Zeros before and after along one axis. */
export function pad(x: Node, axis: number, before: number, after: number): Node {
  return build('pad', [x], { axis: fromEnd(x, axis), before, after })
}
/** Joins along one axis. */
export function concat(xs: readonly Node[], axis: number): Node {
  const [first] = xs
  return build('concat', xs, { axis: first ? fromEnd(first, axis) : axis })
}

// Reductions: over all axes unless told, and keeping them as ones unless told.

export interface ReductionOptions {
  readonly keepDims?: boolean
}
export function sum(x: Node, axes?: readonly number[], options: ReductionOptions = {}): Node {
  return build('sum', [x], reductionOf(x, axes, options))
}
export function mean(x: Node, axes?: readonly number[], options: ReductionOptions = {}): Node {
  return build('mean', [x], reductionOf(x, axes, options))
}
/** The largest; elements that tie share the gradient. */
export function max(x: Node, axes?: readonly number[], options: ReductionOptions = {}): Node {
  return build('max', [x], reductionOf(x, axes, options))
}

// Indexing, by int32 ids that must lie within the axis.

/** Rows of a table: [V, ...] by ids of any shape -> [ids..., ...]. */
export function gather(table: Node, ids: Node): Node {
  return build('gather', [table, ids], {})
}
/** Elements of the last axis: x [.., V] by ids [.., K] -> [.., K]. */
export function gatherLast(x: Node, ids: Node): Node {
  return build('gatherLast', [x, ids], {})
}
/** Zeros [rows, ...] to which the updates [N, ...] are added at rows ids [N]; ids may repeat. */
export function scatterAdd(rows: number, ids: Node, updates: Node): Node {
  return build('scatterAdd', [ids, updates], { rows })
}
/** Zeros [.., columns] to which the updates [.., K] are added at ids [.., K] of the last axis; ids may repeat. */
export function scatterAddLast(columns: number, ids: Node, updates: Node): Node {
  return build('scatterAddLast', [ids, updates], { columns })
}
/** int32 indices of the k largest of the last axis, largest first, the lower index first where they tie. */
export function topKIndices(x: Node, k: number): Node {
  return build('topKIndices', [x], { k })
}
/** int32 index of the largest of the last axis, the lowest where they tie: [.., V] -> [..]. */
export function argMax(x: Node): Node {
  return build('argMax', [x], {})
}

/** The other dtype; float32 to int32 truncates towards zero. No gradient. */
export function cast(x: Node, dtype: DType): Node {
  return x.dtype === dtype ? x : build('cast', [x], { dtype })
}
/** The same value; gradients stop here. */
export function stopGradient(x: Node): Node {
  return build('stopGradient', [x], {})
}

function reductionOf(
  x: Node,
  axes: readonly number[] = [...x.shape.keys()],
  { keepDims = true }: ReductionOptions,
): Operators['sum']['parameters'] {
  const positive = new Set(axes.map((axis) => fromEnd(x, axis)))
  return { axes: [...positive].sort((a, b) => a - b), keepDims }
}

function fromEnd(x: Node, axis: number): number {
  return axis < 0 ? axis + x.shape.length : axis
}

function checkShape(shape: Shape): Shape {
  if (shape.every((dimension) => Number.isInteger(dimension) && dimension > 0)) return shape
  throw new CotuneError('ENGINE_SHAPE_MISMATCH', `[${shape}] is not a shape`, {
    hint: 'Dimensions are positive integers, known when the graph is built.',
  })
}
