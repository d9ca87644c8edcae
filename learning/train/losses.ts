import {
  add,
  divide,
  exp,
  gather,
  gatherLast,
  input,
  less,
  linearCrossEntropy,
  log,
  logSoftmax,
  maximum,
  multiply,
  type Node,
  negate,
  reshape,
  scalar,
  scatterAdd,
  sizeOf,
  stopGradient,
  subtract,
  sum,
} from '#engine'

const SMALLEST = 1e-9

/**
 * Negative log-likelihood, in nats, of `targets [M]` under `logits [M, V]`: [M]. Where the logits are a product by a
 * frozen head, and nobody else reads them, they are never held as a whole.
 */
export function rowCrossEntropy(logits: Node, targets: Node): Node {
  if (logits.operator === 'matmul') {
    const [states, head] = logits.inputs
    const { transposeA, transposeB, scale } = logits.parameters
    if (head.operator === 'weight' && transposeB && !transposeA && scale === 1)
      return linearCrossEntropy(states, head, targets)
  }
  return chosenCrossEntropy(logProbabilities(logits, 1), targets)
}

/** The same from logarithms of probabilities that are held anyway, `logs [M, V]`. */
export function chosenCrossEntropy(logs: Node, targets: Node): Node {
  const rows = logs.shape[0]!
  return negate(reshape(gatherLast(logs, reshape(targets, [rows, 1])), [rows]))
}

/** `log(softmax(logits / temperature))` over the last axis. */
export function logProbabilities(logits: Node, temperature: number): Node {
  return logSoftmax(temperature === 1 ? logits : multiply(logits, scalar(1 / temperature)))
}

/**
 * `logs [M, V]` as [M * V, 1]. All losses that read elements of it read this one node: their gradients are then one
 * scatter, where each alone would be a matrix of [M, V] to add to the others'.
 */
export function flatten(logs: Node): Node {
  return reshape(logs, [sizeOf(logs.shape), 1])
}

/** Negative log-likelihood from `flatLogs [M * V, 1]` at `flatTargets [M]`, row * V + target: [M]. */
export function flatCrossEntropy(flatLogs: Node, flatTargets: Node): Node {
  return negate(reshape(gather(flatLogs, flatTargets), flatTargets.shape))
}

/** `sum(values * weights) / sum(weights)` over [M]; 0 where nothing is weighted. */
export function weightedMean(values: Node, weights: Node): Node {
  return divide(total(multiply(values, weights)), maximum(total(weights), scalar(SMALLEST)))
}

function total(x: Node): Node {
  return sum(x, [0], { keepDims: false })
}

/** Adds up `values [M]` by slot: `slots [M]` in 0..count-1 -> [count]. */
export function sumBySlot(values: Node, slots: Node, count: number): Node {
  return reshape(scatterAdd(count, slots, reshape(values, [values.shape[0]!, 1])), [count])
}

/** What a knowledge-distillation loss is fed: the teacher's top-k per row, and where its tokens lie in the student's vocabulary. */
export interface TeacherInputs {
  /** `[N]` int32: row * V + student token. */
  readonly flatIndex: Node
  /** `[N]`: entry of the vocabulary projection. */
  readonly weight: Node
  /** `[N]` int32: row * K + k. */
  readonly slot: Node
  /** `[M, K]`: the teacher's probabilities at the temperature. */
  readonly teacher: Node
  /** `[M]`: the teacher's remaining probability. */
  readonly tail: Node
  /** `[M]`: 1 where the teacher has something to say at this row. */
  readonly rowWeight: Node
}

/** Declares the inputs of {@link projectedKl} under the names that `SparseTargets` of `#learning/align` has. */
export function teacherInputs(rows: number, topK: number, entries: number): TeacherInputs {
  return {
    flatIndex: input('flatIndex', [entries], 'int32'),
    weight: input('weight', [entries]),
    slot: input('slot', [entries], 'int32'),
    teacher: input('teacher', [rows, topK]),
    tail: input('tail', [rows]),
    rowWeight: input('kdRowWeight', [rows]),
  }
}

/**
 * `T^2 KL(p_teacher || p_student W)` by row, on the teacher's top-k and one bucket for the rest: [M].
 * W is sparse and row-stochastic (X-Token, arXiv 2605.21699): slot k of a row gathers the student's mass that projects on the
 * teacher's k-th token. Reverse mode through it is the closed form of docs/co-tuning.md.
 *
 * @param flatLogs `[M * V, 1]`, logarithms of the student's probabilities at the temperature
 */
export function projectedKl(flatLogs: Node, teacher: TeacherInputs, temperature: number): Node {
  const [rows, topK] = teacher.teacher.shape as [number, number]
  const entries = teacher.flatIndex.shape[0]!
  const picked = exp(gather(flatLogs, teacher.flatIndex))
  const weighted = multiply(picked, reshape(teacher.weight, [entries, 1]))
  const slots = reshape(scatterAdd(rows * topK, teacher.slot, weighted), [rows, topK])
  const rest = subtract(scalar(1), sum(slots, [1], { keepDims: false }))
  const onSlots = sum(divergence(teacher.teacher, slots), [1], { keepDims: false })
  return multiply(add(onSlots, divergence(teacher.tail, rest)), scalar(temperature ** 2))
}

/** `p log(p / q)`, element-wise, 0 where p is 0. */
function divergence(p: Node, q: Node): Node {
  const floor = scalar(SMALLEST)
  return multiply(p, subtract(log(maximum(p, floor)), log(maximum(q, floor))))
}

/**
 * The gate of mutual learning (FedMKT's DualMinCE, arXiv 2406.02224, per example): 1 on the rows of the examples on which the
 * teacher is better than the student, compared in nats per UTF-8 byte of the answer, because tokens of two tokenizers are not
 * comparable. No gradient flows through it.
 *
 * @param nll `[M]` student's loss by row, with `mask [M]`
 * @param rowExample `[M]` int32 slot of the row's example
 * @param teacherNats `[X]` the teacher's nats per byte of each example
 * @param bytes `[X]` answer bytes of each example
 * @returns `[M]` of 0 and 1
 */
export function teacherIsBetter(
  nll: Node,
  mask: Node,
  rowExample: Node,
  teacherNats: Node,
  bytes: Node,
): Node {
  const examples = bytes.shape[0]!
  const nats = sumBySlot(stopGradient(multiply(nll, mask)), rowExample, examples)
  const studentNats = divide(nats, maximum(bytes, scalar(1)))
  const gate = reshape(less(teacherNats, studentNats), [examples, 1])
  return stopGradient(reshape(gather(gate, rowExample), [rowExample.shape[0]!]))
}
