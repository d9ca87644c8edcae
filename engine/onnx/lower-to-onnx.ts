import { applyTable } from '../node.ts'
import type { Program } from '../program.ts'
import type { WeightValue } from '../weights.ts'
import { Lowering, onnxName } from './lowering.ts'
import { lowerings } from './lowerings.ts'
import type { OnnxModel } from './onnx-graph.ts'

/**
 * A program as an encoded ONNX model: inputs and variables are its inputs, weights and constants its initializers,
 * outputs and updates its outputs. Besides standard operators it uses ONNX Runtime's `com.microsoft` ones for products
 * with transposed operands, rotary embedding and activations.
 */
export function lowerToOnnx(
  program: Program,
  weights: ReadonlyMap<string, WeightValue>,
): OnnxModel {
  const lowering = new Lowering(weights)
  for (const node of program.nodes) {
    const value = applyTable(lowerings, node, lowering)
    if (value !== undefined) lowering.define(node, value)
  }
  for (const [name, node] of program.outputs) {
    lowering.graph.addOutput(onnxName.output(name), lowering.value(node), node.dtype, node.shape)
  }
  for (const [name, node] of program.updates) {
    lowering.graph.addOutput(onnxName.update(name), lowering.value(node), node.dtype, node.shape)
  }
  return lowering.graph.encode()
}
