import { CotuneError, errorMessage, isCotuneError } from '#base'

import type { Bench } from './bench.ts'

/** `npm run bench -- NAME [--json]`. */
const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  decode: async () => (await import('./decode.ts')).decodeBench,
  executors: async () => (await import('./executors.ts')).executorsBench,
  grow: async () => (await import('./grow.ts')).growBench,
  step: async () => (await import('./step.ts')).stepBench,
  study: async () => (await import('./study.ts')).studyBench,
}

async function main(args: readonly string[]): Promise<void> {
  const names = args.filter((arg) => !arg.startsWith('--'))
  const load = benches[names[0] ?? '']
  if (!load) {
    throw new CotuneError('BENCH_UNKNOWN', `there is no bench "${names[0] ?? ''}"`, {
      hint: `npm run bench -- ${Object.keys(benches).join('|')} [--json]`,
      exit: 2,
    })
  }
  const bench = await load()
  await bench.run({ json: args.includes('--json'), args: args.slice(1) })
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  console.error(errorMessage(error))
  if (isCotuneError(error)) console.error(error.hint)
  process.exitCode = isCotuneError(error) ? error.exit : 1
}
