/** Paints after changes, at most every `intervalMs`; a key press does not wait. */
export class Painter {
  readonly #paint: () => void
  readonly #intervalMs: number
  #timer: NodeJS.Timeout | undefined
  #paintedAt = 0

  constructor(init: { readonly paint: () => void; readonly intervalMs: number }) {
    this.#paint = init.paint
    this.#intervalMs = init.intervalMs
  }

  /** Something changed. */
  soon(): void {
    if (this.#timer !== undefined) return
    const waitMs = Math.max(0, this.#paintedAt + this.#intervalMs - Date.now())
    this.#timer = setTimeout(() => this.now(), waitMs)
  }

  now(): void {
    this.stop()
    this.#paintedAt = Date.now()
    this.#paint()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
