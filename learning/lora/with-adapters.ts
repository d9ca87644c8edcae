import { add, concat, constant, matmul, multiply, type Node, variable } from '#engine'
import type { CausalModel, Linear, ParameterScope } from '#learning/models'
import { type LoraSpec, loraA, loraB, targetsOf } from './adapter.ts'

/** An adapter to hang on a model. */
export interface AdapterLayer {
  /** Tells the leaves of stacked adapters apart; without a slash. */
  readonly name: string
  readonly spec: LoraSpec
}

/** What the leaf of a stacked adapter's tensor is called: `<adapter>/<tensor>`. */
const adapterLeaf = (adapter: string, tensorName: string) => `${adapter}/${tensorName}`

/**
 * `base` with adapters on its linear layers. Each of their tensors is asked of `leaf` once, under its leaf's name;
 * variables unless told otherwise, so that adapters can be trained or swapped without compiling anew.
 *
 * Adapters that meet on one layer run as one of their joint rank: [A1; A2] and [B1, B2].
 *
 * @throws CotuneError LORA_SPEC_INVALID
 */
export function withAdapters(
  base: ParameterScope,
  model: CausalModel,
  adapters: readonly AdapterLayer[],
  leaf: (name: string, shape: readonly number[]) => Node = variable,
): ParameterScope {
  const made = new Map<string, Node>()
  const leafOf = (adapter: string, tensorName: string, shape: readonly number[]): Node => {
    const name = adapterLeaf(adapter, tensorName)
    const node = made.get(name) ?? leaf(name, shape)
    made.set(name, node)
    return node
  }
  const byModule = new Map<string, AdapterLayer[]>()
  for (const adapter of adapters)
    for (const { name } of targetsOf(model, adapter.spec))
      byModule.set(name, [...(byModule.get(name) ?? []), adapter])

  function linear(layer: Linear, x: Node): Node | undefined {
    const { name: module, inputSize, outputSize } = layer
    const own = base.linear?.(layer, x)
    const stacked = byModule.get(module)
    if (stacked === undefined) return own
    const a = stacked.map(({ name, spec }) => leafOf(name, loraA(module), [spec.rank, inputSize]))
    const b = stacked.map(({ name, spec }) => leafOf(name, loraB(module), [outputSize, spec.rank]))
    const low = matmul(x, join(a, 0), { transposeB: true })
    const adapted = expandRank(low, join(b, 1), stacked)
    return own === undefined ? adapted : add(own, adapted)
  }
  return { parameter: base.parameter, linear }
}

/** An adapter's tensors under the names of their leaves, for `session.writeVariables`. */
export function toLeaves<T>(
  adapter: string,
  tensors: ReadonlyMap<string, T>,
): ReadonlyMap<string, T> {
  return new Map([...tensors].map(([name, value]) => [adapterLeaf(adapter, name), value]))
}

/** The other way: of all leaves those of `adapter`, under their own names. */
export function fromLeaves<T>(
  adapter: string,
  leaves: ReadonlyMap<string, T>,
): ReadonlyMap<string, T> {
  const prefix = adapterLeaf(adapter, '')
  const own = new Map<string, T>()
  for (const [name, value] of leaves)
    if (name.startsWith(prefix)) own.set(name.slice(prefix.length), value)
  return own
}

function join(nodes: readonly Node[], axis: number): Node {
  return nodes.length === 1 ? nodes[0]! : concat(nodes, axis)
}

/** low B^T by alpha / rank: low [N, R] -> [N, output]. Adapters of different scales have theirs on their own columns. */
function expandRank(low: Node, b: Node, stacked: readonly AdapterLayer[]): Node {
  const scales = stacked.map(({ spec }) => spec.alpha / spec.rank)
  const [scale] = scales
  if (scales.every((each) => each === scale))
    return matmul(low, b, { transposeB: true, scale: scale! })
  const columns = stacked.flatMap(({ spec }, i) => new Array<number>(spec.rank).fill(scales[i]!))
  const scaled = multiply(low, constant(Float32Array.from(columns), [columns.length]))
  return matmul(scaled, b, { transposeB: true })
}
