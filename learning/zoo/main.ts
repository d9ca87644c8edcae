import { parseArgs } from 'node:util'
import { errorMessage, isCotuneError, packagePath } from '#base'
import { buildZoo } from './build.ts'

const USAGE = `npm run zoo -- [--data DIR] [--out DIR] [--only llm,dpm,...] [--threads N]

Trains the models of zoo/ from scratch: tokenizers, three small models, the large model, the proxy model distilled from it.
Models that are already in --out are kept; remove a folder to make it again. Takes up to two hours on two cores.

  --data DIR     suite/, sni/ and corpus/ (default ../shared/data)
  --out DIR      where the models go (default zoo)
`

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    out: { type: 'string' },
    only: { type: 'string' },
    threads: { type: 'string' },
    help: { type: 'boolean' },
  },
})

if (values.help) process.stdout.write(USAGE)
else {
  try {
    await buildZoo({
      data: values.data ?? packagePath('..', 'shared', 'data'),
      out: values.out ?? packagePath('zoo'),
      ...(values.only === undefined ? {} : { only: values.only.split(',') }),
      ...(values.threads === undefined ? {} : { threads: Number(values.threads) }),
      log: (line) => process.stderr.write(`${new Date().toISOString()} ${line}\n`),
    })
  } catch (error) {
    process.stderr.write(`${errorMessage(error)}\n`)
    if (isCotuneError(error)) process.stderr.write(`${error.hint}\n`)
    process.exitCode = 1
  }
}
