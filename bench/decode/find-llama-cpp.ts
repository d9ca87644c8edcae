import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { packagePath } from '#base'

/** Where node-llama-cpp was installed beside us, or in $COTUNE_BENCH_PEERS; undefined where it was not. */
export function findLlamaCpp(): string | undefined {
  for (const folder of [packagePath(), process.env.COTUNE_BENCH_PEERS]) {
    if (folder === undefined) continue
    try {
      return pathToFileURL(createRequire(join(folder, 'package.json')).resolve('node-llama-cpp'))
        .href
    } catch {
      // Not here.
    }
  }
  return undefined
}
