import { CotuneError } from '#base'
import { applyTable, describeNode, type Node, type NodeOf, type OperatorTable } from './node.ts'
import { type DType, type Shape, sameShape, sizeOf } from './tensor.ts'

export interface TypeAndShape {
  readonly dtype: DType
  readonly shape: Shape
}

/**
 * The dtype and shape of an operator's result, by its operands and parameters; what `node` itself says is not looked at.
 *
 * @throws ENGINE_SHAPE_MISMATCH or ENGINE_DTYPE_MISMATCH, naming the operands.
 */
export function inferType(node: Node): TypeAndShape {
  return applyTable(rules, node)
}

/** The NumPy broadcast of two shapes, or undefined where they do not fit. */
export function broadcastShapes(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length)
  const out: number[] = []
  for (let axis = 0; axis < rank; axis++) {
    const x = a[a.length - rank + axis] ?? 1
    const y = b[b.length - rank + axis] ?? 1
    if (x !== y && x !== 1 && y !== 1) return undefined
    out.push(x === 1 ? y : x)
  }
  return out
}

/** A node of any operator with these operands. */
interface Taking<Operands extends readonly Node[]> {
  readonly operator: string
  readonly inputs: Operands
}
type Any = Taking<readonly Node[]>

function fail(node: Any, reason: string): never {
  const operands = node.inputs.map(describeNode).join(', ')
  throw new CotuneError('ENGINE_SHAPE_MISMATCH', `${node.operator}(${operands}): ${reason}`, {
    hint: 'Check the shapes of the operands where this node is built.',
  })
}

function requireDType(node: Any, index: number, dtype: DType): void {
  if (node.inputs[index]?.dtype === dtype) return
  const operands = node.inputs.map(describeNode).join(', ')
  throw new CotuneError(
    'ENGINE_DTYPE_MISMATCH',
    `${node.operator}(${operands}): operand ${index} must be ${dtype}`,
    { hint: 'Insert a cast, or feed the other dtype.' },
  )
}

function elementWise(node: Taking<readonly [Node]>): TypeAndShape {
  const [x] = node.inputs
  requireDType(node, 0, 'float32')
  return { dtype: 'float32', shape: x.shape }
}

function broadcasting(node: Taking<readonly [Node, Node]>): TypeAndShape {
  const [a, b] = node.inputs
  requireDType(node, 1, a.dtype)
  const shape = broadcastShapes(a.shape, b.shape) ?? fail(node, 'the shapes do not broadcast')
  return { dtype: a.dtype, shape }
}

function comparison(node: Taking<readonly [Node, Node]>): TypeAndShape {
  return { ...broadcasting(node), dtype: 'float32' }
}

function overLastAxis(node: Taking<readonly [Node]>): TypeAndShape {
  const out = elementWise(node)
  if (out.shape.length === 0) fail(node, 'needs at least one axis')
  return out
}

/** Rows and width of x [M, H], w [V, H], targets [M]. */
function crossEntropySizes(node: Taking<readonly [Node, Node, Node]>): readonly [number, number] {
  const [x, w, targets] = node.inputs
  requireDType(node, 0, 'float32')
  requireDType(node, 1, 'float32')
  requireDType(node, 2, 'int32')
  const [rows, width] = x.shape
  if (x.shape.length !== 2 || w.shape.length !== 2 || targets.shape.length !== 1)
    fail(node, 'needs two matrices and a list')
  if (w.shape[1] !== width || targets.shape[0] !== rows) fail(node, 'the sizes differ')
  return [rows!, width!]
}

function reduction(node: NodeOf<'sum' | 'mean' | 'max'>): TypeAndShape {
  const [x] = node.inputs
  const { axes, keepDims } = node.parameters
  const shape = keepDims
    ? x.shape.map((dimension, axis) => (axes.includes(axis) ? 1 : dimension))
    : x.shape.filter((_, axis) => !axes.includes(axis))
  return { dtype: x.dtype, shape }
}

function normalisation(node: Taking<readonly [Node, ...Node[]]>): TypeAndShape {
  const [x, ...rest] = node.inputs
  node.inputs.forEach((_, index) => {
    requireDType(node, index, 'float32')
  })
  const width = x.shape.at(-1)
  for (const vector of rest) {
    if (!sameShape(vector.shape, [width ?? -1])) fail(node, 'a vector of the last axis is needed')
  }
  return { dtype: 'float32', shape: x.shape }
}

function perRow(node: Taking<readonly [Node]>): TypeAndShape {
  const { shape } = normalisation(node)
  return { dtype: 'float32', shape: [...shape.slice(0, -1), 1] }
}

function leaf(node: { readonly parameters: { readonly shape: Shape } }): TypeAndShape {
  return { dtype: 'float32', shape: node.parameters.shape }
}

function checkAxis(node: Any, axis: number, rank: number): void {
  if (!Number.isInteger(axis) || axis < 0 || axis >= rank) fail(node, `there is no axis ${axis}`)
}

const rules: OperatorTable<[], TypeAndShape> = {
  input: ({ parameters }) => ({ dtype: parameters.dtype, shape: parameters.shape }),
  weight: (node) => {
    const { format, shape } = node.parameters
    if (format !== 'float32' && shape.length !== 2) fail(node, 'only a matrix is stored in blocks')
    return leaf(node)
  },
  variable: leaf,
  constant: ({ parameters: { data, shape } }) => ({
    dtype: data instanceof Int32Array ? 'int32' : 'float32',
    shape,
  }),

  add: broadcasting,
  subtract: broadcasting,
  multiply: broadcasting,
  divide: (node) => {
    requireDType(node, 0, 'float32')
    return broadcasting(node)
  },
  maximum: broadcasting,
  less: comparison,
  equal: comparison,
  where: (node) => {
    const [condition, a, b] = node.inputs
    requireDType(node, 0, 'float32')
    requireDType(node, 2, a.dtype)
    const branches =
      broadcastShapes(a.shape, b.shape) ?? fail(node, 'the branches do not broadcast')
    const shape = broadcastShapes(condition.shape, branches)
    return { dtype: a.dtype, shape: shape ?? fail(node, 'the condition does not broadcast') }
  },

  addScaled: (node) => {
    const [x, y, scale] = node.inputs
    for (const operand of [0, 1, 2] as const) requireDType(node, operand, 'float32')
    if (x.shape.length === 0 || !sameShape(x.shape, y.shape)) {
      fail(node, 'adds equal shapes of one axis or more')
    }
    if (!sameShape(scale.shape, [...x.shape.slice(0, -1), 1])) fail(node, 'needs one scale a row')
    return { dtype: 'float32', shape: x.shape }
  },

  negate: elementWise,
  exp: elementWise,
  log: elementWise,
  sqrt: elementWise,
  reciprocal: elementWise,
  sigmoid: elementWise,
  tanh: elementWise,
  square: elementWise,
  relu: elementWise,
  erf: elementWise,
  gelu: elementWise,
  tanhGelu: elementWise,
  silu: elementWise,

  matmul: (node) => {
    const [a, b] = node.inputs
    requireDType(node, 0, 'float32')
    requireDType(node, 1, 'float32')
    const { transposeA, transposeB } = node.parameters
    if (a.shape.length < 2 || b.shape.length < 2) fail(node, 'needs at least two axes each')
    const [m, inner] = matrix(a.shape, transposeA)
    const [inner2, n] = matrix(b.shape, transposeB)
    if (inner !== inner2) fail(node, `inner dimensions ${inner} and ${inner2} differ`)
    const leading = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2))
    return {
      dtype: 'float32',
      shape: [...(leading ?? fail(node, 'the leading dimensions do not broadcast')), m, n],
    }
  },
  softmax: overLastAxis,
  logSoftmax: overLastAxis,
  linearCrossEntropy: (node) => {
    const [rows] = crossEntropySizes(node)
    return { dtype: 'float32', shape: [rows] }
  },
  linearCrossEntropySlope: (node) => {
    const [rows, width] = crossEntropySizes(node)
    return { dtype: 'float32', shape: [rows, width] }
  },
  rmsNorm: normalisation,
  inverseRms: perRow,
  layerNorm: normalisation,
  inverseDeviation: perRow,
  rotary: (node) => {
    const [x, positions, cosines, sines] = node.inputs
    requireDType(node, 1, 'int32')
    const [batch, , length, width] = x.shape
    if (x.shape.length !== 4 || width === undefined || width % 2 !== 0) {
      fail(node, 'needs [batch, heads, length, even width]')
    }
    if (!sameShape(positions.shape, [batch ?? -1, length ?? -1])) {
      fail(node, 'positions must be [batch, length]')
    }
    const [rows = -1, half = -1] = cosines.shape
    if (!sameShape(cosines.shape, [rows, half]) || 2 * half > width) {
      fail(node, 'the tables must be [positions, at most width / 2]')
    }
    if (!sameShape(cosines.shape, sines.shape)) fail(node, 'the two tables differ in shape')
    return { dtype: 'float32', shape: x.shape }
  },
  cachedAttention: (node) => {
    const [queries, keys, values, cachedKeys, cachedValues, lengths] = node.inputs
    requireDType(node, 5, 'int32')
    const [batch = 0, groups = 0, , headSize = 0] = cachedKeys.shape
    const [tokens = 0, width = 0] = queries.shape
    const heads = width / headSize
    if (cachedKeys.shape.length !== 4 || !sameShape(cachedKeys.shape, cachedValues.shape)) {
      fail(node, 'the cached keys and values must be [batch, groups, columns, head size]')
    }
    if (headSize % 8 !== 0) fail(node, 'the head size must be a multiple of 8')
    if (!sameShape(queries.shape, [tokens, width]) || !Number.isInteger(heads / groups)) {
      fail(node, 'queries must be [tokens, heads * head size], with heads a multiple of groups')
    }
    for (const rows of [keys, values]) {
      if (!sameShape(rows.shape, [tokens, groups * headSize])) {
        fail(node, 'keys and values must be [tokens, groups * head size]')
      }
    }
    if (!sameShape(lengths.shape, [batch])) fail(node, 'there must be one length a row')
    const { alibiSlopes } = node.parameters
    if (alibiSlopes && alibiSlopes.length !== heads) fail(node, 'there must be one slope a head')
    return { dtype: 'float32', shape: queries.shape }
  },

  transpose: (node) => {
    const [x] = node.inputs
    const { permutation } = node.parameters
    const sorted = [...permutation].sort((a, b) => a - b)
    if (!sameShape(sorted, [...x.shape.keys()])) fail(node, `[${permutation}] does not permute it`)
    return { dtype: x.dtype, shape: permutation.map((axis) => x.shape[axis] ?? 1) }
  },
  reshape: (node) => {
    const [x] = node.inputs
    const { shape } = node.parameters
    const whole = shape.every((dimension) => Number.isInteger(dimension) && dimension > 0)
    if (!whole || sizeOf(shape) !== sizeOf(x.shape)) fail(node, `cannot become [${shape}]`)
    return { dtype: x.dtype, shape }
  },
  expand: (node) => {
    const [x] = node.inputs
    const { shape } = node.parameters
    const broadcast = broadcastShapes(x.shape, shape)
    if (!broadcast || !sameShape(broadcast, shape)) fail(node, `does not broadcast to [${shape}]`)
    return { dtype: x.dtype, shape }
  },
  slice: (node) => {
    const [x] = node.inputs
    const { axis, start, end } = node.parameters
    checkAxis(node, axis, x.shape.length)
    if (start < 0 || start >= end || end > (x.shape[axis] ?? 0)) {
      fail(node, `axis ${axis} has no elements ${start} to ${end}`)
    }
    return { dtype: x.dtype, shape: x.shape.with(axis, end - start) }
  },
  pad: (node) => {
    const [x] = node.inputs
    requireDType(node, 0, 'float32')
    const { axis, before, after } = node.parameters
    checkAxis(node, axis, x.shape.length)
    if (before < 0 || after < 0) fail(node, 'cannot pad by a negative number')
    return { dtype: x.dtype, shape: x.shape.with(axis, (x.shape[axis] ?? 0) + before + after) }
  },
  concat: (node) => {
    const [first, ...rest] = node.inputs
    if (first === undefined) fail(node, 'needs an operand')
    const { axis } = node.parameters
    checkAxis(node, axis, first.shape.length)
    let total = first.shape[axis] ?? 0
    rest.forEach((x, index) => {
      requireDType(node, index + 1, first.dtype)
      const length = x.shape[axis] ?? 0
      if (x.shape.length !== first.shape.length) fail(node, 'the ranks differ')
      if (!sameShape(x.shape, first.shape.with(axis, length))) {
        fail(node, `the shapes differ beside axis ${axis}`)
      }
      total += length
    })
    return { dtype: first.dtype, shape: first.shape.with(axis, total) }
  },

  sum: reduction,
  mean: (node) => {
    requireDType(node, 0, 'float32')
    return reduction(node)
  },
  max: reduction,

  gather: (node) => {
    const [table, ids] = node.inputs
    requireDType(node, 1, 'int32')
    if (table.shape.length === 0) fail(node, 'a table needs rows')
    return { dtype: table.dtype, shape: [...ids.shape, ...table.shape.slice(1)] }
  },
  gatherLast: (node) => {
    const [x, ids] = node.inputs
    requireDType(node, 1, 'int32')
    if (x.shape.length === 0 || !sameShape(x.shape.slice(0, -1), ids.shape.slice(0, -1))) {
      fail(node, 'the leading dimensions differ')
    }
    return { dtype: x.dtype, shape: ids.shape }
  },
  scatterAdd: (node) => {
    const [ids, updates] = node.inputs
    requireDType(node, 0, 'int32')
    requireDType(node, 1, 'float32')
    if (ids.shape.length !== 1 || updates.shape[0] !== ids.shape[0]) {
      fail(node, 'needs ids [N] and updates [N, ...]')
    }
    return { dtype: 'float32', shape: [node.parameters.rows, ...updates.shape.slice(1)] }
  },
  scatterAddLast: (node) => {
    const [ids, updates] = node.inputs
    requireDType(node, 0, 'int32')
    requireDType(node, 1, 'float32')
    if (ids.shape.length === 0 || !sameShape(ids.shape, updates.shape)) {
      fail(node, 'needs ids and updates of one shape')
    }
    return { dtype: 'float32', shape: ids.shape.with(-1, node.parameters.columns) }
  },
  topKIndices: (node) => {
    const { shape } = overLastAxis(node)
    const { k } = node.parameters
    if (!(k >= 1 && k <= (shape.at(-1) ?? 0))) fail(node, `cannot take the top ${k}`)
    return { dtype: 'int32', shape: shape.with(-1, k) }
  },
  argMax: (node) => ({ dtype: 'int32', shape: overLastAxis(node).shape.slice(0, -1) }),

  cast: (node) => ({ dtype: node.parameters.dtype, shape: node.inputs[0].shape }),
  stopGradient: (node) => {
    const [x] = node.inputs
    return { dtype: x.dtype, shape: x.shape }
  },
}

/** Rows and columns of the trailing matrix of a shape, as seen through a transposition. */
function matrix(shape: Shape, transposed: boolean): readonly [number, number] {
  const rows = shape.at(-2) ?? 1
  const columns = shape.at(-1) ?? 1
  return transposed ? [columns, rows] : [rows, columns]
}
