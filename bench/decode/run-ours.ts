import { createExecutor } from '#engine'
import { Generator } from '#learning/generate'
import { openFrozenBase } from '#learning/models'
import { type DecodeSpec, promptIds } from './decode-spec.ts'
import { serveDecoding } from './serve-decoding.ts'

/** A contender: our Generator, one sequence, greedy. */
const { path, base, prompt, answer, threads } = JSON.parse(process.argv[2]!) as DecodeSpec
const generator = await Generator.create({
  checkpoint: await openFrozenBase(path, { precision: base }),
  executor: createExecutor('onnxruntime', { threads, spin: true }),
  batch: 1,
  maxPrompt: prompt,
  maxNew: answer + 1,
  stopIds: [],
})
const ids = promptIds(prompt)

await serveDecoding(async (onToken) => {
  await generator.generateIds([ids], { onId: onToken })
})
