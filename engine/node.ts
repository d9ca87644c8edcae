import type { DType, Shape } from './tensor.ts'

type None = Readonly<Record<never, never>>
interface Named {
  readonly name: string
}
interface Reduction {
  /** Ascending, none negative. */
  readonly axes: readonly number[]
  readonly keepDims: boolean
}
interface WithShape {
  readonly shape: Shape
}
interface Normalisation {
  readonly epsilon: number
}

/**
 * The operator table: every operator and its parameters. What an operator means is said once, at its builder in
 * `builders.ts`; each pass (shape rules, gradients, ONNX lowering, TensorFlow evaluation) is a table keyed by it, so
 * the compiler lists what is missing when one is added.
 */
export interface OperatorParameters {
  input: Named & { readonly shape: Shape; readonly dtype: DType }
  weight: Named & WithShape
  variable: Named & WithShape
  constant: WithShape & { readonly data: Float32Array | Int32Array }

  add: None
  subtract: None
  multiply: None
  divide: None
  maximum: None
  less: None
  equal: None
  where: None

  negate: None
  exp: None
  log: None
  sqrt: None
  reciprocal: None
  sigmoid: None
  tanh: None
  square: None
  gelu: None
  silu: None

  matmul: { readonly transposeA: boolean; readonly transposeB: boolean }
  softmax: None
  logSoftmax: None
  rmsNorm: Normalisation
  inverseRms: Normalisation
  layerNorm: Normalisation
  inverseDeviation: Normalisation
  rotary: None

  transpose: { readonly permutation: readonly number[] }
  reshape: WithShape
  expand: WithShape
  slice: { readonly axis: number; readonly start: number; readonly end: number }
  pad: { readonly axis: number; readonly before: number; readonly after: number }
  concat: { readonly axis: number }

  sum: Reduction
  mean: Reduction
  max: Reduction

  gather: None
  gatherLast: None
  scatterAdd: { readonly rows: number }
  scatterAddLast: { readonly columns: number }
  topKIndices: { readonly k: number }
  argMax: None

  cast: { readonly dtype: DType }
  stopGradient: None
}

export type Operator = keyof OperatorParameters

/** A value in a graph: an operator, what it reads, and what is known of the result. Immutable. */
export interface NodeOf<K extends Operator> {
  /** Grows with creation, so ascending ids are a topological order. */
  readonly id: number
  readonly operator: K
  readonly inputs: readonly Node[]
  readonly parameters: OperatorParameters[K]
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
  for (const node of seen) for (const input of node.inputs) seen.add(input)
  return [...seen].sort((a, b) => a.id - b.id)
}
