import type { Node } from '../node.ts'
import type { WeightValue } from '../weights.ts'
import { type Attributes, ONNX_TYPE, OnnxGraph } from './onnx-graph.ts'

/** The domain of ONNX Runtime's own operators. */
export const MICROSOFT = 'com.microsoft'

/** What a lowering writes to: the ONNX graph so far and the names of the values in it. */
export class Lowering {
  readonly graph = new OnnxGraph()
  /** All that is to be lowered. */
  readonly nodes: readonly Node[]
  readonly weights: ReadonlyMap<string, WeightValue>
  readonly #values = new Map<Node, string>()
  readonly #deferred = new Map<Node, () => string>()
  readonly #once = new Map<string, unknown>()

  constructor(nodes: readonly Node[], weights: ReadonlyMap<string, WeightValue>) {
    this.nodes = nodes
    this.weights = weights
  }

  define(node: Node, value: string): void {
    this.#values.set(node, value)
  }

  /** The value of `node` is made when first asked for. */
  defer(node: Node, make: () => string): void {
    this.#deferred.set(node, make)
  }

  value(node: Node): string {
    const name = this.#values.get(node) ?? this.#deferred.get(node)?.()
    if (name === undefined) throw new RangeError(`%${node.id} is not lowered`)
    this.#values.set(node, name)
    return name
  }

  /** Adds an ONNX node for `node` and returns the name of its first output. */
  emit(node: Node, opType: string, init: EmitInit = {}): string {
    const name = `${node.operator}_${node.id}${init.suffix ?? ''}`
    const inputs = init.inputs ?? node.inputs.map((operand) => this.value(operand))
    const extra = init.extraOutputs ?? []
    this.graph.addNode(opType, inputs, [name, ...extra], init.attributes, init.domain)
    return name
  }

  /** What several nodes share, made by the first: comparisons as bool, ids as int64, by-products of fused kernels. */
  once<T>(key: string, make: () => T): T {
    if (!this.#once.has(key)) this.#once.set(key, make())
    return this.#once.get(key) as T
  }

  /** The value of that key, if somebody has made it. */
  known(key: string): string | undefined {
    return this.#once.get(key) as string | undefined
  }

  /** A float32 zero of shape []. */
  zero(): string {
    return this.once('zero', () => this.graph.addInitializer('zero', Float32Array.of(0), []))
  }

  int64(node: Node): string {
    return this.once(`int64:${node.id}`, () =>
      this.emit(node, 'Cast', {
        inputs: [this.value(node)],
        attributes: { to: ONNX_TYPE.int64 },
        suffix: '_int64',
      }),
    )
  }

  /** A 0/1 float as bool; a comparison is not cast to float and back. */
  bool(node: Node): string {
    return this.once(`bool:${node.id}`, () => {
      if (node.operator === 'less') return this.emit(node, 'Less', { suffix: '_bool' })
      if (node.operator === 'equal') return this.emit(node, 'Equal', { suffix: '_bool' })
      return this.emit(node, 'Cast', {
        inputs: [this.value(node)],
        attributes: { to: ONNX_TYPE.bool },
        suffix: '_bool',
      })
    })
  }
}

interface EmitInit {
  /** The values of the node's operands, unless told. */
  readonly inputs?: readonly string[]
  readonly attributes?: Attributes
  readonly domain?: string
  /** Keeps the names of several ONNX nodes for one node apart. */
  readonly suffix?: string
  readonly extraOutputs?: readonly string[]
}
