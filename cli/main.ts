#!/usr/bin/env node
import { CotuneError, EXIT } from '#base'
import { reportError } from './report-error.ts'
import { runCli } from './run-cli.ts'

// React reads this when it is first imported; its development build is slower and noisier.
process.env.NODE_ENV ??= 'production'

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // `cotune status --watch | head`: nobody reads any more, so there is nothing left to do.
  if (error.code === 'EPIPE') process.exit(EXIT.ok)
  const failure = new CotuneError('CLI_OUTPUT', `cannot write the output: ${error.message}`, {
    hint: 'what was printed is not whole: free some space, or send it elsewhere',
    cause: error,
  })
  process.exit(reportError(failure, false, process))
})
// Complaints that nobody reads change nothing: the exit code still says how it went.
process.stderr.on('error', () => undefined)

// Set, not passed to process.exit: what is still buffered on a pipe must get out.
process.exitCode = await runCli(process.argv.slice(2), process)
