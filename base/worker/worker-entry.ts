import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { WorkerOptions } from 'node:worker_threads'

/** What a worker is started from, and with. */
export interface WorkerEntry {
  readonly url: URL
  readonly options: Pick<WorkerOptions, 'execArgv'>
}

/**
 * The module `name` beside the one that asks, as the entry of a worker: compiled in `dist/`; else TypeScript, which the worker reads
 * through tsx whatever reads it in this thread (tsx itself, or vitest).
 *
 * @param name a file name without its ending
 * @param from `import.meta.url` of the caller
 */
export function workerEntry(name: string, from: string): WorkerEntry {
  if (!from.endsWith('.ts')) return { url: new URL(`./${name}.js`, from), options: {} }
  const entry = new URL(`./${name}.ts`, from)
  // A development dependency, so found only when it is needed. On Node 20 its `--import` reaches no worker.
  const tsx = pathToFileURL(createRequire(from).resolve('tsx/package.json'))
  const api = new URL('./dist/esm/api/index.mjs', tsx)
  const code = `import { register } from '${api}'\nregister()\nawait import('${entry}')`
  return {
    url: new URL(`data:text/javascript,${encodeURIComponent(code)}`),
    options: { execArgv: ['--conditions=cotune-source'] },
  }
}
