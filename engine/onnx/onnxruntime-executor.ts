import { availableParallelism } from 'node:os'
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { CotuneError, errorMessage } from '#base'
import type { Executor, ExecutorOptions } from '../executor.ts'
import type { Program } from '../program.ts'
import { checkWeights, createSession, type Runtime } from '../session.ts'
import type { Tensor } from '../tensor.ts'
import { loadOnnxruntime } from './load-onnxruntime.ts'
import type { LoweredProgram } from './lower-to-onnx.ts'
import type { OnnxModel } from './onnx-graph.ts'
import { onnxName } from './onnx-name.ts'

type Ort = typeof import('onnxruntime-node')

/**
 * Runs programs in ONNX Runtime on the CPU. A run occupies the calling thread until it ends, so a process that must
 * answer meanwhile (a peer of a mesh) trains in a worker of its own.
 */
export function createOnnxruntimeExecutor(options: ExecutorOptions = {}): Executor {
  return {
    name: 'onnxruntime',
    compile: async (program, { weights = new Map(), prepack = true } = {}) => {
      const ort = await loadOnnxruntime()
      // Loaded here and not above: who only looks at a checkpoint needs no ONNX.
      const { lowerToOnnx } = await import('./lower-to-onnx.ts')
      const model = lowerToOnnx(program, checkWeights(program, weights))
      const session = await load(ort, model, { ...options, prepack: prepack || hasBlocks(program) })
      return createSession(program, createRuntime(ort, session, model))
    },
  }
}

async function load(
  ort: Ort,
  { bytes, external, root }: OnnxModel,
  {
    threads = availableParallelism(),
    spin = false,
    provider = 'cpu',
    prepack,
  }: ExecutorOptions & { readonly prepack: boolean },
): Promise<InferenceSession> {
  try {
    return await ort.InferenceSession.create(bytes, {
      externalData: [...external].map(([path, data]) => ({ path, data })),
      executionProviders: [provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // The lowering writes fused operators itself, and the order in which it lists them decides about memory.
      graphOptimizationLevel: 'disabled',
      // A planned block comes on top of what the first run has taken: two fifths of a training step's memory.
      enableMemPattern: false,
      logSeverityLevel: 3,
      extra: {
        session: {
          intra_op: { allow_spinning: spin ? '1' : '0' },
          // Moments of AdamW decay into denormals, which are many times slower.
          set_denormal_as_zero: '1',
          ...(prepack ? {} : { disable_prepacking: '1' }),
          ...(root === undefined ? {} : { model_external_initializers_file_folder_path: root }),
        },
      },
    })
  } catch (error) {
    throw new CotuneError(
      'ENGINE_COMPILE_FAILED',
      `ONNX Runtime refused the program: ${errorMessage(error)}`,
      { hint: 'printProgram shows the program; the message names the node.', cause: error },
    )
  }
}

/** Products by weights in blocks are fast on packed blocks only. */
function hasBlocks({ weights }: Program): boolean {
  return [...weights.values()].some(({ parameters }) => parameters.format !== 'float32')
}

function createRuntime(
  ort: Ort,
  session: InferenceSession,
  lowered: LoweredProgram,
): Runtime<OrtTensor> {
  return {
    run: async (inputs, variables, { outputs }) => {
      const feeds: Record<string, OrtTensor> = {}
      for (const [name, value] of inputs) feeds[onnxName.input(name)] = value
      for (const [name, value] of variables) feeds[onnxName.variable(name)] = value
      const asked = new Map([...lowered.outputs].filter(([name]) => outputs.includes(name)))
      const fetches = [...asked.values(), ...lowered.updates.values()]
      const results = await session.run(feeds, fetches)
      return { outputs: pick(results, asked), updates: pick(results, lowered.updates) }
    },
    fromTensor: ({ dtype, data, shape }) => new ort.Tensor(dtype, data, shape),
    toTensor,
    release: () => undefined,
    close: () => session.release(),
  }
}

function pick(
  results: InferenceSession.OnnxValueMapType,
  names: ReadonlyMap<string, string>,
): ReadonlyMap<string, OrtTensor> {
  return new Map([...names].map(([name, onnx]) => [name, results[onnx] as OrtTensor]))
}

function toTensor({ type, data, dims }: OrtTensor): Tensor {
  return {
    dtype: type === 'int32' ? 'int32' : 'float32',
    shape: dims,
    data: data as Float32Array | Int32Array,
  }
}
