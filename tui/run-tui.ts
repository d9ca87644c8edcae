import { once } from 'node:events'
import { createRandom, type Numbered, systemClock } from '#base'
import type { PeerEvent } from '#protocols/api'
import { themeOf } from './drawing/theme.ts'
import { followPeer } from './follow-peer.ts'
import { Painter } from './painter.ts'
import { plainStatus } from './plain-status.ts'
import { renderOnce } from './render-once.ts'
import { viewOf } from './screens/view.ts'
import type { ScreenName } from './state/keymap.ts'
import { type Action, reduce } from './state/reduce.ts'
import { initialState, type TuiState } from './state/state.ts'
import { captureOutput } from './terminal/capture-output.ts'
import { guardTerminal } from './terminal/guard-terminal.ts'
import { Keyboard } from './terminal/keyboard.ts'
import { Screen } from './terminal/screen.ts'
import type { TuiClient } from './tui-client.ts'

export interface RunTuiOptions {
  readonly client: TuiClient
  /** The process's own unless told. */
  readonly stdout?: NodeJS.WriteStream
  readonly stdin?: NodeJS.ReadStream
  /** The screen to begin with; Mesh unless told. */
  readonly screen?: ScreenName
  /** Said in Help; there is nothing to write with yet. */
  readonly readOnly?: boolean
  /** Least time between two paints; at least 250 ms. Key presses are painted at once. */
  readonly refreshMs?: number
  /** ASCII characters only; from the locale unless told. */
  readonly ascii?: boolean
  /** Beats `NO_COLOR` and `FORCE_COLOR`. */
  readonly color?: boolean
  /** One frame without escape codes, then done. */
  readonly once?: boolean
  /** The person pressed q or Ctrl-C; the terminal is restored already. */
  readonly onQuit?: () => void
  readonly signal?: AbortSignal
}

const LEAST_REFRESH_MS = 250
const CLOCK_TICK_MS = 1_000
/** A peer that was restarted may hold fewer events than its snapshot counts; a frame does not wait for them for long. */
const HELD_EVENTS_MS = 1_000

/**
 * Shows a peer on the terminal until the person quits, a signal comes or `signal` aborts; then the terminal is as it was.
 * Without a terminal it prints the status as plain text once.
 * @throws what `client.call` throws, but only for `once` and without a terminal: a screen shows the failure and tries again
 */
export async function runTui(options: RunTuiOptions): Promise<void> {
  const { client, stdout = process.stdout, stdin = process.stdin } = options
  if (options.once || !stdout.isTTY || !stdin.isTTY) {
    stdout.write(`${await printed(options, stdout)}\n`)
    return
  }
  const live = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, live.signal]) : live.signal
  if (signal.aborted) return

  // React decides at its first import whether it is built for production.
  process.env.NODE_ENV ??= 'production'
  const { mountFrame } = await import('./frame.tsx')

  const theme = themeOf(process.env, options)
  const screen = new Screen(stdout, () => {
    dispatch({ type: 'resize', columns: screen.columns, rows: screen.rows })
  })
  const frame = mountFrame(screen, stdin)
  let state = initialState({
    columns: screen.columns,
    rows: screen.rows,
    now: Date.now(),
    screen: options.screen ?? 'mesh',
    readOnly: options.readOnly ?? false,
  })
  const painter = new Painter({
    intervalMs: Math.max(LEAST_REFRESH_MS, options.refreshMs ?? LEAST_REFRESH_MS),
    // A slow line has not taken the last frame yet: skip this one.
    paint: () => (stdout.writableNeedDrain ? painter.soon() : frame.show(viewOf(state, theme))),
  })
  const dispatch = (action: Action) => {
    if (signal.aborted) return
    state = reduce(state, action)
    if (action.type === 'key' || action.type === 'resize') painter.now()
    else painter.soon()
  }

  let quit = false
  const grant = (wish: TuiState['wish']) => {
    if (wish === 'repaint') screen.repaint()
    if (wish === 'suspend') guard.suspend()
    if (wish === 'quit') {
      quit = true
      live.abort()
    }
  }
  const keyboard = new Keyboard(stdin, (key) => {
    dispatch({ type: 'key', key })
    const { wish } = state
    if (wish === 'none') return
    dispatch({ type: 'granted' })
    grant(wish)
  })
  const enter = () => {
    screen.enter()
    keyboard.open()
    painter.now()
  }
  const leave = () => {
    painter.stop()
    keyboard.close()
    screen.leave()
  }
  const guard = guardTerminal({ process, enter, leave, onSignal: () => live.abort() })
  const release = captureOutput(terminalStreams(), (message, stream) => {
    const level = stream === process.stderr ? 'error' : 'info'
    dispatch({ type: 'captured', level, message, at: Date.now() })
  })
  // The terminal is gone: there is nobody left to show anything to.
  const hangUp = () => live.abort()
  for (const stream of [stdin, stdout]) stream.on('error', hangUp)
  stdin.on('end', hangUp)
  const tick = setInterval(() => dispatch({ type: 'tick', now: Date.now() }), CLOCK_TICK_MS)
  try {
    enter()
    const random = createRandom(`${process.pid} ${Date.now()}`)
    const follow = followPeer({ client, clock: systemClock, random, onArrival: dispatch, signal })
    // A call that hangs must not keep the screen.
    await Promise.race([follow, aborted(signal)])
  } finally {
    clearInterval(tick)
    leave()
    frame.unmount()
    release()
    guard.release()
    for (const stream of [stdin, stdout]) stream.off('error', hangUp)
    stdin.off('end', hangUp)
  }
  if (quit) options.onQuit?.()
}

/** Standard output and error, as far as they write on a terminal; a file they are sent to gets what is written. */
function terminalStreams(): readonly NodeJS.WriteStream[] {
  return [process.stdout, process.stderr].filter(({ isTTY }) => isTTY)
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

async function printed(
  { client, once: frame, screen, ascii, signal }: RunTuiOptions,
  stdout: NodeJS.WriteStream,
): Promise<string> {
  const status = await client.call('GET /v1/status', undefined, signal)
  if (!frame) return plainStatus(status)
  return renderOnce(status, {
    events: await heldEvents(client, status.sequence),
    columns: stdout.columns || 80,
    rows: stdout.rows || 24,
    ...(screen ? { screen } : {}),
    ascii: themeOf(process.env, { ascii }).ascii,
  })
}

/** The events up to `sequence` that the peer still holds: curves and the log are made of them. */
async function heldEvents(
  client: TuiClient,
  sequence: number,
): Promise<readonly Numbered<PeerEvent>[]> {
  const held: Numbered<PeerEvent>[] = []
  if (sequence === 0) return held
  const signal = AbortSignal.timeout(HELD_EVENTS_MS)
  const read = async () => {
    for await (const entry of client.events(0, signal)) {
      held.push(entry)
      if (entry.sequence >= sequence) return
    }
  }
  await Promise.race([read().catch(() => undefined), aborted(signal)])
  return held
}
