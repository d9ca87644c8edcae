import { createProgram } from './create-program.ts'
import { type BoundSizes, boundShape } from './dynamic-sizes.ts'
import type { Node } from './node.ts'
import type { Program } from './program.ts'

/** The same program with sizes put in for the dynamic ones. */
export function bindSizes(program: Program, sizes: BoundSizes): Program {
  const bound = new Map<Node, Node>()
  const of = (node: Node): Node => bound.get(node) ?? node
  for (const node of program.nodes) {
    const { parameters } = node
    const copy = {
      ...node,
      inputs: node.inputs.map(of),
      shape: boundShape(node.shape, sizes),
      parameters:
        'shape' in parameters
          ? { ...parameters, shape: boundShape(parameters.shape, sizes) }
          : parameters,
    }
    bound.set(node, Object.freeze(copy) as unknown as Node)
  }
  const all = (nodes: ReadonlyMap<string, Node>) =>
    Object.fromEntries([...nodes].map(([name, node]) => [name, of(node)]))
  return createProgram({ outputs: all(program.outputs), updates: all(program.updates) })
}
