import { logitBlockRows } from '../live-memory.ts'
import type { Node, NodeOf } from '../node.ts'
import { lowerProduct } from './lower-product.ts'
import type { Lowering } from './lowering.ts'
import { blocksOf, lowerQuantisedGather } from './quantised-weights.ts'

type CrossEntropy = NodeOf<'linearCrossEntropy'> | NodeOf<'linearCrossEntropySlope'>

/** One block of rows: names of its values. */
interface Part {
  /** Negative log-likelihood, [m]. */
  readonly nats: string
  /** [m, H]; only where the program asks for slopes. */
  readonly slope: string | undefined
}

/** The smallest normal float32: below it a probability would be none. */
const LEAST_ODDS = 2 ** -126

/** Joins the blocks' negative log-likelihoods: [M]. */
export function lowerCrossEntropy(
  node: NodeOf<'linearCrossEntropy'> & Node,
  lowering: Lowering,
): string {
  const nats = partsOf(node, lowering).map((part) => part.nats)
  return join(node, nats, lowering)
}

/** Joins the blocks' slopes: [M, H]. */
export function lowerCrossEntropySlope(
  node: NodeOf<'linearCrossEntropySlope'> & Node,
  lowering: Lowering,
): string {
  const slopes = partsOf(node, lowering).map((part) => part.slope!)
  return join(node, slopes, lowering)
}

function join(node: Node, parts: readonly string[], lowering: Lowering): string {
  return parts.length === 1
    ? parts[0]!
    : lowering.emit(node, 'Concat', { inputs: parts, attributes: { axis: 0 } })
}

/** The blocks of these operands, made once for loss and slope together. */
function partsOf(node: CrossEntropy & Node, lowering: Lowering): readonly Part[] {
  const key = keyOf(node)
  return lowering.once(`crossEntropy:${key}`, () => {
    const withSlope = lowering.nodes.some(
      (other) => other.operator === 'linearCrossEntropySlope' && keyOf(other) === key,
    )
    return rowBlocks(node).map((range) => lowerPart(node, range, withSlope, lowering))
  })
}

function lowerPart(
  node: CrossEntropy & Node,
  [start, end]: readonly [number, number],
  withSlope: boolean,
  lowering: Lowering,
): Part {
  const [x, w, targets] = node.inputs
  const { graph } = lowering
  const at = (name: string) => `_${name}_${start}`
  const whole = start === 0 && end === x.shape[0]
  const rowsOf = (operand: Node, name: string): string =>
    whole
      ? lowering.value(operand)
      : lowering.emit(node, 'Slice', {
          inputs: [
            lowering.value(operand),
            graph.integers([start]),
            graph.integers([end]),
            graph.integers([0]),
          ],
          suffix: at(name),
        })
  const emit = (opType: string, name: string, inputs: readonly string[], attributes = {}): string =>
    lowering.emit(node, opType, { inputs, attributes, suffix: at(name) })

  const ids = rowsOf(targets, 'ids')
  const product = { node, right: w, transposeA: false, scale: 1 }
  const logits = lowerProduct(
    { ...product, left: rowsOf(x, 'rows'), transposeB: true, suffix: at('logits') },
    lowering,
  )
  const column = emit('Reshape', 'column', [ids, graph.integers([end - start, 1])])
  const chosenOf = (values: string): string =>
    emit('GatherElements', 'chosen', [values, column], { axis: -1 })
  const flat = graph.integers([end - start])
  if (!withSlope) {
    const nats = emit('Neg', 'nats', [chosenOf(emit('LogSoftmax', 'logs', [logits], { axis: -1 }))])
    return { nats: emit('Reshape', 'loss', [nats, flat]), slope: undefined }
  }

  // The slope needs probabilities, and the loss is read off them: logarithms of all would be two more passes.
  const odds = emit('Softmax', 'odds', [logits], { axis: -1 })
  const least = lowering.once('leastOdds', () =>
    graph.addInitializer('leastOdds', Float32Array.of(LEAST_ODDS), []),
  )
  const log = emit('Log', 'log', [emit('Max', 'kept', [chosenOf(odds), least])])
  const nats = emit('Neg', 'nats', [log])
  const mixed = lowerProduct(
    { ...product, left: odds, transposeB: false, suffix: at('mixed') },
    lowering,
  )
  const slope = emit('Sub', 'slope', [mixed, targetRows(node, ids, at('targets'), lowering)])
  // The loss waits for the slope, by adding none of it: otherwise the runtime takes all blocks' losses first and keeps
  // the logits of every block for the slopes.
  const one = emit('Slice', 'one', [
    slope,
    graph.integers([0]),
    graph.integers([1]),
    graph.integers([1]),
  ])
  const after = emit('Add', 'after', [nats, emit('Mul', 'none', [one, lowering.zero()])])
  return { nats: emit('Reshape', 'loss', [after, flat]), slope }
}

/** w[ids], [m, H]. */
function targetRows(
  node: CrossEntropy & Node,
  ids: string,
  suffix: string,
  lowering: Lowering,
): string {
  const w = node.inputs[1]
  const blocks = blocksOf(w, lowering)
  if (blocks) return lowerQuantisedGather({ node, table: w, ids, suffix }, blocks, lowering)
  return lowering.emit(node, 'Gather', { inputs: [lowering.value(w), ids], suffix })
}

/** Equal blocks of rows, as few as their logits' memory allows. */
function rowBlocks({ inputs: [x, w] }: CrossEntropy): readonly (readonly [number, number])[] {
  const rows = x.shape[0]!
  const size = logitBlockRows(rows, w)
  const blocks: [number, number][] = []
  for (let start = 0; start < rows; start += size)
    blocks.push([start, Math.min(rows, start + size)])
  return blocks
}

function keyOf({ inputs: [x, w, targets] }: CrossEntropy): string {
  return `${x.id},${w.id},${targets.id}`
}
