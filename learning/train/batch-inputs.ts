import { gather, input, type Node, type Session, type Tensor, tensor } from '#engine'
import type { PackedBatch } from '#learning/data'
import type { CausalModel, ParameterScope } from '#learning/models'

/** The fixed sizes a program is compiled for; every batch it is given has them. */
export interface BatchShape {
  /** Rows of tokens, B. */
  readonly batch: number
  /** Tokens of a row, S. */
  readonly length: number
  /** Supervised positions, M. */
  readonly rows: number
  /** Example slots, X. */
  readonly examples: number
}

/** The inputs of every program over a {@link PackedBatch}. */
export interface BatchInputs {
  readonly tokens: Node
  readonly positions: Node
  readonly segments: Node
  readonly rows: Node
  readonly targets: Node
  readonly rowWeight: Node
  readonly rowExample: Node
  readonly exampleBytes: Node
}

/** Declares the inputs of a program for batches of this shape. */
export function batchInputs(shape: BatchShape): BatchInputs {
  const grid = [shape.batch, shape.length]
  return {
    tokens: input('tokens', grid, 'int32'),
    positions: input('positions', grid, 'int32'),
    segments: input('segments', grid, 'int32'),
    rows: input('rows', [shape.rows], 'int32'),
    targets: input('targets', [shape.rows], 'int32'),
    rowWeight: input('rowWeight', [shape.rows]),
    rowExample: input('rowExample', [shape.rows], 'int32'),
    exampleBytes: input('exampleBytes', [shape.examples]),
  }
}

/** Logits of the supervised positions only, [M, V]: those of the others are never computed. */
export function rowLogits(model: CausalModel, inputs: BatchInputs, scope: ParameterScope): Node {
  const { states } = model.hidden(inputs, scope)
  return model.logits(gather(states, inputs.rows), scope)
}

/** What the inputs of {@link batchInputs} are fed. */
export function batchFeeds(batch: PackedBatch, shape: BatchShape): Record<string, Tensor> {
  const grid = [shape.batch, shape.length]
  return {
    tokens: tensor(batch.tokens, grid),
    positions: tensor(batch.positions, grid),
    segments: tensor(batch.segments, grid),
    rows: tensor(batch.rows, [shape.rows]),
    targets: tensor(batch.targets, [shape.rows]),
    rowWeight: tensor(batch.rowWeight, [shape.rows]),
    rowExample: tensor(batch.rowExample, [shape.rows]),
    exampleBytes: tensor(batch.exampleBytes, [shape.examples]),
  }
}

/** Runs `session` on those of `feeds` that its program uses: not every program needs every part of a batch. */
export async function runWith(
  session: Session,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const { inputs } = session.program
  return session.run(Object.fromEntries(Object.entries(feeds).filter(([name]) => inputs.has(name))))
}
