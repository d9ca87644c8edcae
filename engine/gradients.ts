import { CotuneError } from '#base'
import {
  add,
  addScaled,
  concat,
  constant,
  divide,
  equal,
  erf,
  exp,
  expand,
  gather,
  gatherLast,
  inverseDeviation,
  inverseRms,
  less,
  linearCrossEntropySlope,
  matmul,
  mean,
  multiply,
  negate,
  pad,
  reshape,
  rotary,
  scalar,
  scatterAdd,
  scatterAddLast,
  sigmoid,
  slice,
  softmax,
  square,
  subtract,
  sum,
  tanh,
  transpose,
  where,
  zeros,
} from './builders.ts'
import {
  applyTable,
  describeNode,
  type Node,
  type NodeOf,
  type OperatorTable,
  reachable,
} from './node.ts'
import { type Shape, sameShape, sizeOf } from './tensor.ts'

/**
 * Reverse-mode differentiation: the gradient of `loss` by each of `wrt`, as new nodes. The loss must be one float32
 * value. Where the loss does not depend on a node, its gradient is zeros.
 *
 * @throws ENGINE_LOSS_NOT_SCALAR
 */
export function gradients(loss: Node, wrt: readonly Node[]): Node[] {
  if (loss.dtype !== 'float32' || sizeOf(loss.shape) !== 1) {
    throw new CotuneError('ENGINE_LOSS_NOT_SCALAR', `${describeNode(loss)} is not one number`, {
      hint: 'Reduce the loss with sum or mean first.',
    })
  }
  const order = reachable([loss])
  const wanted = new Set(wrt)
  const depends = new Set<Node>()
  for (const node of order) {
    if (wanted.has(node) || node.inputs.some((operand) => depends.has(operand))) depends.add(node)
  }

  const parts = new Map<Node, readonly Node[]>([[loss, [expand(scalar(1), loss.shape)]]])
  const found = new Map<Node, Node>()
  for (const node of order.toReversed()) {
    const own = parts.get(node)
    if (!own || !depends.has(node)) continue
    const gradient = joined(own) ?? joinedScatters(own) ?? own.reduce(plus)
    found.set(node, gradient)
    const contributions = applyTable(rules, node, gradient)
    node.inputs.forEach((operand, index) => {
      const contribution = contributions[index]
      if (!contribution || !depends.has(operand)) return
      parts.set(operand, [...(parts.get(operand) ?? []), contribution])
    })
  }
  return wrt.map((node) => found.get(node) ?? zeros(node.shape))
}

/** Gradients of slices that make up the whole, as of a joint projection: one join instead of padding and adding each. */
function joined(parts: readonly Node[]): Node | undefined {
  const pads = parts.filter((part) => part.operator === 'pad')
  const axis = pads[0]?.parameters.axis
  if (axis === undefined || pads.length < Math.max(2, parts.length)) return undefined
  pads.sort((a, b) => a.parameters.before - b.parameters.before)
  let end = 0
  for (const { inputs, parameters } of pads) {
    if (parameters.axis !== axis || parameters.before !== end) return undefined
    end += inputs[0].shape[axis] ?? 0
  }
  if (end !== pads[0]?.shape[axis]) return undefined
  const slices = pads.map(({ inputs }) => inputs[0])
  return concat(slices, axis)
}

/** Gradients of several gathers from one table: one scatter of all rows, so that no two tables are held at once. */
function joinedScatters(parts: readonly Node[]): Node | undefined {
  const scatters = parts.filter((part) => part.operator === 'scatterAdd')
  const rows = scatters[0]?.parameters.rows
  if (rows === undefined || scatters.length < Math.max(2, parts.length)) return undefined
  const joint = (operand: 0 | 1): Node =>
    concat(
      scatters.map(({ inputs }) => inputs[operand]),
      0,
    )
  return scatterAdd(rows, joint(0), joint(1))
}

/**
 * The sum of two contributions. One that is itself a sum of scaled rows, as from a normalisation, is added term by term: each term
 * is one pass then, and the sum itself is none.
 */
function plus(a: Node, b: Node): Node {
  if (b.operator === 'addScaled') {
    const [x, y, scale] = b.inputs
    return addScaled(plus(a, x), y, scale)
  }
  if (b.operator === 'multiply') {
    const [x, scale] = b.inputs
    if (sameShape(x.shape, b.shape) && isPerRow(scale, x)) return addScaled(a, x, scale)
  }
  return add(a, b)
}

/** Whether it is one number for each row of `x`. */
function isPerRow(scale: Node, x: Node): boolean {
  return x.shape.length > 0 && sameShape(scale.shape, [...x.shape.slice(0, -1), 1])
}

/** The rows of a table this small are added up by a product with ones and zeros: a scatter goes number by number. */
const FEW_ROWS = 2_048

/**
 * By operator: from `g`, the gradient by the result `y`, the gradients by the operands in their order; missing where
 * none flows. Rules build for every operand: what no `wrt` needs is dropped, and pruned with the program.
 */
const rules: OperatorTable<[g: Node], readonly Node[]> = {
  input: () => [],
  weight: () => [],
  variable: () => [],
  constant: () => [],

  add: ({ inputs: [a, b] }, g) => [unbroadcast(g, a.shape), unbroadcast(g, b.shape)],
  subtract: ({ inputs: [a, b] }, g) => [unbroadcast(g, a.shape), negate(unbroadcast(g, b.shape))],
  multiply: ({ inputs: [a, b] }, g) => [
    unbroadcast(multiply(g, b), a.shape),
    unbroadcast(multiply(g, a), b.shape),
  ],
  divide: (y, g) => {
    const [a, b] = y.inputs
    const da = divide(g, b)
    return [unbroadcast(da, a.shape), negate(unbroadcast(multiply(da, y), b.shape))]
  },
  maximum: ({ inputs: [a, b] }, g) => {
    const bLarger = less(a, b)
    const none = scalar(0)
    return [
      unbroadcast(where(bLarger, none, g), a.shape),
      unbroadcast(where(bLarger, g, none), b.shape),
    ]
  },
  less: () => [],
  equal: () => [],
  where: ({ inputs: [condition, a, b] }, g) => {
    const none = scalar(0)
    return [
      zeros(condition.shape),
      unbroadcast(where(condition, g, none), a.shape),
      unbroadcast(where(condition, none, g), b.shape),
    ]
  },
  addScaled: ({ inputs: [, y, scale] }, g) => [g, multiply(g, scale), sum(multiply(g, y), [-1])],

  negate: (_, g) => [negate(g)],
  exp: (y, g) => [multiply(g, y)],
  log: ({ inputs: [x] }, g) => [divide(g, x)],
  sqrt: (y, g) => [divide(multiply(g, scalar(0.5)), y)],
  reciprocal: (y, g) => [negate(multiply(g, square(y)))],
  sigmoid: (y, g) => [multiply(g, multiply(y, subtract(scalar(1), y)))],
  tanh: (y, g) => [multiply(g, subtract(scalar(1), square(y)))],
  square: ({ inputs: [x] }, g) => [multiply(g, multiply(x, scalar(2)))],
  relu: (y, g) => [where(less(scalar(0), y), g, scalar(0))],
  erf: ({ inputs: [x] }, g) => [
    multiply(g, multiply(exp(negate(square(x))), scalar(2 / Math.sqrt(Math.PI)))),
  ],
  // With the normal distribution's function P and density p: y = x P(x), so dy = P(x) + x p(x).
  gelu: ({ inputs: [x] }, g) => {
    const twice = add(erf(multiply(x, scalar(Math.SQRT1_2))), scalar(1))
    const bell = exp(multiply(square(x), scalar(-0.5)))
    const bend = multiply(multiply(x, bell), scalar(1 / Math.sqrt(2 * Math.PI)))
    return [multiply(g, add(multiply(twice, scalar(0.5)), bend))]
  },
  // With t = tanh(u): y = x (1 + t) / 2, so dy = (1 + t) / 2 + x (1 - t^2) u' / 2.
  tanhGelu: ({ inputs: [x] }, g) => {
    const c = Math.sqrt(2 / Math.PI)
    const x2 = square(x)
    const u = multiply(x, add(scalar(c), multiply(x2, scalar(c * 0.044715))))
    const t = tanh(u)
    const slope = add(scalar(c / 2), multiply(x2, scalar((c / 2) * 3 * 0.044715)))
    const bend = multiply(multiply(x, slope), subtract(scalar(1), square(t)))
    return [multiply(g, add(add(multiply(t, scalar(0.5)), scalar(0.5)), bend))]
  },
  // With s = sigmoid(x): y = x s, so dy = s + y (1 - s) = y + s (1 - y).
  silu: (y, g) => {
    const s = sigmoid(y.inputs[0])
    return [multiply(g, add(y, multiply(s, subtract(scalar(1), y))))]
  },

  matmul: matmulGradients,
  softmax: (y, g) => {
    const gy = multiply(g, y)
    return [addScaled(gy, y, negate(sum(gy, [-1])))]
  },
  logSoftmax: (y, g) => [addScaled(g, exp(y), negate(sum(g, [-1])))],
  linearCrossEntropy: ({ inputs: [x, w, targets] }, g) => {
    const [rows, vocabulary] = [x.shape[0]!, w.shape[0]!]
    const column = reshape(g, [rows, 1])
    const scaled = multiply(column, x)
    const probabilities = softmax(matmul(x, w, { transposeB: true }))
    return [
      multiply(column, linearCrossEntropySlope(x, w, targets)),
      subtract(
        matmul(probabilities, scaled, { transposeA: true }),
        scatterAdd(vocabulary, targets, scaled),
      ),
    ]
  },
  linearCrossEntropySlope: () => [],
  // y = x r w with r = inverseRms(x): dx = r (g w) - x r^3 mean(g w x).
  rmsNorm: ({ inputs: [x, w], parameters: { epsilon } }, g) => {
    const r = inverseRms(x, epsilon)
    const gw = multiply(g, w)
    const along = multiply(mean(multiply(gw, x), [-1]), multiply(r, square(r)))
    return [
      addScaled(multiply(gw, r), x, negate(along)),
      unbroadcast(multiply(g, multiply(x, r)), w.shape),
    ]
  },
  inverseRms: (r, g) => {
    const [x] = r.inputs
    const cubed = multiply(r, square(r))
    return [multiply(x, multiply(multiply(g, cubed), scalar(-1 / lastOf(x))))]
  },
  // With h = (x - mean) r, r = inverseDeviation(x): dx = r (g w - mean(g w) - h mean(g w h)).
  layerNorm: ({ inputs: [x, w, b], parameters: { epsilon } }, g) => {
    const r = inverseDeviation(x, epsilon)
    const h = multiply(subtract(x, mean(x, [-1])), r)
    const gw = multiply(g, w)
    const centred = subtract(gw, mean(gw, [-1]))
    return [
      multiply(addScaled(centred, h, negate(mean(multiply(gw, h), [-1]))), r),
      unbroadcast(multiply(g, h), w.shape),
      unbroadcast(g, b.shape),
    ]
  },
  inverseDeviation: (r, g) => {
    const [x] = r.inputs
    const cubed = multiply(r, square(r))
    const centred = subtract(x, mean(x, [-1]))
    return [multiply(centred, multiply(multiply(g, cubed), scalar(-1 / lastOf(x))))]
  },
  // A rotation: its transpose turns back.
  rotary: ({ inputs: [, positions, cosines, sines] }, g) => [
    rotary(g, positions, cosines, negate(sines)),
  ],
  cachedAttention: () => [],

  transpose: ({ parameters: { permutation } }, g) => {
    const inverse = permutation.map((_, axis) => permutation.indexOf(axis))
    return [transpose(g, inverse)]
  },
  reshape: ({ inputs: [x] }, g) => [reshape(g, x.shape)],
  expand: ({ inputs: [x] }, g) => [unbroadcast(g, x.shape)],
  slice: ({ inputs: [x], parameters: { axis, start, end } }, g) => [
    pad(g, axis, start, (x.shape[axis] ?? 0) - end),
  ],
  pad: ({ inputs: [x], parameters: { axis, before } }, g) => [
    slice(g, axis, before, before + (x.shape[axis] ?? 0)),
  ],
  concat: ({ inputs, parameters: { axis } }, g) => {
    let start = 0
    return inputs.map((x) => {
      const end = start + (x.shape[axis] ?? 0)
      const part = slice(g, axis, start, end)
      start = end
      return part
    })
  },

  sum: (y, g) => [expand(reshape(g, keptShape(y)), y.inputs[0].shape)],
  mean: (y, g) => {
    const [x] = y.inputs
    const count = sizeOf(x.shape) / sizeOf(y.shape)
    return [expand(reshape(multiply(g, scalar(1 / count)), keptShape(y)), x.shape)]
  },
  max: (y, g) => {
    const [x] = y.inputs
    const kept = keptShape(y)
    const largest = equal(x, reshape(y, kept))
    const share = divide(reshape(g, kept), sum(largest, y.parameters.axes))
    return [multiply(largest, share)]
  },

  gather: ({ inputs: [table, ids] }, g) => {
    const [rows = 1, ...row] = table.shape
    const count = sizeOf(ids.shape)
    if (rows > FEW_ROWS)
      return [scatterAdd(rows, reshape(ids, [count]), reshape(g, [count, ...row]))]
    const all = constant(
      Int32Array.from({ length: rows }, (_, id) => id),
      [rows, 1],
    )
    const isTaken = equal(all, reshape(ids, [1, count]))
    return [reshape(matmul(isTaken, reshape(g, [count, sizeOf(row)])), table.shape)]
  },
  gatherLast: ({ inputs: [x, ids] }, g) => [scatterAddLast(lastOf(x), ids, g)],
  scatterAdd: ({ inputs: [ids] }, g) => [zeros(ids.shape), gather(g, ids)],
  scatterAddLast: ({ inputs: [ids] }, g) => [zeros(ids.shape), gatherLast(g, ids)],
  topKIndices: () => [],
  argMax: () => [],

  cast: () => [],
  stopGradient: () => [],
}

/**
 * For C = A B: dA = dC B^T and dB = A^T dC, each turned to how the operand is stored. Where a batch shares one matrix B,
 * the batch is flattened into rows, so that dB is one large product instead of a sum of small ones.
 */
function matmulGradients(
  { inputs: [a, b], parameters: { transposeA, transposeB, scale } }: NodeOf<'matmul'>,
  g: Node,
): readonly Node[] {
  const da = transposeA
    ? matmul(b, g, { transposeA: transposeB, transposeB: true, scale })
    : matmul(g, b, { transposeB: !transposeB, scale })
  const shared = b.shape.length === 2 && a.shape.length > 2 && !transposeA
  const rows = shared ? reshape(a, [-1, lastOf(a)]) : a
  const rowGradients = shared ? reshape(g, [-1, lastOf(g)]) : g
  const db = transposeB
    ? matmul(rowGradients, rows, { transposeA: true, transposeB: transposeA, scale })
    : matmul(rows, rowGradients, { transposeA: !transposeA, scale })
  return [unbroadcast(da, a.shape), unbroadcast(db, b.shape)]
}

/** Undoes broadcasting: sums over the axes along which `shape` was repeated. */
function unbroadcast(g: Node, shape: Shape): Node {
  if (sameShape(g.shape, shape)) return g
  const added = g.shape.length - shape.length
  const repeated = [...g.shape.keys()].filter(
    (axis) => axis < added || (shape[axis - added] === 1 && g.shape[axis] !== 1),
  )
  return reshape(sum(g, repeated), shape)
}

/** The shape of a reduction's result, had it kept the axes. */
function keptShape({ inputs: [x], parameters: { axes } }: NodeOf<'sum' | 'mean' | 'max'>): Shape {
  return x.shape.map((dimension, axis) => (axes.includes(axis) ? 1 : dimension))
}

function lastOf(x: Node): number {
  return x.shape.at(-1) ?? 1
}
