import { add, concat, constant, matmul, multiply, type Node, scalar, variable } from '#engine'
import type { CausalModel, ParameterScope } from '#learning/models'
import { type LoraSpec, loraA, loraB, targetsOf } from './adapter.ts'

/** A place on a model for an adapter's numbers, which may change from run to run. */
export interface AdapterSlot {
  /** Tells stacked adapters apart. */
  readonly name: string
  readonly spec: LoraSpec
}

export interface AdapterScope {
  readonly scope: ParameterScope
  /** The variables a slot has, by their names in the session; complete once the model's graph has been built. */
  variables(slot: string): ReadonlyMap<string, Node>
}

/** What the variable of a slot's tensor is called: `shared/model.layers.0.self_attn.q_proj.lora_A.weight`. */
export const slotVariable = (slot: string, tensorName: string) => `${slot}/${tensorName}`

/**
 * `base` with adapters on its linear layers. Their tensors are variables: whether they are trained or only swapped is
 * for the program to say. Adapters that meet on one layer run as one of their joint rank: [A1; A2] and [B1, B2].
 *
 * @throws CotuneError LORA_SPEC_INVALID
 */
export function adapterScope(
  base: ParameterScope,
  model: CausalModel,
  slots: readonly AdapterSlot[],
): AdapterScope {
  const bySlot = new Map(slots.map(({ name }) => [name, new Map<string, Node>()]))
  const tensorOf = (slot: AdapterSlot, tensorName: string, shape: readonly number[]): Node => {
    const own = bySlot.get(slot.name)!
    const name = slotVariable(slot.name, tensorName)
    const node = own.get(name) ?? variable(name, shape)
    own.set(name, node)
    return node
  }
  const byModule = new Map<string, AdapterSlot[]>()
  for (const slot of slots)
    for (const { name } of targetsOf(model, slot.spec))
      byModule.set(name, [...(byModule.get(name) ?? []), slot])
  const sizes = new Map(model.linears.map((linear) => [linear.name, linear]))

  function linear(module: string, x: Node): Node | undefined {
    const own = base.linear?.(module, x)
    const stacked = byModule.get(module)
    if (stacked === undefined) return own
    const { inputSize, outputSize } = sizes.get(module)!
    const a = stacked.map((slot) => tensorOf(slot, loraA(module), [slot.spec.rank, inputSize]))
    const b = stacked.map((slot) => tensorOf(slot, loraB(module), [outputSize, slot.spec.rank]))
    const low = multiply(matmul(x, join(a, 0), { transposeB: true }), scales(stacked))
    const adapted = matmul(low, join(b, 1), { transposeB: true })
    return own === undefined ? adapted : add(own, adapted)
  }

  return {
    scope: { parameter: base.parameter, linear },
    variables: (slot) => bySlot.get(slot) ?? new Map(),
  }
}

/** A slot's tensors under the names of its variables, for `session.writeVariables`. */
export function toSlot<T>(slot: string, tensors: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  return new Map([...tensors].map(([name, value]) => [slotVariable(slot, name), value]))
}

/** The other way: of all variables those of `slot`, under their own names. */
export function fromSlot<T>(
  slot: string,
  variables: ReadonlyMap<string, T>,
): ReadonlyMap<string, T> {
  const prefix = slotVariable(slot, '')
  const own = new Map<string, T>()
  for (const [name, value] of variables)
    if (name.startsWith(prefix)) own.set(name.slice(prefix.length), value)
  return own
}

function join(nodes: readonly Node[], axis: number): Node {
  return nodes.length === 1 ? nodes[0]! : concat(nodes, axis)
}

/** alpha / rank for each column of the joint rank, [R] or []. */
function scales(stacked: readonly AdapterSlot[]): Node {
  const each = stacked.map(({ spec }) => spec.alpha / spec.rank)
  if (each.every((scale) => scale === each[0])) return scalar(each[0]!)
  const columns = stacked.flatMap(({ spec }, i) => new Array<number>(spec.rank).fill(each[i]!))
  return constant(Float32Array.from(columns), [columns.length])
}
