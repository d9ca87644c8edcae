import { CotuneError } from '#base'
import type { Tf } from './evaluate.ts'

let library: Promise<Tf> | undefined

/**
 * TensorFlow.js with its fastest backend here: the native library of @tensorflow/tfjs-node, else WebAssembly. Loaded
 * once a process.
 *
 * @throws ENGINE_TENSORFLOW_MISSING when neither can be loaded.
 */
export function loadTensorflow(): Promise<Tf> {
  library ??= importNative().catch(importWebAssembly)
  return library
}

async function importNative(): Promise<Tf> {
  // Not a literal: the package is optional, and its types come from tfjs-core.
  const name = '@tensorflow/tfjs-node'
  const tf = (await import(name)) as Tf
  await tf.ready()
  return tf
}

async function importWebAssembly(): Promise<Tf> {
  try {
    const tf = await import('@tensorflow/tfjs-core')
    await import('@tensorflow/tfjs-backend-wasm')
    await tf.setBackend('wasm')
    return tf
  } catch (error) {
    throw new CotuneError('ENGINE_TENSORFLOW_MISSING', 'TensorFlow.js cannot be loaded', {
      hint: 'npm install @tensorflow/tfjs-node, or choose the onnxruntime executor.',
      cause: error,
    })
  }
}
