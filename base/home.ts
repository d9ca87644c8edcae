import { accessSync, constants, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { CotuneError, EXIT } from './errors.ts'

/**
 * The folder of one peer: keys, database, socket. The flag wins, then `COTUNE_HOME`, then `$XDG_DATA_HOME/cotune`.
 * Created with mode 0700 if it is missing.
 *
 * @throws CotuneError `HOME_UNUSABLE` when it cannot be created or written to.
 */
export function cotuneHome(flag?: string, env: NodeJS.ProcessEnv = process.env): string {
  const home = resolve(flag || env.COTUNE_HOME || join(dataHome(env), 'cotune'))
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 })
    accessSync(home, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (cause) {
    throw new CotuneError('HOME_UNUSABLE', `cannot use ${home} as Cotune's home`, {
      hint: 'choose a folder you may write to: --home DIR or COTUNE_HOME',
      cause,
      data: { home },
      exit: EXIT.config,
    })
  }
  return home
}

/**
 * The folder of the models of this user, which all peers of the machine share: `COTUNE_MODELS`, then
 * `$XDG_DATA_HOME/cotune-models`. It need not exist.
 */
export function modelLibraryPath(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env.COTUNE_MODELS || join(dataHome(env), 'cotune-models'))
}

/**
 * What can be made again of a user's models: bases prepared for the engine, compiled programs. `COTUNE_CACHE`, then
 * `$XDG_CACHE_HOME/cotune`, then `~/.cache/cotune`. It need not exist.
 */
export function modelCachePath(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(
    env.COTUNE_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'cotune'),
  )
}

/** XDG base directories: an unset or empty variable means `~/.local/share`. */
function dataHome(env: NodeJS.ProcessEnv): string {
  return env.XDG_DATA_HOME || join(homedir(), '.local', 'share')
}
