import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findLlamaCpp } from '../../../../bench/decode/find-llama-cpp.ts'
import { writeGguf } from '../../../../bench/decode/write-gguf.ts'
import { RECORDED_MODELS, recordOf, saveRecordedModel } from './recorded-models.ts'

// Records what llama.cpp computes with the models of recorded-models.ts:
//   npx tsx --conditions=cotune-source test/learning/models/recorded/record-logits.ts
// where node-llama-cpp is installed as docs/benchmarks.md says.

/** What is used of node-llama-cpp. */
interface LlamaCpp {
  getLlama(options: object): Promise<{
    loadModel(options: object): Promise<{
      createContext(options: object): Promise<{ getSequence(): Sequence }>
    }>
  }>
}
interface Sequence {
  controlledEvaluate(
    input: readonly [number, object][],
  ): Promise<readonly ({ readonly next: { readonly logits: Map<number, number> } } | undefined)[]>
  evaluate(ids: readonly number[], options: object): AsyncIterable<number>
  clearHistory(): Promise<void>
}

const PROMPT = Array.from({ length: 40 }, (_, i) => 3 + ((37 * i * i + 11 * i) % 297))
const POSITIONS = [0, 7, 23, 39]
const GREEDY_TOKENS = 12
const DIGITS = 7

const module = findLlamaCpp()
if (module === undefined) throw new Error('node-llama-cpp is not installed beside this')
const { getLlama } = (await import(module)) as LlamaCpp
const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error' })
for (const name of Object.keys(RECORDED_MODELS)) {
  const folder = await mkdtemp(join(tmpdir(), 'record-'))
  try {
    await saveRecordedModel(name, join(folder, name))
    const path = await writeGguf(join(folder, name), 'f32')
    await writeFile(recordOf(name), `${JSON.stringify(await record(path))}\n`)
    console.log(recordOf(name))
  } finally {
    await rm(folder, { recursive: true })
  }
}
process.exit(0)

async function record(modelPath: string) {
  const model = await llama.loadModel({ modelPath })
  const context = await model.createContext({
    contextSize: 256,
    sequences: 1,
    flashAttention: false,
    // Half precision otherwise, which would be all that is seen.
    experimentalKvCacheKeyType: 'F32',
    experimentalKvCacheValueType: 'F32',
  })
  const sequence = context.getSequence()
  const every = await sequence.controlledEvaluate(
    PROMPT.map((id) => [id, { generateNext: { logits: true } }]),
  )
  await sequence.clearHistory()
  const greedy: number[] = []
  for await (const id of sequence.evaluate(PROMPT, { temperature: 0, yieldEogToken: true }))
    if (greedy.push(id) === GREEDY_TOKENS) break
  const rows = POSITIONS.map((position) => byId(every[position]!.next.logits))
  return { input_ids: [PROMPT], positions: [POSITIONS], logits: [rows], greedy }
}

function byId(logits: ReadonlyMap<number, number>): readonly number[] {
  return Array.from({ length: logits.size }, (_, id) => Number(logits.get(id)!.toPrecision(DIGITS)))
}
