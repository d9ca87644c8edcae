import type { Tf } from '../../engine/tensorflow/evaluation.ts'

/**
 * Runs `work` on the plain JavaScript backend of the full @tensorflow/tfjs, which also has the gradients of its
 * operators. Its engine is one a process, shared with the executor, so the executor's backend is put back.
 */
export async function onOracle<T>(work: (tf: Tf) => T): Promise<T> {
  // The bundle: the Node build needs a package that npm may place out of its reach.
  const bundle = '@tensorflow/tfjs/dist/tf.min.js'
  const { default: tf } = (await import(bundle)) as { readonly default: Tf }
  tf.enableProdMode()
  const before = tf.getBackend()
  await tf.setBackend('cpu')
  try {
    return tf.tidy(() => work(tf) as never)
  } finally {
    if (before) await tf.setBackend(before)
  }
}
