import { CotuneError, packagePath } from '#base'

/**
 * Program and arguments that run this command line again: the same file, with the same flags of Node (from source, those of tsx).
 */
export function ownCommand(): readonly string[] {
  const entry = process.argv[1]
  if (entry === undefined) {
    throw new CotuneError('CLI_NO_ENTRY', 'cannot tell which file this command line is', {
      hint: `run it as a file: node ${packagePath('dist', 'cli', 'main.js')}`,
    })
  }
  return [process.execPath, ...process.execArgv, entry]
}
