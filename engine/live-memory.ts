import type { Node } from './node.ts'
import type { Program } from './program.ts'
import { schedule } from './schedule.ts'
import { sizeOf } from './tensor.ts'

/**
 * Logits of `linearCrossEntropy` are held twice, as logarithms and as probabilities, a block of rows at a time. A head of
 * floats is packed anew for each block, which costs as much as some forty rows: it gets larger ones.
 */
const LOGIT_BLOCK_BYTES = { floats: 128 * 2 ** 20, packed: 32 * 2 ** 20 }
const ROW_STEP = 16

/** Operators whose result lies in the memory of their operand. */
const VIEWS: ReadonlySet<string> = new Set(['reshape', 'stopGradient'])
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
    peak = Math.max(peak, live + passingBytes(node))
    for (const ended of ends[position]!) if (takesMemory(ended)) live -= bytesOf(ended)
  }
  return peak
}

/** Rows of one block of the logits of `rows` rows. */
export function logitBlockRows(rows: number, head: Node): number {
  const isPacked = head.operator === 'weight' && head.parameters.format !== 'float32'
  const bytes = LOGIT_BLOCK_BYTES[isPacked ? 'packed' : 'floats']
  const most = Math.max(1, Math.floor(bytes / (4 * head.shape[0]! * ROW_STEP))) * ROW_STEP
  const count = Math.ceil(rows / most)
  return Math.ceil(rows / count / ROW_STEP) * ROW_STEP
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

/** What an operator needs while it runs. */
function passingBytes(node: Node): number {
  if (node.operator !== 'linearCrossEntropy') return 0
  const [x, w] = node.inputs
  return 2 * 4 * w.shape[0]! * logitBlockRows(x.shape[0]!, w)
}
