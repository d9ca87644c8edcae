import { CotuneError } from '#base'
import { requireFixed } from './dynamic-sizes.ts'
import { describeNode, type Node } from './node.ts'
import { printNode } from './print.ts'
import type { Program } from './program.ts'
import { inferType } from './shapes.ts'
import { sameShape, sizeOf } from './tensor.ts'

/**
 * Holds a program against what every pass relies on: operands come before their readers, dtypes and shapes are what
 * the rules say, constants are as long as their shape, updates match their variables.
 *
 * @throws ENGINE_PROGRAM_INVALID with the offending node printed; ENGINE_DYNAMIC_SIZE for a weight or variable of a dynamic size.
 */
export function verify(program: Program): void {
  const known = new Set<Node>()
  for (const node of program.nodes) {
    for (const operand of node.inputs) {
      if (!known.has(operand)) fail(node, `reads ${describeNode(operand)}, which comes later`)
    }
    const { dtype, shape } = inferType(node)
    if (dtype !== node.dtype || !sameShape(shape, node.shape)) {
      fail(node, `should be ${dtype} [${shape}]`)
    }
    if (node.operator === 'constant' && node.parameters.data.length !== sizeOf(shape)) {
      fail(node, `holds ${node.parameters.data.length} values`)
    }
    if (node.operator === 'weight' || node.operator === 'variable') requireFixed(node, shape)
    known.add(node)
  }
  for (const [name, update] of program.updates) {
    const variable = program.variables.get(name)
    if (!variable) fail(update, `updates "${name}", which is no variable of the program`)
    if (update.dtype !== 'float32' || !sameShape(update.shape, variable.shape)) {
      fail(update, `updates ${describeNode(variable)}`)
    }
  }
}

function fail(node: Node, reason: string): never {
  throw new CotuneError('ENGINE_PROGRAM_INVALID', `${printNode(node)}: ${reason}`, {
    hint: 'Find where this node is built; printProgram shows the whole program.',
  })
}
