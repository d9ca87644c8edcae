import { describeNode, type Node } from './node.ts'
import type { Program } from './program.ts'

/** Parameters that `describeNode` has said. */
const SAID: ReadonlySet<string> = new Set(['name', 'shape', 'dtype'])

/** `%12 matmul [8,64] (%3, %11) transposeB=true`. */
export function printNode(node: Node): string {
  const operands =
    node.inputs.length > 0 ? ` (${node.inputs.map((x) => `%${x.id}`).join(', ')})` : ''
  const parameters = Object.entries(node.parameters)
    .filter(
      ([key, value]) =>
        !SAID.has(key) &&
        value !== false &&
        !(key === 'scale' && value === 1) &&
        value !== 'float32',
    )
    .map(([key, value]) => ` ${key}=${printValue(value)}`)
  return `${describeNode(node)}${operands}${parameters.join('')}`
}

/** A program for reading: one line a node, then what it returns and what it updates. */
export function printProgram(program: Program): string {
  const lines = program.nodes.map(printNode)
  for (const [name, node] of program.outputs) lines.push(`output "${name}" = %${node.id}`)
  for (const [name, node] of program.updates) lines.push(`update "${name}" = %${node.id}`)
  return lines.join('\n')
}

function printValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value}]`
  if (value instanceof Float32Array || value instanceof Int32Array)
    return value.length > 4 ? `[${value.subarray(0, 4)},... ${value.length}]` : `[${value}]`
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
