import { describe, expect, it } from 'vitest'
import { bytesFrom } from '../../bench/options.ts'
import { parseStepOptions } from '../../bench/step.ts'

describe('the options of the step bench', () => {
  it('train adapters on all layers of SmolLM2 unless told', () => {
    expect(parseStepOptions([])).toMatchObject({
      shape: 'smollm2-135m',
      trained: 'all',
      base: undefined,
      peers: true,
    })
  })

  it('are taken as they are written in the documents', () => {
    const options = parseStepOptions(['--shape', 'qwen2.5-0.5b', '--memory', '4GB', '--json'])
    expect(options).toMatchObject({ shape: 'qwen2.5-0.5b', limitBytes: 4e9, peers: false })
    expect(parseStepOptions(['--targets', 'qv']).trained).toBe('qv')
    expect(parseStepOptions(['--full']).trained).toBe('full')
    expect(parseStepOptions(['--base', 'int4', '--curve', '200'])).toMatchObject({
      base: 'int4',
      curveSteps: 200,
    })
  })

  it.each([
    [['--targets', 'k']],
    [['--base', 'int3']],
    [['--full', '--base', 'int8']],
    [['--memory', '4']],
    [['--rounds', '0']],
    [['--fast']],
  ])('%j is refused', (args) => {
    expect(() => parseStepOptions(args)).toThrow(
      expect.objectContaining({ code: 'BENCH_OPTION', exit: 2 }),
    )
  })
})

it.each([
  ['4GB', 4e9],
  ['900 MB', 9e8],
  ['1.5GiB', 1.5 * 2 ** 30],
])('%s are %d bytes', (text, bytes) => {
  expect(bytesFrom('memory', text)).toBe(bytes)
})
