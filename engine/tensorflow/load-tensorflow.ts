import { CotuneError, errorMessage } from '#base'
import type { Tf } from './evaluation.ts'

export interface LoadedTensorflow {
  readonly tf: Tf
  /** `tensorflow` is the native library, `wasm` is WebAssembly on one thread. */
  readonly backend: string
  /** Why the native library is not used; empty when it is. */
  readonly reason: string
}

let loaded: Promise<LoadedTensorflow> | undefined

/**
 * TensorFlow.js with its fastest backend here: the native library of @tensorflow/tfjs-node, else WebAssembly. Loaded
 * once a process.
 *
 * @throws ENGINE_TENSORFLOW_MISSING when neither can be loaded.
 */
export function loadTensorflow(): Promise<LoadedTensorflow> {
  loaded ??= importNative().catch((error: unknown) => importWebAssembly(errorMessage(error)))
  return loaded
}

async function importNative(): Promise<LoadedTensorflow> {
  // Not a literal: the package is optional, and its types come from tfjs-core.
  const name = '@tensorflow/tfjs-node'
  const { default: tf } = (await import(name)) as { readonly default: Tf }
  await tf.ready()
  // On Node 23 and newer tfjs-node 4.22 loads, and then fails at the first tensor.
  tf.tidy(() => tf.add(tf.tensor1d([1, 2]), 1).dataSync())
  return { tf, backend: tf.getBackend(), reason: '' }
}

async function importWebAssembly(reason: string): Promise<LoadedTensorflow> {
  try {
    const tf = await import('@tensorflow/tfjs-core')
    await import('@tensorflow/tfjs-backend-wasm')
    await tf.setBackend('wasm')
    return { tf, backend: 'wasm', reason: reason.split('\n')[0] ?? '' }
  } catch (error) {
    throw new CotuneError('ENGINE_TENSORFLOW_MISSING', 'TensorFlow.js cannot be loaded', {
      hint: 'npm install @tensorflow/tfjs-node, or choose the onnxruntime executor.',
      cause: error,
    })
  }
}
