import { bindSizes } from '../bind-sizes.ts'
import type { Executor } from '../executor.ts'
import { applyTable, type Node } from '../node.ts'
import type { Program } from '../program.ts'
import { inMemory } from '../quantise.ts'
import { checkWeights, createSession, type Runtime } from '../session.ts'
import type { Tensor } from '../tensor.ts'
import type { WeightValue } from '../weights.ts'
import { evaluations } from './evaluate.ts'
import type { Evaluation, Tf, TfTensor } from './evaluation.ts'
import { loadTensorflow } from './load-tensorflow.ts'

/** Runs programs node by node in TensorFlow.js, on its native library where that is installed, else on WebAssembly. */
export function createTensorflowExecutor(): Executor {
  return {
    name: 'tensorflow',
    compile: async (program, { weights = new Map() } = {}) => {
      const values = checkWeights(program, weights)
      const { tf } = await loadTensorflow()
      return createSession(program, createRuntime(tf, program, values))
    },
  }
}

function createRuntime(
  tf: Tf,
  program: Program,
  weights: ReadonlyMap<string, WeightValue>,
): Runtime<TfTensor> {
  const fromTensor = ({ data, shape, dtype }: Tensor) => tf.tensor(data, [...shape], dtype)
  /** By id, which a node keeps when sizes are put in. */
  const frozen = new Map<number, TfTensor>()
  for (const [name, node] of program.weights) {
    const value = weights.get(name)
    if (value) frozen.set(node.id, fromTensor(inMemory(value)))
  }
  for (const node of program.nodes) {
    if (node.operator !== 'constant') continue
    frozen.set(node.id, fromTensor({ dtype: node.dtype, ...node.parameters }))
  }

  return {
    run: async (inputs, variables, { sizes, outputs }) => {
      const bound = sizes.size === 0 ? program : bindSizes(program, sizes)
      const garbage = lastReads(bound)
      const values = new Map<Node, TfTensor>()
      const leaves = new Map<number, TfTensor | undefined>(frozen)
      for (const [name, { id }] of bound.inputs) leaves.set(id, inputs.get(name))
      for (const [name, { id }] of bound.variables) leaves.set(id, variables.get(name))
      const evaluation: Evaluation = {
        tf,
        value: (node) => required(values.get(node), node),
        leaf: (node) => required(leaves.get(node.id), node),
      }
      for (const node of bound.nodes) {
        values.set(
          node,
          tf.tidy(() => applyTable(evaluations, node, evaluation)),
        )
        for (const dead of garbage.get(node) ?? []) values.get(dead)?.dispose()
      }
      const copies = (nodes: ReadonlyMap<string, Node>) =>
        new Map([...nodes].map(([name, node]) => [name, evaluation.value(node).clone()]))
      const asked = new Map([...bound.outputs].filter(([name]) => outputs.includes(name)))
      const result = { outputs: copies(asked), updates: copies(bound.updates) }
      for (const node of [...bound.outputs.values(), ...bound.updates.values()]) {
        const value = values.get(node)
        if (value && !value.isDisposed) value.dispose()
      }
      return result
    },
    fromTensor,
    toTensor: async (value) => ({
      dtype: value.dtype === 'int32' ? 'int32' : 'float32',
      shape: value.shape,
      data: (await value.data()).slice() as Float32Array | Int32Array,
    }),
    release: (value) => value.dispose(),
    close: async () => {
      for (const value of frozen.values()) value.dispose()
    },
  }
}

/** By node: the nodes that nothing needs once it has run. */
function lastReads(program: Program): ReadonlyMap<Node, readonly Node[]> {
  const kept = new Set([...program.outputs.values(), ...program.updates.values()])
  const lastReader = new Map<Node, Node>()
  for (const node of program.nodes) {
    for (const operand of node.inputs) lastReader.set(operand, node)
  }
  const dead = new Map<Node, Node[]>()
  for (const [node, reader] of lastReader) {
    if (!kept.has(node)) dead.set(reader, [...(dead.get(reader) ?? []), node])
  }
  return dead
}

function required(value: TfTensor | undefined, node: { readonly id: number }): TfTensor {
  if (value) return value
  throw new RangeError(`%${node.id} has no value`)
}
