import type { DType, Shape } from './tensor.ts'
import type { WeightFormat } from './weights.ts'

interface Operands {
  readonly 0: readonly []
  readonly 1: readonly [Node]
  readonly 2: readonly [Node, Node]
  readonly 3: readonly [Node, Node, Node]
  readonly 4: readonly [Node, Node, Node, Node]
  readonly 6: readonly [Node, Node, Node, Node, Node, Node]
  readonly any: readonly Node[]
}

/** How many operands an operator takes, and its parameters. */
interface Takes<Arity extends keyof Operands, Parameters = Readonly<Record<never, never>>> {
  readonly operands: Operands[Arity]
  readonly parameters: Parameters
}
interface Frozen {
  readonly name: string
  readonly shape: Shape
}
interface Reduction {
  /** Ascending, none negative. */
  readonly axes: readonly number[]
  readonly keepDims: boolean
}
interface Normalisation {
  readonly epsilon: number
}
export interface CachedAttention {
  /** What the product of queries and keys is multiplied with. */
  readonly scale: number
  /** A token sees itself and the `window - 1` tokens before it; all before it if left out. */
  readonly window?: number | undefined
  /** Scaled scores s become c tanh(s / c). */
  readonly softcap?: number | undefined
  /** One a head: a score loses this much for each token of distance (ALiBi). */
  readonly alibiSlopes?: readonly number[] | undefined
}

/**
 * The operator table: every operator, its operands and parameters. What an operator means is said once, at its builder
 * in `builders.ts`; each pass (shape rules, gradients, ONNX lowering, TensorFlow evaluation) is a table keyed by it, so
 * the compiler lists what is missing when one is added.
 */
export interface Operators {
  input: Takes<0, Frozen & { readonly dtype: DType }>
  weight: Takes<0, Frozen & { readonly format: WeightFormat }>
  variable: Takes<0, Frozen>
  constant: Takes<0, { readonly shape: Shape; readonly data: Float32Array | Int32Array }>

  add: Takes<2>
  subtract: Takes<2>
  multiply: Takes<2>
  divide: Takes<2>
  maximum: Takes<2>
  less: Takes<2>
  equal: Takes<2>
  where: Takes<3>
  addScaled: Takes<3>

  negate: Takes<1>
  exp: Takes<1>
  log: Takes<1>
  sqrt: Takes<1>
  reciprocal: Takes<1>
  sigmoid: Takes<1>
  tanh: Takes<1>
  square: Takes<1>
  relu: Takes<1>
  erf: Takes<1>
  gelu: Takes<1>
  tanhGelu: Takes<1>
  silu: Takes<1>

  matmul: Takes<
    2,
    { readonly transposeA: boolean; readonly transposeB: boolean; readonly scale: number }
  >
  softmax: Takes<1>
  logSoftmax: Takes<1>
  linearCrossEntropy: Takes<3>
  linearCrossEntropySlope: Takes<3>
  rmsNorm: Takes<2, Normalisation>
  inverseRms: Takes<1, Normalisation>
  layerNorm: Takes<3, Normalisation>
  inverseDeviation: Takes<1, Normalisation>
  rotary: Takes<4>
  cachedAttention: Takes<6, CachedAttention>

  transpose: Takes<1, { readonly permutation: readonly number[] }>
  reshape: Takes<1, { readonly shape: Shape }>
  expand: Takes<1, { readonly shape: Shape }>
  slice: Takes<1, { readonly axis: number; readonly start: number; readonly end: number }>
  pad: Takes<1, { readonly axis: number; readonly before: number; readonly after: number }>
  concat: Takes<'any', { readonly axis: number }>

  sum: Takes<1, Reduction>
  mean: Takes<1, Reduction>
  max: Takes<1, Reduction>

  gather: Takes<2>
  gatherLast: Takes<2>
  scatterAdd: Takes<2, { readonly rows: number }>
  scatterAddLast: Takes<2, { readonly columns: number }>
  topKIndices: Takes<1, { readonly k: number }>
  argMax: Takes<1>

  cast: Takes<1, { readonly dtype: DType }>
  stopGradient: Takes<1>
}

export type Operator = keyof Operators

/** A value in a graph: an operator, what it reads, and what is known of the result. Immutable. */
export interface NodeOf<K extends Operator> {
  /** Grows with creation, so ascending ids are a topological order. */
  readonly id: number
  readonly operator: K
  readonly inputs: Operators[K]['operands']
  readonly parameters: Operators[K]['parameters']
  readonly shape: Shape
  readonly dtype: DType
}

export type Node = { [K in Operator]: NodeOf<K> }[Operator]

/** A pass over the graph: what to do at each operator. */
export type OperatorTable<Arguments extends readonly unknown[], Result> = {
  readonly [K in Operator]: (node: NodeOf<K>, ...rest: Arguments) => Result
}

/** Applies the entry of `table` for the operator of `node`. */
export function applyTable<Arguments extends readonly unknown[], Result>(
  table: OperatorTable<Arguments, Result>,
  node: Node,
  ...rest: Arguments
): Result {
  const entry = table[node.operator] as (node: Node, ...rest: Arguments) => Result
  return entry(node, ...rest)
}

/** `%12 matmul [8,64]`; a leaf also says its name: `%3 weight "wte.weight" [50257,64]`. */
export function describeNode(node: Node): string {
  const name = 'name' in node.parameters ? ` "${node.parameters.name}"` : ''
  const dtype = node.dtype === 'float32' ? '' : node.dtype
  return `%${node.id} ${node.operator}${name} ${dtype}[${node.shape}]`
}

/** Everything that `roots` depend on, themselves included, in topological order. */
export function reachable(roots: Iterable<Node>): Node[] {
  const seen = new Set<Node>(roots)
  for (const node of seen) for (const operand of node.inputs) seen.add(operand)
  return [...seen].sort((a, b) => a.id - b.id)
}
