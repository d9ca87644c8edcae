import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import type { Startable } from './lifecycle.ts'

interface LoopMonitorInit {
  /** Milliseconds of a slice of the window; the window has six. */
  readonly sliceMs?: number
}

/** How often the delay is sampled: a timer that is due so often, and late by what it measures. */
const RESOLUTION_MS = 10
const SLICES = 6
const NANOSECONDS = 1e6

/**
 * How long the event loop was held up at worst within the last minute. What a peer is asked meanwhile waits that long: the mesh, the
 * local API, timers.
 */
export class LoopMonitor implements Startable {
  readonly #sliceMs: number
  /**
   * One for each slice, oldest first. Resetting a histogram loses the delay that is being measured, so each is left on for the
   * slice after its own, and then kept as it is.
   */
  #histograms: readonly IntervalHistogram[] = []
  #timer: NodeJS.Timeout | undefined

  constructor({ sliceMs = 10_000 }: LoopMonitorInit = {}) {
    this.#sliceMs = sliceMs
  }

  async start(): Promise<void> {
    if (this.#timer) return
    this.#timer = setInterval(() => this.#turn(), this.#sliceMs).unref()
    this.#turn()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    for (const histogram of this.#histograms) histogram.disable()
    this.#histograms = []
  }

  /** Milliseconds, the worst of the last minute. */
  get worstMs(): number {
    const betweenMs = Math.max(0, ...this.#histograms.map(({ max }) => max)) / NANOSECONDS
    // A histogram holds the time between samples, of which the resolution is no delay.
    return Math.round(10 * Math.max(0, betweenMs - RESOLUTION_MS)) / 10
  }

  #turn(): void {
    const next = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
    next.enable()
    this.#histograms.at(-2)?.disable()
    this.#histograms = [...this.#histograms, next].slice(-SLICES)
  }
}
