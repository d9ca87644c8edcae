import type { Node, NodeOf } from '../node.ts'
import type { Lowering } from './lowering.ts'

type Slice = NodeOf<'slice'>

/** Slices that share out one axis of an operand become one `Split`: each ONNX node costs time of its own. */
export function lowerSlice(node: Slice, lowering: Lowering): string {
  const { graph } = lowering
  const [x] = node.inputs
  const { axis, start, end } = node.parameters
  const parts = lowering.once('shared out', () => sharedOut(lowering.nodes)).get(x)
  if (parts === undefined || parts[0]?.parameters.axis !== axis) {
    const bounds = [[start], [end], [axis]].map((values) => graph.integers(values))
    return lowering.emit(node, 'Slice', { inputs: [lowering.value(x), ...bounds] })
  }
  return lowering
    .once(`split:${x.id}`, () => {
      const names = new Map(parts.map((part) => [part, `slice_${part.id}`]))
      const sizes = parts.map(({ parameters }) => parameters.end - parameters.start)
      const inputs = [lowering.value(x), graph.integers(sizes)]
      graph.addNode('Split', inputs, [...names.values()], { axis })
      return names
    })
    .get(node)!
}

/** By operand: its slices in order, where together they are all of it, each part once. */
function sharedOut(nodes: readonly Node[]): ReadonlyMap<Node, readonly Slice[]> {
  const slices = new Map<Node, Slice[]>()
  for (const node of nodes) {
    if (node.operator !== 'slice') continue
    const [x] = node.inputs
    slices.set(x, [...(slices.get(x) ?? []), node])
  }
  const shared = new Map<Node, readonly Slice[]>()
  for (const [x, parts] of slices) {
    const ordered = parts.sort((a, b) => a.parameters.start - b.parameters.start)
    const { axis } = ordered[0]!.parameters
    const isWhole = ordered.every(
      ({ parameters }, i) =>
        parameters.axis === axis && parameters.start === (ordered[i - 1]?.parameters.end ?? 0),
    )
    if (ordered.length > 1 && isWhole && ordered.at(-1)!.parameters.end === x.shape[axis])
      shared.set(x, ordered)
  }
  return shared
}
