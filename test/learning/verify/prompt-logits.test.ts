import { expect, it } from 'vitest'
import { createExecutor } from '#engine'
import { promptLogits } from '../../../learning/verify/prompt-logits.ts'
import { forward } from '../models/forward.ts'
import { randomModel } from '../models/random-model.ts'
import { TINY } from '../models/tiny-models.ts'

it('a model that has no use for positions is read as well', async () => {
  const unrotated = { ...TINY.smollm3, no_rope_layers: [0, 0] }
  const { model, weights } = randomModel(unrotated, 'prompt logits')
  const prompt = [3, 1, 4, 1, 5]
  const executor = createExecutor('onnxruntime', { threads: 1 })
  const [rows] = await forward({ model, weights, tokens: [prompt] })
  const found = await promptLogits({ model, weights }, executor, prompt, [4, 0])
  expect(found).toEqual([rows![4], rows![0]])
})
