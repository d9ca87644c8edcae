import { createRandom, type Random } from '#base'
import * as engine from '#engine'
import { blockLinears, type StepShape } from './shape.ts'

export interface StepProgram {
  readonly program: engine.Program
  readonly weights: ReadonlyMap<string, engine.Tensor>
  readonly variables: ReadonlyMap<string, engine.Tensor>
}

/** The compared step as a program of the engine: mean cross-entropy over all positions, AdamW on the adapters. */
export function buildStep(shape: StepShape): StepProgram {
  const { vocabulary, hidden, layers, heads, rank, batch, length } = shape
  const random = createRandom('bench')
  const width = hidden / heads
  const rows = batch * length
  const weights = new Map<string, engine.Tensor>()
  const variables = new Map<string, engine.Tensor>()
  const adapters: engine.Node[] = []
  const frozen = (name: string, dimensions: engine.Shape, value = normal(random, dimensions)) => {
    weights.set(name, value)
    return engine.weight(name, dimensions)
  }
  const trained = (name: string, value: engine.Tensor) => {
    variables.set(name, value)
    const node = engine.variable(name, value.shape)
    adapters.push(node)
    return node
  }
  const ones = () => engine.tensor(new Float32Array(hidden).fill(1), [hidden])

  const tokens = engine.input('tokens', [rows], 'int32')
  const labels = engine.input('labels', [rows, 1], 'int32')
  const positions = engine.constant(
    Int32Array.from({ length: rows }, (_, row) => row % length),
    [batch, length],
  )
  const angles = Float64Array.from({ length: (length * width) / 2 }, (_, index) => {
    const [position, pair] = [Math.floor(index / (width / 2)), index % (width / 2)]
    return position * 10_000 ** ((-2 * pair) / width)
  })
  const cosines = engine.constant(Float32Array.from(angles, Math.cos), [length, width / 2])
  const sines = engine.constant(Float32Array.from(angles, Math.sin), [length, width / 2])
  const mask = engine.constant(
    Float32Array.from({ length: length * length }, (_, index) =>
      index % length <= Math.floor(index / length) ? 0 : -1e9,
    ),
    [length, length],
  )
  const byHead = (x: engine.Node) =>
    engine.transpose(engine.reshape(x, [batch, length, heads, width]), [0, 2, 1, 3])

  const embedding = frozen('embedding', [vocabulary, hidden])
  let x = engine.gather(embedding, tokens)
  for (let layer = 0; layer < layers; layer++) {
    const linears = new Map(blockLinears(shape).map((linear) => [linear.name, linear]))
    const linear = (y: engine.Node, kind: string): engine.Node => {
      const { inputs = 0, outputs = 0 } = linears.get(kind) ?? {}
      const name = `${layer}.${kind}`
      const w = frozen(name, [outputs, inputs])
      const a = trained(`${name}.a`, normal(random, [rank, inputs]))
      const b = trained(`${name}.b`, engine.zeroTensor([outputs, rank]))
      const low = engine.multiply(engine.matmul(y, a, { transposeB: true }), engine.scalar(2))
      return engine.add(
        engine.matmul(y, w, { transposeB: true }),
        engine.matmul(low, b, { transposeB: true }),
      )
    }
    const before = engine.rmsNorm(x, frozen(`${layer}.norm1`, [hidden], ones()), 1e-5)
    const query = engine.rotary(byHead(linear(before, 'query')), positions, cosines, sines)
    const key = engine.rotary(byHead(linear(before, 'key')), positions, cosines, sines)
    const value = byHead(linear(before, 'value'))
    const scores = engine.multiply(
      engine.matmul(query, key, { transposeB: true }),
      engine.scalar(1 / Math.sqrt(width)),
    )
    const mixed = engine.matmul(engine.softmax(engine.add(scores, mask)), value)
    const joined = engine.reshape(engine.transpose(mixed, [0, 2, 1, 3]), [rows, hidden])
    x = engine.add(x, linear(joined, 'output'))
    const between = engine.rmsNorm(x, frozen(`${layer}.norm2`, [hidden], ones()), 1e-5)
    const gated = engine.multiply(engine.silu(linear(between, 'gate')), linear(between, 'up'))
    x = engine.add(x, linear(gated, 'down'))
  }
  const last = engine.rmsNorm(x, frozen('norm', [hidden], ones()), 1e-5)
  const logits = engine.matmul(last, embedding, { transposeB: true })
  const chosen = engine.gatherLast(engine.logSoftmax(logits), labels)
  const loss = engine.mean(engine.negate(chosen), undefined, { keepDims: false })
  const step = engine.adamW(adapters, engine.gradients(loss, adapters), {
    learningRate: engine.input('learningRate', []),
    weightDecay: 0.01,
    clipNorm: 1,
  })
  const program = engine.createProgram({ outputs: { loss }, updates: step.updates })
  return { program, weights, variables }
}

/** Tokens of one step and what follows each. */
export function stepFeeds({ vocabulary, batch, length }: StepShape): {
  readonly tokens: Int32Array
  readonly labels: Int32Array
} {
  const rows = batch * length
  return {
    tokens: Int32Array.from({ length: rows }, (_, row) => (row * 7_919) % vocabulary),
    labels: Int32Array.from({ length: rows }, (_, row) => ((row + 1) * 7_919) % vocabulary),
  }
}

function normal(random: Random, shape: engine.Shape): engine.Tensor {
  const data = Float32Array.from({ length: engine.sizeOf(shape) }, () => random.normal() * 0.02)
  return engine.tensor(data, shape)
}
