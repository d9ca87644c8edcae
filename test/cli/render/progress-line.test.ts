import { expect, it } from 'vitest'
import { ProgressLine } from '../../../cli/render/progress-line.ts'
import { fakeIo } from '../fake-io.ts'

function started(isTTY: boolean) {
  const { io, written } = fakeIo()
  Object.assign(io.stderr, { isTTY })
  const clock = { at: 0, now: () => clock.at }
  return { line: new ProgressLine(io, 'rows', clock), written, clock }
}

it('draws one line anew on a terminal, and leaves it empty', () => {
  const { line, written, clock } = started(true)
  line.update(1, 9)
  clock.at = 50
  line.update(2, 9)
  clock.at = 100
  line.update(3, 9)
  line.end()
  line.end()
  expect(written.stderr).toBe('\r\u001b[K1 of 9 rows\r\u001b[K3 of 9 rows\r\u001b[K')
})

it('prints a line every ten seconds elsewhere, none for what is quick', () => {
  const { line, written, clock } = started(false)
  for (const at of [0, 9_000, 10_000, 15_000, 20_000]) {
    clock.at = at
    line.update(at / 1_000, 30)
  }
  line.end()
  expect(written.stderr).toBe('10 of 30 rows\n20 of 30 rows\n')
})
