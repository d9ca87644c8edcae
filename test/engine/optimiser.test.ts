import { describe, expect, it } from 'vitest'
import { createRandom } from '#base'
import * as engine from '#engine'

const executor = engine.createExecutor('onnxruntime', { threads: 1 })
const SHAPES = { matrix: [3, 2], vector: [4], large: [300, 300] } as const
const BETA1 = 0.9
const BETA2 = 0.99
const DECAY = 0.1
const CLIP = 2

/** AdamW as its paper writes it, in double precision: the slow twin. */
class PlainAdamW {
  readonly values = new Map<string, Float64Array>()
  readonly #moments = new Map<string, readonly [Float64Array, Float64Array]>()
  #step = 0

  step(gradients: ReadonlyMap<string, Float64Array>, rate: number): number {
    this.#step++
    const norm = Math.hypot(...[...gradients.values()].map((g) => Math.hypot(...g)))
    for (const [name, gradient] of gradients) {
      const value = this.values.get(name) ?? new Float64Array()
      const [m, v] = this.#moments.get(name) ?? [value.map(() => 0), value.map(() => 0)]
      this.#moments.set(name, [m, v])
      for (const [i, raw] of gradient.entries()) {
        const g = raw * Math.min(1, CLIP / norm)
        m[i] = BETA1 * (m[i] ?? 0) + (1 - BETA1) * g
        v[i] = BETA2 * (v[i] ?? 0) + (1 - BETA2) * g * g
        const mean = m[i] / (1 - BETA1 ** this.#step)
        const variance = v[i] / (1 - BETA2 ** this.#step)
        const decay = name === 'vector' ? 0 : DECAY
        const before = value[i] ?? 0
        value[i] = before - rate * (mean / (Math.sqrt(variance) + 1e-8) + decay * before)
      }
    }
    return norm
  }
}

function drawn(seed: string): Map<string, Float64Array> {
  const random = createRandom(seed)
  return new Map(
    Object.entries(SHAPES).map(([name, shape]) => [
      name,
      Float64Array.from({ length: engine.sizeOf(shape) }, () => random.normal()),
    ]),
  )
}

const asTensors = (values: ReadonlyMap<string, Float64Array>, prefix = '') =>
  new Map(
    [...values].map(([name, value]) => [
      prefix + name,
      engine.tensor(Float32Array.from(value), SHAPES[name as keyof typeof SHAPES]),
    ]),
  )

describe('adamW', () => {
  it('takes the steps of its plain twin, clipped, with decay of matrices only', async () => {
    const entries = Object.entries(SHAPES)
    const parameters = entries.map(([name, shape]) => engine.variable(name, shape))
    const gradients = entries.map(([name, shape]) => engine.input(`g.${name}`, shape))
    const { updates, norm, state } = engine.adamW(parameters, gradients, {
      learningRate: engine.input('rate', []),
      beta1: BETA1,
      beta2: BETA2,
      weightDecay: DECAY,
      clipNorm: CLIP,
    })
    const session = await executor.compile(engine.createProgram({ outputs: { norm }, updates }))
    const twin = new PlainAdamW()
    for (const [name, value] of drawn('start')) twin.values.set(name, value)
    await session.writeVariables(asTensors(twin.values))

    for (let step = 0; step < 4; step++) {
      const gradient = drawn(`step ${step}`)
      const rate = engine.tensor(Float32Array.of(0.01), [])
      const feeds = { rate, ...Object.fromEntries(asTensors(gradient, 'g.')) }
      const found = (await session.run(feeds)).norm?.data[0]
      const expected = twin.step(gradient, 0.01)
      expect((found ?? 0) / expected).toBeCloseTo(1, 5)
    }
    const values = await session.readVariables()
    for (const [name, expected] of twin.values) {
      const worst = expected.reduce(
        (most, x, i) => Math.max(most, Math.abs(x - (values.get(name)?.data[i] ?? Number.NaN))),
        0,
      )
      expect(worst, name).toBeLessThan(2e-5)
    }
    expect([...state.keys()].every((name) => values.has(name))).toBe(true)
    await session.close()
  })

  it('takes variables only', () => {
    const x = engine.input('x', [2])
    const learningRate = engine.scalar(0.1)
    expect(() => engine.adamW([x], [x], { learningRate })).toThrow(
      expect.objectContaining({ code: 'ENGINE_NOT_A_VARIABLE' }),
    )
  })
})
