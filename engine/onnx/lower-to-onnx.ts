import { applyTable, type Node } from '../node.ts'
import type { Program } from '../program.ts'
import { schedule } from '../schedule.ts'
import type { WeightValue } from '../weights.ts'
import { Lowering } from './lowering.ts'
import { lowerings } from './lowerings.ts'
import type { OnnxModel } from './onnx-graph.ts'
import { onnxName } from './onnx-name.ts'

/** An encoded program, and what its outputs and updates are called among the outputs of its graph. */
export interface LoweredProgram extends OnnxModel {
  readonly outputs: ReadonlyMap<string, string>
  readonly updates: ReadonlyMap<string, string>
}

/**
 * A program as an encoded ONNX model: inputs and variables are its inputs, weights and constants its initializers,
 * outputs and updates its outputs. Besides standard operators it uses ONNX Runtime's `com.microsoft` ones for products
 * with transposed operands or blocks, rotary embedding, attention over a cache, activations and sums of scaled rows.
 */
export function lowerToOnnx(
  program: Program,
  weights: ReadonlyMap<string, WeightValue>,
): LoweredProgram {
  const nodes = schedule(program.nodes)
  const lowering = new Lowering(nodes, weights)
  for (const node of nodes) {
    const value = applyTable(lowerings, node, lowering)
    if (value !== undefined) lowering.define(node, value)
  }
  const outputs = results(program.outputs, onnxName.output, lowering)
  const updates = results(program.updates, onnxName.update, lowering)
  return { ...lowering.graph.encode(), outputs, updates }
}

function results(
  nodes: ReadonlyMap<string, Node>,
  onnx: (name: string) => string,
  lowering: Lowering,
): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const [name, node] of nodes) {
    const value = lowering.value(node)
    names.set(name, lowering.graph.addOutput(onnx(name), value, node.dtype, node.shape))
  }
  return names
}
