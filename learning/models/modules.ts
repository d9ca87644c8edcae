import {
  add,
  gather,
  layerNorm,
  matmul,
  type Node,
  reshape,
  rmsNorm,
  scalar,
  sizeOf,
} from '#engine'
import type { Linear, ParameterScope } from './causal-model.ts'

export interface LinearOptions {
  readonly bias?: boolean
  readonly layout?: Linear['layout']
}

/** The modules below one name of a model while its graph is built: each asks the scope for its parameters. */
export class Modules {
  readonly #scope: ParameterScope
  readonly #prefix: string
  readonly #epsilon: number

  /** @param epsilon of its normalisations */
  constructor(scope: ParameterScope, prefix: string, epsilon: number) {
    this.#scope = scope
    this.#prefix = prefix
    this.#epsilon = epsilon
  }

  /** The modules below `name`. */
  within(name: string): Modules {
    return new Modules(this.#scope, `${this.#prefix}${name}.`, this.#epsilon)
  }

  parameter(name: string, shape: readonly number[]): Node {
    return this.#scope.parameter(this.#prefix + name, shape)
  }

  /** A linear layer with its optional bias and whatever adapters the scope hangs on it: [N, input] -> [N, output]. */
  linear(x: Node, module: string, outputSize: number, options: LinearOptions = {}): Node {
    const { bias = false, layout = 'output-input' } = options
    const inputSize = x.shape[1]!
    const transposeB = layout === 'output-input'
    const shape = transposeB ? [outputSize, inputSize] : [inputSize, outputSize]
    let y = matmul(x, this.parameter(`${module}.weight`, shape), { transposeB })
    if (bias) y = add(y, this.parameter(`${module}.bias`, [outputSize]))
    const layer = { name: this.#prefix + module, inputSize, outputSize, layout }
    const adapted = this.#scope.linear?.(layer, x)
    return adapted === undefined ? y : add(y, adapted)
  }

  /** Over the last axis. `offset` is added to the weight: 1 in Gemma, whose weights are differences from 1. */
  rmsNorm(x: Node, module: string, { offset = 0 }: { readonly offset?: number } = {}): Node {
    const weight = this.parameter(`${module}.weight`, [x.shape.at(-1)!])
    return rmsNorm(x, offset === 0 ? weight : add(weight, scalar(offset)), this.#epsilon)
  }

  /** Over the last axis. */
  layerNorm(x: Node, module: string): Node {
    const shape = [x.shape.at(-1)!]
    const weight = this.parameter(`${module}.weight`, shape)
    return layerNorm(x, weight, this.parameter(`${module}.bias`, shape), this.#epsilon)
  }

  /** Rows of the embedding [rows, width] for ids [B, S], as one long list of tokens [B * S, width]. */
  embed(ids: Node, module: string, rows: number, width: number): Node {
    const tokens = sizeOf(ids.shape)
    return gather(this.parameter(`${module}.weight`, [rows, width]), reshape(ids, [tokens]))
  }
}
