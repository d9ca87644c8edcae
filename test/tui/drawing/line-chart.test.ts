import { describe, expect, it } from 'vitest'
import { average, lineChart } from '../../../tui/drawing/line-chart.ts'
import { sparkline } from '../../../tui/drawing/sparkline.ts'
import { widthOf } from '../../../tui/drawing/text.ts'
import { createTheme } from '../../../tui/drawing/theme.ts'

const plain = createTheme({ palette: 'plain' })
const ascii = createTheme({ palette: 'plain', ascii: true })
const falling = [4, 3, 2, 1]

describe('lineChart', () => {
  it('draws a straight line from corner to corner', () => {
    const lines = lineChart([{ label: 'a', values: falling }], { width: 16, height: 5 }, ascii)
    expect(lines).toEqual([
      ' 4.000|*        ',
      '      | ***     ',
      '      |    **   ',
      ' 1.000|      ** ',
      '      +-------4 ',
    ])
  })

  it('fills its size exactly', () => {
    const lines = lineChart([{ label: 'a', values: falling }], { width: 40, height: 9 }, plain)
    expect(lines).toHaveLength(9)
    expect(lines.map(widthOf)).toEqual(Array.from({ length: 9 }, () => 40))
  })

  it('shows a spike of one step among thousands', () => {
    const values = Array.from({ length: 4_000 }, (_, index) => (index === 1_999 ? 50 : 1))
    const size = { width: 30, height: 8 }
    const options = { smoothing: 0.98 }
    const [top = ''] = lineChart([{ label: 'a', values }], size, plain, options)
    expect(top).toContain('50.00')
    expect(top.slice(7).trim()).not.toBe('')
  })

  it('leaves a gap where there is no number', () => {
    const values = [1, 2, Number.NaN, Number.NaN, 2, 1]
    const lines = lineChart([{ label: 'a', values }], { width: 20, height: 4 }, ascii)
    expect(lines.slice(0, -1).map((line) => line.slice(11, 14))).toEqual(['   ', '   ', '   '])
  })

  it('scales by logarithm, and leaves out what has none', () => {
    const values = [1_000, 100, 10, 1, 0, -5]
    const lines = lineChart([{ label: 'a', values }], { width: 40, height: 8 }, plain, {
      logScale: true,
    })
    expect(lines[0]).toMatch(/^ {2}1000│/)
    expect(lines[6]).toMatch(/^ 1\.000│/)
    expect(lines[3]).toMatch(/^ 31\.62│/)
  })

  it('marks rounds on the axis and ends each of several series with its number', () => {
    const series = [
      { label: 'a', values: falling },
      { label: 'b', values: [4, 4, 4, 4] },
    ]
    const lines = lineChart(series, { width: 20, height: 6 }, ascii, { ticks: [0, 2] })
    expect(lines.at(-1)).toBe('      +-------+---4 ')
    expect(lines.map((line) => line.at(-1)).join('')).toBe('2   1 ')
  })

  it('draws nothing without a finite value or without room', () => {
    const none = [{ label: 'a', values: [Number.NaN] }]
    expect(lineChart(none, { width: 40, height: 8 }, plain)).toEqual([])
    expect(lineChart([{ label: 'a', values: falling }], { width: 10, height: 8 }, plain)).toEqual(
      [],
    )
  })

  it('copes with one value, and with a constant', () => {
    expect(lineChart([{ label: 'a', values: [2] }], { width: 20, height: 4 }, plain)).toHaveLength(
      4,
    )
    expect(
      lineChart([{ label: 'a', values: [0, 0] }], { width: 20, height: 4 }, plain),
    ).toHaveLength(4)
  })
})

it('average follows the values without a pull towards zero', () => {
  expect(average([2, 2, 2], 0.9)).toEqual([2, 2, 2].map((value) => expect.closeTo(value, 12)))
  const [first, gap, last] = average([1, Number.NaN, 3], 0.5)
  expect([first, gap, last]).toEqual([1, Number.NaN, expect.closeTo(7 / 3, 12)])
})

it('sparkline scales the last values and pads what is missing', () => {
  expect(sparkline([9, 1, 2, 3], 3, plain)).toBe('▁▅█')
  expect(sparkline([1, Number.NaN], 3, plain)).toBe('  ▁')
  expect(sparkline([], 3, plain)).toBe('   ')
})
