import type { Node } from './node.ts'

/**
 * The same nodes by how early they can run: the length of the longest path from a leaf, then age. A topological order.
 *
 * A runtime that computes what is needed last-minute and, among the operands of a node, those first that come first
 * here, keeps few values alive in a training step: the backward pass goes through the layers from the last to the
 * first, and each weight's gradient is taken when its layer is passed, not when the optimiser asks for it.
 */
export function schedule(nodes: readonly Node[]): readonly Node[] {
  const depth = new Map<Node, number>()
  for (const node of nodes) {
    let deepest = 0
    for (const operand of node.inputs) deepest = Math.max(deepest, depth.get(operand)! + 1)
    depth.set(node, deepest)
  }
  return [...nodes].sort((a, b) => depth.get(a)! - depth.get(b)! || a.id - b.id)
}
