import type { Random } from '#base'
import { sizeOf, type Tensor, tensor } from '#engine'
import type { CausalModel } from './causal-model.ts'

/** The standard deviation GPT-2 draws its weights with. */
const DEVIATION = 0.02

/**
 * Weights to train from scratch, as GPT-2's (Radford et al. 2019, section 2.3): normal with deviation 0.02, the
 * projections into the residual stream scaled by 1 / sqrt(2 layers); normalisation weights 1, biases 0.
 * Parameters are drawn in the order of the model's own table, each from its own stream.
 */
export function initialise(model: CausalModel, random: Random): ReadonlyMap<string, Tensor> {
  const residual = DEVIATION / Math.sqrt(2 * model.config.layers)
  const weights = new Map<string, Tensor>()
  for (const [name, shape] of model.parameters) {
    const values = new Float32Array(sizeOf(shape))
    // Gemma's are differences from 1.
    if (isNormWeight(name)) values.fill(model.family === 'gemma2' ? 0 : 1)
    else if (!name.endsWith('.bias')) {
      const deviation = RESIDUAL_PROJECTION.test(name) ? residual : DEVIATION
      const stream = random.fork(name)
      for (let i = 0; i < values.length; i++) values[i] = deviation * stream.normal()
    }
    weights.set(name, tensor(values, shape))
  }
  return weights
}

const RESIDUAL_PROJECTION = /\.(o_proj|down_proj|c_proj|out_proj|dense|dense_4h_to_h|fc2)\.weight$/

function isNormWeight(name: string): boolean {
  return /(norm|ln_1|ln_2|ln_f)\.weight$/.test(name)
}
