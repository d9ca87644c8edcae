import { type DecodeSpec, promptIds } from './decode-spec.ts'
import { findLlamaCpp } from './find-llama-cpp.ts'
import { serveDecoding } from './serve-decoding.ts'

/** A contender: llama.cpp through node-llama-cpp, one sequence, greedy. What is used of it: */
interface LlamaCpp {
  getLlama(options: object): Promise<{
    loadModel(options: object): Promise<{
      createContext(options: object): Promise<{ getSequence(): Sequence }>
    }>
  }>
}
interface Sequence {
  evaluate(ids: readonly number[], options: object): AsyncIterable<number>
  clearHistory(): Promise<void>
}

const { path, prompt, answer, threads } = JSON.parse(process.argv[2]!) as DecodeSpec
const { getLlama } = (await import(findLlamaCpp()!)) as LlamaCpp
const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error', maxThreads: threads })
const model = await llama.loadModel({ modelPath: path })
const contextSize = prompt + answer + 1
const context = await model.createContext({ contextSize, threads, sequences: 1 })
const sequence = context.getSequence()
const ids = [...promptIds(prompt)]

await serveDecoding(async (onToken) => {
  let count = 0
  for await (const id of sequence.evaluate(ids, { temperature: 0, yieldEogToken: true })) {
    onToken(id)
    if (++count > answer) break
  }
  // After the last token, so that it is not counted.
  await sequence.clearHistory()
})
process.exit(0)
