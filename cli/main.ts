#!/usr/bin/env node
import { runCli } from './run-cli.ts'

// React reads this when it is first imported; its development build is slower and noisier.
process.env.NODE_ENV ??= 'production'

// `cotune status --watch | head`: nobody reads any more, so there is nothing left to do.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1)
})

// Set, not passed to process.exit: what is still buffered on a pipe must get out.
process.exitCode = await runCli(process.argv.slice(2), process)
