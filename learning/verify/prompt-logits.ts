import {
  constant,
  createProgram,
  type Executor,
  gather,
  input,
  tensor,
  type WeightValue,
} from '#engine'
import { type Checkpoint, frozenScope } from '#learning/models'

/** Runs one prompt alone, without a cache or padding: the logits at each of `positions`, [vocabularySize] each. */
export async function promptLogits(
  { model, weights }: Pick<Checkpoint<WeightValue>, 'model' | 'weights'>,
  executor: Executor,
  prompt: readonly number[],
  positions: readonly number[],
): Promise<readonly Float32Array[]> {
  const shape = [1, prompt.length]
  // One scope, so that a tied head shares its node with the embedding.
  const scope = frozenScope()
  const counting = Int32Array.from(prompt, (_, i) => i)
  const { states } = model.hidden(
    // No input: a model may have no use for positions, SmolLM3 if no layer of it rotates.
    { tokens: input('tokens', shape, 'int32'), positions: constant(counting, shape) },
    scope,
  )
  const rows = gather(states, input('rows', [positions.length], 'int32'))
  const program = createProgram({ outputs: { logits: model.logits(rows, scope) } })
  const session = await executor.compile(program, { weights })
  try {
    const { logits } = await session.run({
      tokens: tensor(Int32Array.from(prompt), shape),
      rows: tensor(Int32Array.from(positions), [positions.length]),
    })
    const data = logits!.data as Float32Array
    const width = model.config.vocabularySize
    return positions.map((_, i) => data.subarray(i * width, (i + 1) * width))
  } finally {
    await session.close()
  }
}
