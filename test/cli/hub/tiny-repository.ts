import { encodeSafetensors } from '#learning/models'
import { randomModel } from '../../learning/models/random-model.ts'
import { TINY } from '../../learning/models/tiny-models.ts'
import type { FakeRepository } from './fake-hub.ts'

export const COMMIT = '93efa2f097d58c2a74874c7e644dbc9b0cee75a2'

/** A checkpoint of a few kilobytes among what else a repository holds; `shards` cuts its weights into so many files. */
export function tinyRepository(seed = 'tiny', shards = 1): FakeRepository {
  const { weights } = randomModel(TINY.llama, seed)
  const files = new Map<string, Uint8Array>([
    ['README.md', Buffer.from('# Tiny')],
    ['config.json', Buffer.from(JSON.stringify(TINY.llama))],
    ['generation_config.json', Buffer.from('{}')],
    ['pytorch_model.bin', Buffer.alloc(10_000)],
    ['model.gguf', Buffer.alloc(10_000)],
  ])
  const names = [...weights.keys()]
  const weightMap: Record<string, string> = {}
  for (let shard = 0; shard < shards; shard++) {
    const file =
      shards === 1 ? 'model.safetensors' : `model-0000${shard + 1}-of-0000${shards}.safetensors`
    const part = names.filter((_, i) => i % shards === shard)
    for (const name of part) weightMap[name] = file
    const tensors = new Map(part.map((name) => [name, weights.get(name)!]))
    files.set(file, Buffer.concat([...encodeSafetensors(tensors)]))
  }
  if (shards > 1)
    files.set(
      'model.safetensors.index.json',
      Buffer.from(JSON.stringify({ weight_map: weightMap })),
    )
  return { commit: COMMIT, files, labels: ['v1.0', 'refs/pr/3'] }
}
