import { packagePath } from '#base'

/** Program and arguments that run the command line from source. */
export const SOURCE_COMMAND: readonly string[] = [
  process.execPath,
  '--import',
  'tsx',
  '--conditions=cotune-source',
  packagePath('cli', 'main.ts'),
]
