import { rebuild } from './builders.ts'
import { type Node, type Operator, reachable } from './node.ts'

/**
 * What the backward pass makes again instead of keeping (gradient checkpointing; Chen et al. 2016, arXiv 1604.06174):
 *
 * - `none`: nothing.
 * - `activations`: normalisations, activation functions and attention weights, from values that are kept anyway. A few per
 *   cent of a step's time for almost half of what it keeps.
 * - `layers`: everything between the points that all of the forward pass flows through, the residual stream. A fifth more
 *   time; what is kept hardly grows with the number of layers.
 */
export type Recompute = 'none' | 'activations' | 'layers'

/** Operators whose results cost one or two passes over memory. */
const CHEAP: ReadonlySet<Operator> = new Set([
  'rmsNorm',
  'layerNorm',
  'silu',
  'gelu',
  'relu',
  'multiply',
])

/** What, on tensors of four axes, makes attention weights of queries and keys. */
const ATTENTION: ReadonlySet<Operator> = new Set([
  'slice',
  'matmul',
  'softmax',
  'add',
  'tanh',
  'reshape',
])

/**
 * Rewrites `roots`, computed from gradients of `loss`, so that they read values of the forward pass that are made again.
 * The forward pass itself stays as it is.
 *
 * @returns what stands for each root from now on
 */
export function recompute(
  loss: Node,
  roots: Iterable<Node>,
  mode: Recompute,
): ReadonlyMap<Node, Node> {
  const forward = reachable([loss])
  const inForward = new Set(forward)
  const again = chosen(forward, mode)
  const clones = new Map<Node, Node>()
  for (const node of forward) {
    if (!again.has(node)) continue
    const operands = node.inputs.map((x) => clones.get(x) ?? x)
    clones.set(node, rebuild(node, operands))
  }
  const rewritten = new Map<Node, Node>()
  for (const node of reachable(roots)) {
    const operands = inForward.has(node)
      ? node.inputs
      : node.inputs.map((x) => clones.get(x) ?? rewritten.get(x) ?? x)
    const same = operands.every((operand, index) => operand === node.inputs[index])
    rewritten.set(node, same ? node : rebuild(node, operands))
  }
  return rewritten
}

function chosen(forward: readonly Node[], mode: Recompute): ReadonlySet<Node> {
  if (mode === 'none') return new Set()
  return mode === 'layers' ? betweenCuts(forward) : new Set(forward.filter(isCheap))
}

function isCheap({ operator, shape }: Node): boolean {
  return CHEAP.has(operator) || (shape.length === 4 && ATTENTION.has(operator))
}

/**
 * All values made from parameters, but for the cuts: values that every path from parameters to the loss passes. What
 * depends on inputs only (masks, positions) is shared by the layers and kept.
 */
function betweenCuts(forward: readonly Node[]): ReadonlySet<Node> {
  const made = new Set<Node>()
  for (const node of forward) {
    if (node.inputs.some((x) => made.has(x) || isParameter(x))) made.add(node)
  }
  const order = [...made]
  const lastRead = new Map<Node, number>()
  for (const [position, node] of order.entries())
    for (const operand of node.inputs) if (made.has(operand)) lastRead.set(operand, position)

  const between = new Set<Node>()
  let openUntil = 0
  for (const [position, node] of order.entries()) {
    // Something older is read later: this value is not all there is.
    if (openUntil > position) between.add(node)
    openUntil = Math.max(openUntil, lastRead.get(node) ?? 0)
  }
  return between
}

function isParameter({ operator }: Node): boolean {
  return operator === 'weight' || operator === 'variable'
}
