import { type Tensor, tensor } from '#engine'
import type { CausalModel } from '#learning/models'
import {
  type AdapterWeights,
  checkAdapter,
  type LoraSpec,
  loraA,
  loraB,
  targetsOf,
} from './adapter.ts'

/**
 * The weights with the adapter folded in, W + B A * alpha / rank; layers without an adapter are shared, not copied.
 *
 * @throws CotuneError LORA_ADAPTER_MISMATCH
 */
export function mergeAdapter(
  model: CausalModel,
  weights: ReadonlyMap<string, Tensor>,
  spec: LoraSpec,
  adapter: AdapterWeights,
): ReadonlyMap<string, Tensor> {
  checkAdapter(model, spec, adapter)
  const merged = new Map(weights)
  for (const { name, inputSize, outputSize, layout } of targetsOf(model, spec)) {
    const weight = weights.get(`${name}.weight`)!
    const a = adapter.get(loraA(name))!.data
    const b = adapter.get(loraB(name))!.data
    const out = Float32Array.from(weight.data)
    const [rowStride, columnStride] = layout === 'output-input' ? [inputSize, 1] : [1, outputSize]
    for (let row = 0; row < outputSize; row++)
      for (let k = 0; k < spec.rank; k++) {
        const factor = (b[row * spec.rank + k]! * spec.alpha) / spec.rank
        for (let column = 0; column < inputSize; column++) {
          const at = row * rowStride + column * columnStride
          out[at] = out[at]! + factor * a[k * inputSize + column]!
        }
      }
    merged.set(`${name}.weight`, tensor(out, weight.shape))
  }
  return merged
}
