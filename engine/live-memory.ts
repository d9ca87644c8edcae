import { cut, type Range } from '#base'
import type { Node } from './node.ts'
import type { Program } from './program.ts'
import { schedule } from './schedule.ts'
import { sizeOf } from './tensor.ts'

/**
 * Logits of `linearCrossEntropy` are made a block at a time. A frozen head is cut into columns of the vocabulary, few enough for a
 * processor's cache, and read once for loss and slope. A trained one is made and packed anew for each block and is therefore
 * kept whole: its blocks are of rows.
 */
const LOGIT_BLOCK_BYTES = { frozen: 8 * 2 ** 20, trained: 128 * 2 ** 20 }
/** Ranges of rows and of a head of floats begin at multiples of it; those of a head in blocks at chunks. */
const STEP = 16

/** Operators whose result lies in the memory of their operand. */
const VIEWS: ReadonlySet<string> = new Set(['reshape', 'stopGradient'])
/** Operators whose kernels write over their operand where nothing reads it afterwards; measured. */
const IN_PLACE: ReadonlySet<string> = new Set(['softmax', 'logSoftmax', 'sigmoid', 'tanh', 'relu'])
const LEAVES: ReadonlySet<string> = new Set(['input', 'weight', 'variable', 'constant'])

/**
 * The most bytes that values of a run take at once, its results included, leaves not: by going through the program in
 * the order in which ONNX Runtime does, and dropping each value after its last reader. What the runtime's kernels need
 * beside it, and what its allocator cannot fill, comes on top.
 */
export function peakLiveBytes(program: Program): number {
  const order = executionOrder(program)
  const owner = new Map<Node, Node>()
  const ownerOf = (node: Node): Node => owner.get(node) ?? node
  const lastRead = new Map<Node, number>()
  for (const [position, node] of order.entries()) {
    if (VIEWS.has(node.operator)) owner.set(node, ownerOf(node.inputs[0]!))
    for (const operand of [node, ...node.inputs]) lastRead.set(ownerOf(operand), position)
  }
  for (const node of resultsOf(program)) lastRead.set(ownerOf(node), order.length)

  const ends: Node[][] = order.map(() => [])
  for (const [node, position] of lastRead) ends[position]?.push(node)
  let live = 0
  let peak = 0
  for (const [position, node] of order.entries()) {
    if (takesMemory(node)) live += bytesOf(node)
    const ended = ends[position]!.filter(takesMemory)
    const isInPlace = IN_PLACE.has(node.operator) && ended.includes(ownerOf(node.inputs[0]!))
    peak = Math.max(peak, live + passingBytes(node) - (isInPlace ? bytesOf(node) : 0))
    for (const each of ended) live -= bytesOf(each)
  }
  return peak
}

/** Blocks of the logits of `rows` rows: each of these rows by each of these columns. */
export function logitBlocks(
  rows: number,
  head: Node,
): { readonly rows: readonly Range[]; readonly columns: readonly Range[] } {
  const columns = head.shape[0]!
  const { frozen, trained } = LOGIT_BLOCK_BYTES
  if (head.operator !== 'weight')
    return { rows: equalRanges(rows, trained / (4 * columns), STEP), columns: [[0, columns]] }
  const { format } = head.parameters
  const step = format === 'float32' ? STEP : (format.chunkRows ?? columns)
  return { rows: [[0, rows]], columns: equalRanges(columns, frozen / (4 * rows), step) }
}

/** As few equal ranges as hold at most `most` each, or one step where that is more. */
function equalRanges(count: number, most: number, step: number): readonly Range[] {
  const largest = Math.max(step, floorTo(step, most))
  return cut(count, ceilTo(step, count / Math.ceil(count / largest)))
}

function ceilTo(step: number, value: number): number {
  return Math.ceil(value / step) * step
}

function floorTo(step: number, value: number): number {
  return Math.floor(value / step) * step
}

/** Depth first from the results, the earliest first: what `lowerToOnnx` makes ONNX Runtime do. */
function executionOrder(program: Program): readonly Node[] {
  const rank = new Map<Node, number>()
  for (const [position, node] of schedule(program.nodes).entries()) rank.set(node, position)
  const byRank = (a: Node, b: Node) => rank.get(b)! - rank.get(a)!
  const order: Node[] = []
  const seen = new Set<Node>()
  const stack = [...new Set(resultsOf(program))].sort(byRank).map((node) => ({ node, left: false }))
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    if (top.left) order.push(top.node)
    else if (!seen.has(top.node)) {
      seen.add(top.node)
      stack.push({ node: top.node, left: true })
      const operands = [...top.node.inputs].filter((operand) => !seen.has(operand)).sort(byRank)
      for (const node of operands) stack.push({ node, left: false })
    }
  }
  return order
}

function resultsOf({ outputs, updates }: Program): readonly Node[] {
  return [...outputs.values(), ...updates.values()]
}

function takesMemory(node: Node): boolean {
  return !VIEWS.has(node.operator) && !LEAVES.has(node.operator)
}

function bytesOf(node: Node): number {
  return 4 * sizeOf(node.shape)
}

/** What an operator needs while it runs. Probabilities are written over their logits. */
function passingBytes(node: Node): number {
  if (node.operator !== 'linearCrossEntropy') return 0
  const [x, w] = node.inputs
  const { rows, columns } = logitBlocks(x.shape[0]!, w)
  const [height, width] = [rows, columns].map(([[start, end] = [0, 0]]) => end - start)
  return 4 * height! * (width! + 3 * w.shape[1]!)
}
