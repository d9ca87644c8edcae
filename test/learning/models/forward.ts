import {
  argMax,
  constant,
  createExecutor,
  createProgram,
  gather,
  input,
  type Tensor,
  tensor,
  type WeightValue,
} from '#engine'
import { type CausalModel, frozenScope, type ParameterScope } from '#learning/models'

export interface ForwardInit {
  readonly model: CausalModel
  readonly weights: ReadonlyMap<string, WeightValue>
  /** One row of tokens a prompt, all of one length. */
  readonly tokens: readonly (readonly number[])[]
  readonly positions?: readonly (readonly number[])[]
  readonly segments?: readonly (readonly number[])[]
  readonly scope?: ParameterScope
  readonly variables?: ReadonlyMap<string, Tensor>
}

/** The logits of every token, without a cache: rows[b][s] is [V]. The obvious twin of the generator. */
export async function forward(init: ForwardInit): Promise<Float32Array[][]> {
  const { model, weights, tokens, scope = frozenScope(), variables } = init
  const [batch, length] = [tokens.length, tokens[0]!.length]
  const shape = [batch, length]
  const positions = init.positions ?? tokens.map((row) => row.map((_, i) => i))
  const segments = init.segments && { segments: input('segments', shape, 'int32') }
  const { states } = model.hidden(
    {
      tokens: input('tokens', shape, 'int32'),
      positions: constant(Int32Array.from(positions.flat()), shape),
      ...segments,
    },
    scope,
  )
  const rows = gather(states, input('rows', [batch * length], 'int32'))
  const program = createProgram({ outputs: { logits: model.logits(rows, scope) } })
  const session = await createExecutor('onnxruntime', { threads: 1 }).compile(program, { weights })
  if (variables) await session.writeVariables(variables)
  const ids = (grid: readonly (readonly number[])[]) => tensor(Int32Array.from(grid.flat()), shape)
  const { logits } = await session.run({
    tokens: ids(tokens),
    rows: tensor(
      Int32Array.from({ length: batch * length }, (_, i) => i),
      [batch * length],
    ),
    ...(init.segments ? { segments: ids(init.segments) } : {}),
  })
  await session.close()
  const width = model.config.vocabularySize
  const data = logits!.data as Float32Array
  return tokens.map((row, b) =>
    row.map((_, s) => data.slice((b * length + s) * width, (b * length + s + 1) * width)),
  )
}

/**
 * Greedy decoding the slow way: the whole text through the model for each token. One program reads it, padded on the
 * right, where no token looks.
 */
export async function greedyUncached(
  model: CausalModel,
  weights: ReadonlyMap<string, Tensor>,
  prompt: readonly number[],
  { maxNew, eosId }: { readonly maxNew: number; readonly eosId: number },
): Promise<number[]> {
  const length = prompt.length + maxNew
  const tokens = input('tokens', [1, length], 'int32')
  const counting = Int32Array.from({ length }, (_, i) => i)
  const scope = frozenScope()
  const { states } = model.hidden({ tokens, positions: constant(counting, [1, length]) }, scope)
  const last = gather(states, input('last', [1], 'int32'))
  const program = createProgram({ outputs: { next: argMax(model.logits(last, scope)) } })
  const session = await createExecutor('onnxruntime', { threads: 1 }).compile(program, { weights })
  const text = [...prompt]
  while (text.length < length) {
    const padded = Int32Array.from({ length }, (_, i) => text[i] ?? 0)
    const { next } = await session.run({
      tokens: tensor(padded, [1, length]),
      last: tensor(Int32Array.of(text.length - 1), [1]),
    })
    if (next!.data[0] === eosId) break
    text.push(next!.data[0]!)
  }
  await session.close()
  return text.slice(prompt.length)
}

/** The largest absolute difference of two arrays, NaN if either holds one. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = a.length === b.length ? 0 : Number.NaN
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!)
    if (!(difference <= largest)) largest = difference
  }
  return largest
}
