import { expect, it } from 'vitest'
import { sizeOf } from '#engine'
import { createModel } from '#learning/models'
import { SHAPES } from '../../bench/shapes.ts'

// As the models' cards count them: https://huggingface.co/HuggingFaceTB/SmolLM2-135M, .../Qwen/Qwen2.5-0.5B.
it.each([
  ['smollm2-135m', 134_515_008],
  ['qwen2.5-0.5b', 494_032_768],
  ['5m', 5_344_512],
])('%s has the parameters of its model', (name, count) => {
  const { parameters } = createModel(SHAPES[name]!.config)
  let total = 0
  for (const shape of parameters.values()) total += sizeOf(shape)
  expect(total).toBe(count)
})
