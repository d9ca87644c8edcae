import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { FakeHub } from './fake-hub.ts'
import { COMMIT } from './tiny-repository.ts'

/** Serves a model folder as a hub would, to try `cotune model pull` by hand; docs/development.md says how. */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '8899' },
    rate: { type: 'string', default: 'Infinity' },
    token: { type: 'string' },
  },
})
const [folder = 'zoo/llm', name = 'org/model'] = positionals
const files = readdirSync(folder).map((file) => [file, readFileSync(join(folder, file))] as const)
const hub = new FakeHub()
hub.bytesPerSecond = Number(values.rate)
hub.repositories.set(name, {
  commit: COMMIT,
  files: new Map(files),
  ...(values.token === undefined ? {} : { token: values.token }),
})
await hub.start(Number(values.port))
process.stdout.write(`${hub.endpoint} has ${name}\n`)
