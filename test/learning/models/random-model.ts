import { createRandom } from '#base'
import { type Tensor, tensor } from '#engine'
import { type CausalModel, createModel, type HfConfig } from '#learning/models'

/** A model whose every parameter is normal, biases and normalisation too, large enough that logits differ clearly. */
export function randomModel(
  config: HfConfig,
  seed: string,
): { model: CausalModel; weights: ReadonlyMap<string, Tensor> } {
  const model = createModel(config)
  const random = createRandom(seed)
  const weights = new Map<string, Tensor>()
  for (const [name, shape] of model.parameters) {
    const size = shape.reduce((product, n) => product * n, 1)
    const around = /(norm|ln_1|ln_2|ln_f)\.weight$/.test(name) ? 1 : 0
    weights.set(
      name,
      tensor(
        Float32Array.from({ length: size }, () => around + 0.3 * random.normal()),
        shape,
      ),
    )
  }
  return { model, weights }
}
