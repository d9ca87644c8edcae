import {
  add,
  concat,
  divide,
  exp,
  maximum,
  multiply,
  reciprocal,
  reshape,
  scalar,
  slice,
  sqrt,
  square,
  subtract,
  sum,
  variable,
} from './builders.ts'
import type { Node } from './node.ts'
import { type Shape, sizeOf } from './tensor.ts'

/** The square root of the sum of all squares: a scalar. */
export function globalNorm(gradients: readonly Node[]): Node {
  return sqrt(sum(square(flatten(gradients)), undefined, { keepDims: false }))
}

/**
 * Scales all gradients by one factor so that their global norm is at most `maxNorm` (Pascanu et al. 2013).
 *
 * @returns the gradients and the norm before clipping
 */
export function clipByGlobalNorm(
  gradients: readonly Node[],
  maxNorm: number,
): { readonly gradients: readonly Node[]; readonly norm: Node } {
  const norm = globalNorm(gradients)
  const factor = multiply(reciprocal(maximum(norm, scalar(maxNorm))), scalar(maxNorm))
  return { gradients: gradients.map((gradient) => multiply(gradient, factor)), norm }
}

export interface AdamWOptions {
  /** A scalar, often an input fed by a schedule. */
  readonly learningRate: Node
  readonly beta1?: number
  readonly beta2?: number
  readonly epsilon?: number
  /** Per step and learning rate, apart from the gradient. */
  readonly weightDecay?: number
  /** Which variables decay: matrices, unless told. */
  readonly decays?: (name: string, shape: Shape) => boolean
  /** Prefix of the names of the optimiser's own variables. */
  readonly prefix?: string
}

export interface OptimiserStep {
  /** New values of the parameters and of the optimiser's own variables, for `createProgram`. */
  readonly updates: Readonly<Record<string, Node>>
  /** The optimiser's own variables; zeros before the first step. */
  readonly state: ReadonlyMap<string, Shape>
}

/** Tensors up to this many elements share one flat state: an adapter is hundreds of small tensors, and a node costs time. */
const FLAT_LIMIT = 65_536

/**
 * One step of AdamW (Loshchilov, Hutter 2019; decoupled weight decay, as in PyTorch: p <- p - lr (m^ / (sqrt(v^) + eps)
 * + decay p)).
 *
 * @param parameters variables, in the order of `gradients`
 */
export function adamW(
  parameters: readonly Node[],
  gradients: readonly Node[],
  {
    learningRate,
    beta1 = 0.9,
    beta2 = 0.999,
    epsilon = 1e-8,
    weightDecay = 0,
    decays = (_, shape) => shape.length > 1,
    prefix = 'adamw/',
  }: AdamWOptions,
): OptimiserStep {
  const updates: Record<string, Node> = {}
  const state = new Map<string, Shape>()
  const keep = (name: string, shape: Shape): Node => {
    state.set(prefix + name, shape)
    return variable(prefix + name, shape)
  }

  const before = keep('step', [])
  const step = add(before, scalar(1))
  updates[`${prefix}step`] = step
  const correction1 = subtract(scalar(1), exp(multiply(step, scalar(Math.log(beta1)))))
  const correction2 = subtract(scalar(1), exp(multiply(step, scalar(Math.log(beta2)))))
  // m^ / (sqrt(v^) + eps) = m * (lr / c1) / (sqrt(v) / sqrt(c2) + eps): the corrections stay scalars.
  const rate = divide(learningRate, correction1)
  const inverseRoot = reciprocal(sqrt(correction2))

  const items = parameters.map((parameter, index) => ({
    name: nameOf(parameter),
    parameter,
    gradient: gradients[index] ?? scalar(0),
  }))
  const groups = [
    ...splitGroups(items.filter(({ name, parameter }) => decays(name, parameter.shape))).map(
      (group) => ({ group, decay: weightDecay }),
    ),
    ...splitGroups(items.filter(({ name, parameter }) => !decays(name, parameter.shape))).map(
      (group) => ({ group, decay: 0 }),
    ),
  ]
  for (const { group, decay } of groups) {
    const [first] = group
    if (!first) continue
    const single = group.length === 1
    const value = single ? first.parameter : flatten(group.map(({ parameter }) => parameter))
    const gradient = single ? first.gradient : flatten(group.map((item) => item.gradient))
    const m = keep(`m/${first.name}`, value.shape)
    const v = keep(`v/${first.name}`, value.shape)
    // m + (1 - beta)(g - m) is one pass less than beta m + (1 - beta) g.
    const m2 = add(m, multiply(subtract(gradient, m), scalar(1 - beta1)))
    const v2 = add(multiply(v, scalar(beta2)), multiply(square(gradient), scalar(1 - beta2)))
    updates[`${prefix}m/${first.name}`] = m2
    updates[`${prefix}v/${first.name}`] = v2
    const direction = divide(
      multiply(m2, rate),
      add(multiply(sqrt(v2), inverseRoot), scalar(epsilon)),
    )
    const kept =
      decay === 0
        ? value
        : multiply(value, subtract(scalar(1), multiply(learningRate, scalar(decay))))
    const next = subtract(kept, direction)
    let start = 0
    for (const { name, parameter } of group) {
      const end = start + sizeOf(parameter.shape)
      updates[name] = single ? next : reshape(slice(next, 0, start, end), parameter.shape)
      start = end
    }
  }
  return { updates, state }
}

interface Item {
  readonly name: string
  readonly parameter: Node
  readonly gradient: Node
}

/** Small tensors together, each large one alone. */
function splitGroups(items: readonly Item[]): readonly (readonly Item[])[] {
  const small = items.filter(({ parameter }) => sizeOf(parameter.shape) <= FLAT_LIMIT)
  const large = items.filter(({ parameter }) => sizeOf(parameter.shape) > FLAT_LIMIT)
  return [small, ...large.map((item) => [item])]
}

function flatten(xs: readonly Node[]): Node {
  return concat(
    xs.map((x) => reshape(x, [-1])),
    0,
  )
}

function nameOf(parameter: Node): string {
  if (parameter.operator === 'variable') return parameter.parameters.name
  throw new TypeError('adamW takes variables')
}
