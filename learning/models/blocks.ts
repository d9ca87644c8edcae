import { add, gather, matmul, type Node, reshape } from '#engine'
import type { Linear, ParameterScope } from './causal-model.ts'

/** A linear layer with its optional bias and whatever adapters the scope hangs on it: x [N, input] -> [N, output]. */
export function linear(
  x: Node,
  layer: Linear,
  scope: ParameterScope,
  { bias }: { readonly bias: boolean },
): Node {
  const { name, inputSize, outputSize, layout } = layer
  const transposeB = layout === 'output-input'
  const shape = transposeB ? [outputSize, inputSize] : [inputSize, outputSize]
  const weight = scope.parameter(`${name}.weight`, shape)
  let y = matmul(x, weight, { transposeB })
  if (bias) y = add(y, scope.parameter(`${name}.bias`, [outputSize]))
  const adapted = scope.linear?.(name, x)
  return adapted === undefined ? y : add(y, adapted)
}

/** Rows of an embedding for ids [B, S], as one long list of tokens [B * S, D]. */
export function embed(table: Node, ids: Node): Node {
  const tokens = ids.shape.reduce((product, size) => product * size, 1)
  return gather(table, reshape(ids, [tokens]))
}
