import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import xterm from '@xterm/headless'

/** A terminal emulator that a program writes to and reads keys from, and that a test looks at. */
export class FakeTerminal {
  readonly stdout: NodeJS.WriteStream
  readonly stdin: NodeJS.ReadStream
  /** Everything that was written, codes included. */
  written = ''
  raw = false
  readonly #emulator: InstanceType<typeof xterm.Terminal>
  readonly #output: EventEmitter & { columns: number; rows: number }
  readonly #input = new PassThrough()

  constructor(columns: number, rows: number) {
    this.#emulator = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true })
    this.#output = Object.assign(new EventEmitter(), {
      columns,
      rows,
      isTTY: true,
      writableNeedDrain: false,
      write: (text: string) => {
        this.written += text
        this.#emulator.write(text)
        return true
      },
    })
    this.stdout = this.#output as unknown as NodeJS.WriteStream
    this.stdin = Object.assign(this.#input, {
      isTTY: true,
      setRawMode: (raw: boolean) => {
        this.raw = raw
      },
      ref: () => undefined,
      unref: () => undefined,
    }) as unknown as NodeJS.ReadStream
  }

  /** What a person presses, in one read. */
  press(keys: string): void {
    this.#input.write(keys)
  }

  resize(columns: number, rows: number): void {
    this.#emulator.resize(columns, rows)
    Object.assign(this.#output, { columns, rows })
    this.#output.emit('resize')
  }

  /** The lines on the screen, without trailing blanks. */
  async lines(): Promise<readonly string[]> {
    await new Promise<void>((resolve) => this.#emulator.write('', resolve))
    const buffer = this.#emulator.buffer.active
    return Array.from(
      { length: this.#emulator.rows },
      (_, row) => buffer.getLine(buffer.viewportY + row)?.translateToString(true) ?? '',
    )
  }

  /** Waits until the screen satisfies `holds`; fails with what it shows instead. */
  async until(holds: (lines: readonly string[]) => boolean, timeoutMs = 15_000): Promise<void> {
    const end = Date.now() + timeoutMs
    let lines = await this.lines()
    while (!holds(lines)) {
      if (Date.now() > end) throw new Error(`the screen never came, it shows:\n${lines.join('\n')}`)
      await delay(10)
      lines = await this.lines()
    }
  }

  /** Whether the alternate buffer is on. */
  async alternate(): Promise<boolean> {
    await this.lines()
    return this.#emulator.buffer.active.type === 'alternate'
  }

  /** The foreground colour of a cell as the terminal holds it; -1 is the default. */
  colourAt(row: number, column: number): number {
    const cell = this.#emulator.buffer.active.getLine(row)?.getCell(column)
    return cell === undefined || cell.isFgDefault() ? -1 : cell.getFgColor()
  }
}
