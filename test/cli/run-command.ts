import { runCli } from '../../cli/run-cli.ts'
import { fakeIo } from './fake-io.ts'

/** Runs a command line in this process; what it printed and would exit with. */
export async function runCommand(...argv: readonly string[]) {
  const { io, written } = fakeIo()
  const exitCode = await runCli(argv, io)
  return { exitCode, ...written }
}
