import { concat, matmul, rebuild, slice } from './builders.ts'
import { type Node, type NodeOf, reachable } from './node.ts'

/** Products with at most this many columns are worth joining: alone they leave most of a vector register empty. */
const NARROW = 64

/**
 * The same graph with narrow products of one left operand joined: x A1^T and x A2^T become slices of x [A1; A2]^T.
 * Adapters on the projections of one block are such products; joined, forward and backward pass take a third of their
 * time. Right operands must be held values (variables, or variables joined), so that no product waits for another.
 *
 * @param roots by name; to be differentiated afterwards, so that the gradient is of the joined products
 */
export function mergeProducts<Name extends string>(
  roots: Readonly<Record<Name, Node>>,
): Readonly<Record<Name, Node>> {
  const order = reachable(Object.values<Node>(roots))
  const siblings = new Map<number, NodeOf<'matmul'>[]>()
  for (const node of order) {
    if (!isNarrow(node)) continue
    const [x] = node.inputs
    siblings.set(x.id, [...(siblings.get(x.id) ?? []), node])
  }

  const merged = new Map<Node, Node>()
  const now = (node: Node): Node => merged.get(node) ?? node
  for (const node of order) {
    if (merged.has(node)) continue
    const group = isNarrow(node) ? siblings.get(node.inputs[0].id)! : []
    const [first] = group
    if (first === undefined || group.length === 1) {
      if (node.inputs.some((operand) => merged.has(operand)))
        merged.set(node, rebuild(node, node.inputs.map(now)))
      continue
    }
    const right = concat(
      group.map(({ inputs: [, b] }) => b),
      0,
    )
    const joint = matmul(now(first.inputs[0]), right, { transposeB: true })
    let start = 0
    for (const each of group) {
      const end = start + each.shape[1]!
      merged.set(each, slice(joint, 1, start, end))
      start = end
    }
  }
  const entries = Object.entries<Node>(roots).map(([name, node]) => [name, now(node)])
  return Object.fromEntries(entries) as Record<Name, Node>
}

function isNarrow(node: Node): node is NodeOf<'matmul'> {
  if (node.operator !== 'matmul') return false
  const { transposeA, transposeB, scale } = node.parameters
  const [x, b] = node.inputs
  return (
    !transposeA &&
    transposeB &&
    scale === 1 &&
    x.shape.length === 2 &&
    b.shape.length === 2 &&
    b.shape[0]! <= NARROW &&
    isHeld(b)
  )
}

function isHeld(node: Node): boolean {
  return node.operator === 'variable' || (node.operator === 'concat' && node.inputs.every(isHeld))
}
