import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytesOf, createRandom, writeFileAtomic } from '#base'
import { sizeOf } from '#engine'
import { type CausalModel, createModel, type HfConfig } from '#learning/models'

const DEVIATION = 0.02
const PIECE = 2 ** 20

/**
 * A Hugging Face folder with `config` and seeded random numbers: normal with deviation 0.02, norms 1, biases 0. Written once, piece
 * by piece, into $COTUNE_BENCH_CACHE or a folder for temporary files; later calls find it there.
 *
 * @returns the folder
 */
export async function randomCheckpoint(name: string, config: HfConfig): Promise<string> {
  const digest = createHash('sha256').update(JSON.stringify(config)).digest('hex').slice(0, 8)
  const folder = join(benchCache(), `${name}-${digest}`)
  const weights = join(folder, 'model.safetensors')
  if (existsSync(weights)) return folder
  await writeFileAtomic(join(folder, 'config.json'), JSON.stringify(config, null, 2))
  await writeFileAtomic(weights, safetensors(createModel(config)))
  return folder
}

/** Where what a bench makes for itself is kept. */
export function benchCache(): string {
  return process.env.COTUNE_BENCH_CACHE ?? join(tmpdir(), 'cotune-bench')
}

function* safetensors({ parameters }: CausalModel): Generator<Uint8Array> {
  let begin = 0
  const entries = Array.from(parameters, ([name, shape]) => {
    const end = begin + 4 * sizeOf(shape)
    const entry = [name, { dtype: 'F32', shape, data_offsets: [begin, end] }]
    begin = end
    return entry
  })
  const json = JSON.stringify(Object.fromEntries(entries))
  const header = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ')
  header.writeBigUInt64LE(BigInt(header.length - 8), 0)
  header.write(json, 8)
  yield header
  const random = createRandom('bench')
  for (const [name, shape] of parameters) {
    const draw = drawerOf(name, () => DEVIATION * random.normal())
    for (let left = sizeOf(shape); left > 0; left -= PIECE)
      yield bytesOf(Float32Array.from({ length: Math.min(left, PIECE) }, draw))
  }
}

function drawerOf(name: string, normal: () => number): () => number {
  if (name.endsWith('norm.weight')) return () => 1
  return name.endsWith('.bias') ? () => 0 : normal
}
