import { CotuneError } from '#base'
import { type BoundSizes, bindShape } from './dynamic-sizes.ts'
import type { Session } from './executor.ts'
import { describeNode, type Node, type NodeOf } from './node.ts'
import type { Program } from './program.ts'
import { type Shape, sameShape, type Tensor, zeroTensor } from './tensor.ts'
import type { WeightValue } from './weights.ts'

/** What a runtime does for a session; `Value` is its own kind of tensor. */
export interface Runtime<Value> {
  run(
    inputs: ReadonlyMap<string, Value>,
    variables: ReadonlyMap<string, Value>,
    asked: Asked,
  ): Promise<{
    readonly outputs: ReadonlyMap<string, Value>
    readonly updates: ReadonlyMap<string, Value>
  }>
  fromTensor(tensor: Tensor): Value
  toTensor(value: Value): Tensor | Promise<Tensor>
  /** Frees a value that nothing refers to any more. */
  release(value: Value): void
  close(): Promise<void>
}

/** What one run is about beside its values. */
interface Asked {
  /** Names of the outputs to return. */
  readonly outputs: readonly string[]
  readonly sizes: BoundSizes
}

/** A session on a runtime: checks what is fed, holds the variables, serves one call after the other. */
export function createSession<Value>(program: Program, runtime: Runtime<Value>): Session {
  const variables = new Map<string, Value>()
  for (const [name, { shape }] of program.variables) {
    variables.set(name, runtime.fromTensor(zeroTensor(shape)))
  }
  let last: Promise<unknown> = Promise.resolve()
  let closed = false

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (closed) {
      throw new CotuneError('ENGINE_SESSION_CLOSED', 'the session is closed', {
        hint: 'Compile the program again.',
      })
    }
    const result = last.then(work)
    last = result.catch(() => undefined)
    return result
  }

  function setVariable(name: string, value: Value): void {
    const before = variables.get(name)
    variables.set(name, value)
    if (before !== undefined) runtime.release(before)
  }

  function requireVariable(name: string): Node {
    const node = program.variables.get(name)
    if (node) return node
    throw new CotuneError('ENGINE_UNKNOWN_VARIABLE', `the program has no variable "${name}"`, {
      hint: `It has ${listNames(program.variables)}.`,
    })
  }

  return {
    program,
    run: (feeds, { outputs: names = [...program.outputs.keys()] } = {}) =>
      inTurn(async () => {
        const sizes = new Map<number, number>()
        const inputs = new Map<string, Value>()
        for (const [name, tensor] of checkFeeds(program, feeds, sizes)) {
          inputs.set(name, runtime.fromTensor(tensor))
        }
        const { outputs, updates } = await runtime.run(inputs, variables, {
          outputs: names,
          sizes,
        })
        for (const value of inputs.values()) runtime.release(value)
        for (const [name, value] of updates) setVariable(name, value)
        const tensors: Record<string, Tensor> = {}
        for (const [name, value] of outputs) {
          tensors[name] = await runtime.toTensor(value)
          runtime.release(value)
        }
        return tensors
      }),
    writeVariables: (values) =>
      inTurn(async () => {
        for (const [name, tensor] of values) checkTensor(requireVariable(name), tensor)
        for (const [name, tensor] of values) setVariable(name, runtime.fromTensor(tensor))
      }),
    readVariables: (names = [...program.variables.keys()]) =>
      inTurn(async () => {
        const values = new Map<string, Tensor>()
        for (const name of names) {
          requireVariable(name)
          const value = variables.get(name)
          if (value !== undefined) values.set(name, await runtime.toTensor(value))
        }
        return values
      }),
    close: async () => {
      if (closed) return
      const closing = inTurn(async () => {
        for (const value of variables.values()) runtime.release(value)
        variables.clear()
        await runtime.close()
      })
      closed = true
      await closing
    },
  }
}

/**
 * Every weight of a program, in its order.
 *
 * @throws ENGINE_MISSING_WEIGHT, ENGINE_WRONG_TENSOR
 */
export function checkWeights(
  program: Program,
  weights: ReadonlyMap<string, WeightValue>,
): ReadonlyMap<string, WeightValue> {
  const checked = new Map<string, WeightValue>()
  for (const [name, node] of program.weights) {
    const value = weights.get(name)
    if (!value) {
      throw new CotuneError('ENGINE_MISSING_WEIGHT', `no value for ${describeNode(node)}`, {
        hint: 'The checkpoint may be of another family or incomplete.',
        data: { weight: name },
      })
    }
    checkWeight(node, value)
    checked.set(name, value)
  }
  return checked
}

function* checkFeeds(
  program: Program,
  feeds: Readonly<Record<string, Tensor>>,
  sizes: Map<number, number>,
): Generator<readonly [string, Tensor]> {
  for (const name of Object.keys(feeds)) {
    if (program.inputs.has(name)) continue
    throw new CotuneError('ENGINE_UNKNOWN_FEED', `the program has no input "${name}"`, {
      hint: `It has ${listNames(program.inputs)}; an input that nothing needs is pruned.`,
    })
  }
  for (const [name, node] of program.inputs) {
    const tensor = feeds[name]
    if (!tensor) {
      throw new CotuneError('ENGINE_MISSING_FEED', `no value for ${describeNode(node)}`, {
        hint: 'Feed every input at every run.',
      })
    }
    checkTensor(node, tensor, sizes)
    yield [name, tensor]
  }
}

function checkWeight(node: NodeOf<'weight'>, value: WeightValue): void {
  if (value.dtype !== 'mapped' && value.dtype !== 'blocks') {
    checkTensor(node, value)
    return
  }
  const { format } = node.parameters
  const sameFormat =
    value.dtype === 'mapped'
      ? format === 'float32'
      : format !== 'float32' &&
        format.bits === value.format.bits &&
        format.blockSize === value.format.blockSize &&
        format.chunkRows === value.format.chunkRows
  if (!sameFormat || !sameShape(value.shape, node.shape)) throw wrongTensor(node, value)
}

function checkTensor(node: Node, tensor: Tensor, sizes = new Map<number, number>()): void {
  const { dtype, shape, data } = tensor
  const wanted = node.dtype === 'int32' ? Int32Array : Float32Array
  if (dtype === node.dtype && data instanceof wanted && bindShape(node.shape, shape, sizes)) return
  throw wrongTensor(node, tensor)
}

function wrongTensor(
  node: Node,
  given: { readonly dtype: string; readonly shape: Shape },
): CotuneError {
  return new CotuneError(
    'ENGINE_WRONG_TENSOR',
    `${describeNode(node)} was given ${given.dtype} [${given.shape}]`,
    { hint: 'Give a tensor of the dtype and shape that the program was built with.' },
  )
}

function listNames(named: ReadonlyMap<string, unknown>): string {
  return named.size === 0 ? 'none' : [...named.keys()].slice(0, 12).join(', ')
}
