import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CotuneError, EXIT, isCotuneError } from '#base'
import { type ApiClient, controlSocketPath, createApiClient } from '#protocols/api'

const LOG_LINES = 12
const POLL_MS = 100
const STOP_MS = 8_000

/** A peer of a local mesh, wherever it runs. */
export interface MeshPeer {
  readonly name: string
  readonly client: ApiClient
}

export interface ChildPeerInit {
  readonly name: string
  readonly home: string
  /** Program and arguments that run this same command line. */
  readonly command: readonly string[]
  /** The command and its options: `daemon --home ...`. */
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

/**
 * A daemon or cloud peer as a child process. Its log goes to a file, not to a pipe that nobody may drain; an IPC channel ties
 * its life to this process: however this one ends, the channel closes and the child stops.
 */
export class ChildPeer implements MeshPeer {
  readonly name: string
  readonly client: ApiClient
  /** Rejects with MESH_PEER_DIED when the process ends without having been told to. */
  readonly died: Promise<never>
  readonly logPath: string
  readonly #child: ChildProcess
  #stopping = false

  constructor(init: ChildPeerInit) {
    const [program = process.execPath, ...args] = [...init.command, ...init.args]
    this.name = init.name
    this.client = createApiClient(controlSocketPath(init.home))
    this.logPath = join(init.home, 'log.ndjson')
    const log = openSync(this.logPath, 'a', 0o600)
    this.#child = spawn(program, args, {
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, ...init.env },
    })
    closeSync(log)
    this.died = this.#watch()
    // Whoever waits for it sees the failure; nobody waiting must not end this process.
    this.died.catch(() => undefined)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Resolves when the peer says that it is ready. */
  async ready(signal?: AbortSignal): Promise<void> {
    await Promise.race([this.#pollReady(signal), this.died])
  }

  /** SIGTERM, and SIGKILL if that does not end it in time. */
  async stop(): Promise<void> {
    this.#stopping = true
    if (this.#hasEnded()) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(timer)
  }

  /** SIGKILL; resolves when it is gone. Called without a wait in the last moments of this process. */
  async kill(): Promise<void> {
    this.#stopping = true
    if (this.#hasEnded()) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }

  #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  async #pollReady(signal: AbortSignal | undefined): Promise<void> {
    while (!this.#hasEnded()) {
      signal?.throwIfAborted()
      try {
        if ((await this.client.health(signal)).ready) return
      } catch (error) {
        if (!isCotuneError(error, 'API_UNREACHABLE')) throw error
      }
      await delay(POLL_MS, undefined, signal === undefined ? {} : { signal })
    }
    await this.died
  }

  async #watch(): Promise<never> {
    const how = await new Promise<string>((resolve) => {
      this.#child.once('error', (error) => resolve(error.message))
      this.#child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
    })
    // Never settles for a peer that was stopped: there is nothing to tell.
    if (this.#stopping) return new Promise<never>(() => undefined)
    const log = await lastLines(this.logPath)
    throw new CotuneError(
      'MESH_PEER_DIED',
      `${this.name} ended (${how})${log === '' ? '' : `; its log ends:\n${log}`}`,
      {
        hint: 'correct what its log names; --keep leaves all logs in place',
        data: { name: this.name, how },
        exit: EXIT.unhealthy,
      },
    )
  }
}

async function lastLines(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text
    .trimEnd()
    .split('\n')
    .slice(-LOG_LINES)
    .map((line) => `  ${line}`)
    .join('\n')
    .trimEnd()
}
