import { type ParseArgsConfig, parseArgs } from 'node:util'
import { byteSize, CotuneError, errorMessage } from '#base'
import { type BenchShape, SHAPES } from './shapes.ts'

type Options = NonNullable<ParseArgsConfig['options']>

/**
 * The options of a bench; `--json` is known to all.
 *
 * @throws CotuneError BENCH_OPTION
 */
export function parseOptions<T extends Options>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options: { ...options, json: { type: 'boolean' } } }).values
  } catch (cause) {
    throw badOption(errorMessage(cause), 'docs/benchmarks.md lists the options.', cause)
  }
}

/** @throws CotuneError BENCH_OPTION */
export function shapeOf(name: string): BenchShape {
  const shape = SHAPES[name]
  if (!shape)
    throw badOption(`there is no shape "${name}"`, `--shape ${Object.keys(SHAPES).join('|')}`)
  return { name, ...shape }
}

/** @throws CotuneError BENCH_OPTION */
export function oneOf<T extends string>(option: string, value: string, known: readonly T[]): T {
  const found = known.find((each) => each === value)
  if (found === undefined)
    throw badOption(`--${option} ${value} is not known`, `--${option} ${known.join('|')}`)
  return found
}

/** @throws CotuneError BENCH_OPTION */
export function wholeNumber(option: string, value: string): number {
  if (!/^[1-9]\d*$/.test(value))
    throw badOption(`--${option} ${value} is no number of 1 or more`, `--${option} 2`)
  return Number(value)
}

/**
 * `4GB` is 4e9 bytes, `4GiB` 4 * 2^30.
 *
 * @throws CotuneError BENCH_OPTION
 */
export function bytesFrom(option: string, value: string): number {
  const bytes = byteSize(value)
  if (bytes === undefined)
    throw badOption(`--${option} ${value} is no size`, `--${option} 4GB, or 900MB, or 4GiB`)
  return bytes
}

function badOption(message: string, hint: string, cause?: unknown): CotuneError {
  return new CotuneError('BENCH_OPTION', message, { hint, cause, exit: 2 })
}
