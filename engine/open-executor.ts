import { createExecutor } from './create-executor.ts'
import type { Executor, ExecutorName, ExecutorOptions, ProviderName } from './executor.ts'
import { chooseProvider } from './onnx/probe-providers.ts'
import type { ProviderProbe } from './provider-probe.ts'
import { loadTensorflow } from './tensorflow/load-tensorflow.ts'

export interface OpenExecutorInit extends Omit<ExecutorOptions, 'provider'> {
  readonly executor?: ExecutorName | undefined
  /** `cpu` unless told; `auto` takes the best that works. TensorFlow takes what it has. */
  readonly provider?: ProviderName | 'auto' | undefined
}

/** What programs are run on. */
export interface EngineInfo {
  readonly executor: ExecutorName
  /** An execution provider of ONNX Runtime; for TensorFlow.js its backend: `tensorflow` is the native library, `wasm` is not. */
  readonly provider: string
  /** What was tried, in that order, the one in use last. */
  readonly probes: readonly ProviderProbe[]
}

export interface OpenedExecutor {
  readonly executor: Executor
  readonly info: EngineInfo
}

/**
 * An executor on hardware that was found to work.
 *
 * @throws ENGINE_PROVIDER_MISSING, ENGINE_TENSORFLOW_MISSING
 */
export async function openExecutor(init: OpenExecutorInit): Promise<OpenedExecutor> {
  const { executor: name = 'onnxruntime', provider: wanted = 'cpu', ...options } = init
  if (name === 'tensorflow') {
    const { backend, reason } = await loadTensorflow()
    const native = { name: 'tensorflow', works: reason === '', reason }
    const probes = native.works ? [native] : [native, { name: backend, works: true, reason: '' }]
    return {
      executor: createExecutor(name, options),
      info: { executor: name, provider: backend, probes },
    }
  }
  const { provider, probes } = await chooseProvider(wanted)
  return {
    executor: createExecutor(name, { ...options, provider }),
    info: { executor: name, provider, probes },
  }
}
