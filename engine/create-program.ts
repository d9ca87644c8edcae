import { CotuneError } from '#base'
import { describeNode, type Node, type NodeOf, type Operator, reachable } from './node.ts'
import type { Program, ProgramInit } from './program.ts'
import { verify } from './verify.ts'

/**
 * Prunes and verifies a graph.
 *
 * @throws ENGINE_PROGRAM_INVALID for two leaves of one name, an update of no variable or of another shape.
 */
export function createProgram(init: ProgramInit): Program {
  const outputs = new Map(Object.entries(init.outputs))
  const updates = new Map(Object.entries(init.updates ?? {}))
  const nodes = reachable([...outputs.values(), ...updates.values()])
  const program = {
    outputs,
    updates,
    nodes,
    inputs: leaves(nodes, 'input'),
    weights: leaves(nodes, 'weight'),
    variables: leaves(nodes, 'variable'),
  }
  verify(program)
  return program
}

function leaves<K extends 'input' | 'weight' | 'variable'>(
  nodes: readonly Node[],
  operator: K,
): ReadonlyMap<string, NodeOf<K>> {
  const byName = new Map<string, NodeOf<K> & Node>()
  for (const node of nodes) {
    if (!isOf(node, operator)) continue
    const { name } = node.parameters
    const other = byName.get(name)
    if (other) {
      throw new CotuneError(
        'ENGINE_PROGRAM_INVALID',
        `two leaves are called "${name}": ${describeNode(other)} and ${describeNode(node)}`,
        { hint: 'Build a leaf once and share the node.' },
      )
    }
    byName.set(name, node)
  }
  return byName
}

function isOf<K extends Operator>(node: Node, operator: K): node is NodeOf<K> & Node {
  return node.operator === operator
}
