import { CotuneError } from '#base'
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
  where,
  zeros,
} from './builders.ts'
import { describeNode, type Node } from './node.ts'
import { type Shape, sizeOf } from './tensor.ts'

/** A scalar. All in one sum, so that none of them has to wait for another to be there. */
function rootOfSum(squares: readonly Node[]): Node {
  const sums = squares.map((each) => reshape(sum(each), [1]))
  return sqrt(sum(concat(sums, 0), undefined, { keepDims: false }))
}

export interface AdamWOptions {
  /** A scalar, often an input fed by a schedule. */
  readonly learningRate: Node
  readonly beta1?: number
  readonly beta2?: number
  readonly epsilon?: number
  /** Per step and learning rate, apart from the gradient. */
  readonly weightDecay?: number
  /** Scales all gradients so that their global norm is at most this (Pascanu et al. 2013), at no pass of its own. */
  readonly clipNorm?: number
  /** Which variables decay: matrices, unless told. */
  readonly decays?: (name: string, shape: Shape) => boolean
  /**
   * Several runs make one step: each adds its gradients times `share` to those of the runs before, and only a run with
   * `apply` 1 (else 0) changes the parameters. Both are scalars.
   */
  readonly accumulate?: { readonly share: Node; readonly apply: Node }
  /** Prefix of the names of the optimiser's own variables. */
  readonly prefix?: string
}

export interface OptimiserStep {
  /** New values of the parameters and of the optimiser's own variables, for `createProgram`. */
  readonly updates: Readonly<Record<string, Node>>
  /** The optimiser's own variables; zeros before the first step. */
  readonly state: ReadonlyMap<string, Shape>
  /** The global norm of the gradients, added up so far, before clipping. */
  readonly norm: Node
}

/** Tensors up to this many elements share flat state: an adapter is many small tensors, and each node costs time. */
const FLAT_LIMIT = 65_536
/** A flat state ends at this many elements: the passes over it then find it in the processor's cache. */
const FLAT_TOTAL = 131_072

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
    clipNorm,
    decays = (_, shape) => shape.length > 1,
    accumulate,
    prefix = 'adamw/',
  }: AdamWOptions,
): OptimiserStep {
  const updates: Record<string, Node> = {}
  const state = new Map<string, Shape>()
  const keep = (name: string, shape: Shape): Node => {
    state.set(prefix + name, shape)
    return variable(prefix + name, shape)
  }

  const settled = (after: Node, before: Node): Node =>
    accumulate === undefined ? after : where(accumulate.apply, after, before)

  const before = keep('step', [])
  const step = add(before, scalar(1))
  updates[`${prefix}step`] = settled(step, before)
  const correction1 = subtract(scalar(1), exp(multiply(step, scalar(Math.log(beta1)))))
  const correction2 = subtract(scalar(1), exp(multiply(step, scalar(Math.log(beta2)))))
  // m^ / (sqrt(v^) + eps) = m * (lr / c1) / (sqrt(v) / sqrt(c2) + eps): the corrections stay scalars.
  const rate = divide(learningRate, correction1)
  const inverseRoot = reciprocal(sqrt(correction2))

  const groups = groupParameters(parameters, gradients, decays).map((group): Group => {
    if (accumulate === undefined) return group
    const name = `sum/${group.name}`
    const gradient = add(keep(name, group.value.shape), multiply(group.gradient, accumulate.share))
    updates[prefix + name] = multiply(gradient, subtract(scalar(1), accumulate.apply))
    return { ...group, gradient, squares: square(gradient) }
  })
  const norm = rootOfSum(groups.map(({ squares }) => squares))
  const clip = clipNorm === undefined ? scalar(1) : clipFactor(norm, clipNorm)
  const scale1 = multiply(clip, scalar(1 - beta1))
  const scale2 = multiply(square(clip), scalar(1 - beta2))
  for (const { name, value, gradient, squares, decay, members } of groups) {
    const [m0, v0] = [keep(`m/${name}`, value.shape), keep(`v/${name}`, value.shape)]
    const m = add(multiply(m0, scalar(beta1)), multiply(gradient, scale1))
    const v = add(multiply(v0, scalar(beta2)), multiply(squares, scale2))
    updates[`${prefix}m/${name}`] = settled(m, m0)
    updates[`${prefix}v/${name}`] = settled(v, v0)
    const direction = divide(
      multiply(m, rate),
      add(multiply(sqrt(v), inverseRoot), scalar(epsilon)),
    )
    const shrink = subtract(scalar(1), multiply(learningRate, scalar(weightDecay)))
    const kept = decay && weightDecay !== 0 ? multiply(value, shrink) : value
    Object.assign(updates, unflatten(settled(subtract(kept, direction), value), members))
  }
  return { updates, state, norm }
}

/** Parameters that take the optimiser's step together. */
interface Group {
  readonly name: string
  readonly members: readonly Node[]
  readonly value: Node
  readonly gradient: Node
  readonly squares: Node
  readonly decay: boolean
}

/**
 * Small tensors together, those that decay apart from those that do not; each large one alone. From the last parameter
 * to the first, as gradients come: a group that needs early layers would otherwise make all others wait.
 */
function groupParameters(
  parameters: readonly Node[],
  gradients: readonly Node[],
  decays: (name: string, shape: Shape) => boolean,
): readonly Group[] {
  const byKey = new Map<string, { members: Node[]; gradients: Node[]; decay: boolean }>()
  const small = new Map<boolean, number>()
  for (const [index, parameter] of [...parameters.entries()].toReversed()) {
    const name = nameOf(parameter)
    const decay = decays(name, parameter.shape)
    const size = sizeOf(parameter.shape)
    const before = small.get(decay) ?? 0
    if (size <= FLAT_LIMIT) small.set(decay, before + size)
    const part = Math.floor(before / FLAT_TOTAL)
    const key = size > FLAT_LIMIT ? name : `small ${part}, decay=${decay}`
    const group = byKey.get(key) ?? { members: [], gradients: [], decay }
    byKey.set(key, group)
    group.members.push(parameter)
    group.gradients.push(gradients[index] ?? zeros(parameter.shape))
  }
  return [...byKey.values()].map(({ members, gradients, decay }) => {
    const gradient = joined(gradients)
    const name = members.map(nameOf).at(0) ?? ''
    return { name, members, value: joined(members), gradient, squares: square(gradient), decay }
  })
}

/** One vector of several tensors; a single one stays as it is. */
function joined(xs: readonly Node[]): Node {
  return xs.length === 1 && xs[0] ? xs[0] : flatten(xs)
}

function unflatten(value: Node, members: readonly Node[]): Record<string, Node> {
  if (members.length === 1 && members[0]) return { [nameOf(members[0])]: value }
  const parts: Record<string, Node> = {}
  let start = 0
  for (const member of members) {
    const end = start + sizeOf(member.shape)
    parts[nameOf(member)] = reshape(slice(value, 0, start, end), member.shape)
    start = end
  }
  return parts
}

function flatten(xs: readonly Node[]): Node {
  return concat(
    xs.map((x) => reshape(x, [-1])),
    0,
  )
}

/** min(1, maxNorm / norm). */
function clipFactor(norm: Node, maxNorm: number): Node {
  return divide(scalar(maxNorm), maximum(norm, scalar(maxNorm)))
}

function nameOf(parameter: Node): string {
  if (parameter.operator === 'variable') return parameter.parameters.name
  throw new CotuneError('ENGINE_NOT_A_VARIABLE', `${describeNode(parameter)} cannot be optimised`, {
    hint: 'Give adamW variables: what training changes is held by the session.',
  })
}
