import { CotuneError, EXIT, type Random } from '#base'
import { sizeOf, type Tensor, tensor, zeroTensor } from '#engine'
import type { CausalModel, Linear } from '#learning/models'

/** Tensors by name: those of a LoRA adapter, or all parameters of a model in full tuning. */
export type AdapterWeights = ReadonlyMap<string, Tensor>

/** Low-rank adaptation (Hu et al. 2021): y += x A^T B^T * alpha / rank. */
export interface LoraSpec {
  readonly rank: number
  readonly alpha: number
  /** Last parts of module names (`q_proj`, `mlp.c_fc`), or whole names. */
  readonly targets: readonly string[]
}

/** The names of PEFT, without its prefix `base_model.model.`. */
export const loraA = (module: string) => `${module}.lora_A.weight`
export const loraB = (module: string) => `${module}.lora_B.weight`

/**
 * The linear layers an adapter sits on, in the model's order.
 *
 * @throws CotuneError LORA_SPEC_INVALID if a target names no layer, or rank or alpha are not positive
 */
export function targetsOf(model: CausalModel, spec: LoraSpec): readonly Linear[] {
  if (!Number.isSafeInteger(spec.rank) || spec.rank < 1 || !(spec.alpha > 0))
    throw invalidSpec(model, `rank ${spec.rank} and alpha ${spec.alpha} must be positive`)
  const matches = ({ name }: Linear, target: string) =>
    name === target || name.endsWith(`.${target}`)
  for (const target of spec.targets)
    if (!model.linears.some((linear) => matches(linear, target)))
      throw invalidSpec(model, `no linear layer of a ${model.family} model is called ${target}`)
  return model.linears.filter((linear) => spec.targets.some((target) => matches(linear, target)))
}

/** Names and shapes of an adapter's tensors: A [rank, input], B [output, rank]. */
function adapterShapes(model: CausalModel, spec: LoraSpec): ReadonlyMap<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>()
  for (const { name, inputSize, outputSize } of targetsOf(model, spec)) {
    shapes.set(loraA(name), [spec.rank, inputSize])
    shapes.set(loraB(name), [outputSize, spec.rank])
  }
  return shapes
}

/** A new adapter: A uniform within 1 / sqrt(input) (PEFT's Kaiming start), B zero, so that it changes nothing yet. */
export function createAdapter(model: CausalModel, spec: LoraSpec, random: Random): AdapterWeights {
  const adapter = new Map<string, Tensor>()
  for (const [name, shape] of adapterShapes(model, spec)) {
    if (!name.endsWith('.lora_A.weight')) {
      adapter.set(name, zeroTensor(shape))
      continue
    }
    const bound = 1 / Math.sqrt(shape[1]!)
    const stream = random.fork(name)
    const values = Float32Array.from(
      { length: sizeOf(shape) },
      () => (2 * stream.next() - 1) * bound,
    )
    adapter.set(name, tensor(values, shape))
  }
  return adapter
}

/**
 * Checks that an adapter that came from elsewhere fits: the very names, shapes, finite numbers.
 *
 * @throws CotuneError LORA_ADAPTER_MISMATCH
 */
export function checkAdapter(model: CausalModel, spec: LoraSpec, adapter: AdapterWeights): void {
  const shapes = adapterShapes(model, spec)
  for (const name of adapter.keys())
    if (!shapes.has(name)) throw mismatch(name, `${name} is not part of this adapter`)
  for (const [name, shape] of shapes) {
    const given = adapter.get(name)
    if (given === undefined) throw mismatch(name, `${name} is missing`)
    if (given.dtype !== 'float32' || given.shape.join() !== shape.join())
      throw mismatch(
        name,
        `${name} is ${given.dtype} [${given.shape}], expected float32 [${shape}]`,
      )
    if (!given.data.every(Number.isFinite))
      throw mismatch(name, `${name} holds a value that is not finite`)
  }
}

function mismatch(tensorName: string, message: string): CotuneError {
  return new CotuneError('LORA_ADAPTER_MISMATCH', `the adapter does not fit: ${message}`, {
    hint: 'Use the adapter with the base model, rank and targets it was trained for.',
    data: { tensor: tensorName },
    exit: EXIT.data,
  })
}

function invalidSpec(model: CausalModel, message: string): CotuneError {
  const known = [...new Set(model.linears.map(({ name }) => name.split('.').at(-1)))].join(', ')
  return new CotuneError('LORA_SPEC_INVALID', message, {
    hint: `Choose targets among ${known}.`,
    exit: EXIT.config,
  })
}
