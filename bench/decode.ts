import type { Bench } from './bench.ts'
import { Contender, type Report } from './contender.ts'
import type { DecodeSpec } from './decode/decode-spec.ts'
import { findLlamaCpp } from './decode/find-llama-cpp.ts'
import type { GgufType } from './decode/gguf-blocks.ts'
import { writeGguf } from './decode/write-gguf.ts'
import { parseOptions, shapeOf, wholeNumber } from './options.ts'
import { randomCheckpoint } from './random-checkpoint.ts'
import { medianOf, type Rounds, rounded, speedRatio, takeTurns } from './rounds.ts'

/** Our bases and what llama.cpp calls the like. */
const PAIRS = [
  ['float32', 'f32'],
  ['int8', 'q8_0'],
  ['int4', 'q4_0'],
] as const satisfies readonly (readonly [DecodeSpec['base'], GgufType])[]

interface DecodeResult {
  readonly prefillTokensPerSecond: number
  readonly decodeTokensPerSecond: number
  readonly peakRssBytes: number
}

interface BaseResult {
  readonly ours: DecodeResult
  readonly llamaCpp?: DecodeResult & { readonly format: GgufType }
  /** How many times as fast ours was. */
  readonly ratio?: { readonly prefill: number; readonly decode: number }
  /**
   * How many tokens both said alike before they parted. In float32 that is where two candidates nearly tie; blocks of bits are
   * rounded differently.
   */
  readonly sameTokens?: number
}

/** Reading a prompt and answering, one sequence: ours beside llama.cpp from the same weights, in turns. */
export const decodeBench: Bench = {
  run: async ({ json, args }) => {
    const values = parseOptions(args, {
      shape: { type: 'string', default: 'smollm2-135m' },
      prompt: { type: 'string', default: '128' },
      new: { type: 'string', default: '128' },
      rounds: { type: 'string', default: '5' },
      threads: { type: 'string', default: '2' },
    })
    const shape = shapeOf(values.shape)
    const common = {
      prompt: wholeNumber('prompt', values.prompt),
      answer: wholeNumber('new', values.new),
      threads: wholeNumber('threads', values.threads),
    }
    const rounds = wholeNumber('rounds', values.rounds)
    const folder = await randomCheckpoint(shape.name, shape.config)
    const peer = findLlamaCpp() !== undefined
    const bases: Record<string, BaseResult> = {}
    for (const [base, format] of PAIRS) {
      const contenders = new Map([
        ['ours', () => start('ours', 'run-ours.ts', { ...common, path: folder, base })],
      ])
      if (peer) {
        const path = await writeGguf(folder, format)
        const spec = { ...common, path, base }
        contenders.set('llama.cpp', () => start('llama.cpp', 'run-llama-cpp.ts', spec))
      }
      const taken = await takeTurns(contenders, { rounds, secondsEach: 0 })
      bases[base] = resultOf(taken, format, common)
    }
    const leftOut = peer ? {} : { llamaCpp: 'node-llama-cpp is not installed beside this' }
    const summary = {
      schema: 'cotune.bench.decode/1',
      shape: shape.name,
      ...common,
      bases,
      leftOut,
    }
    console.log(json ? JSON.stringify(summary) : describe(summary))
  },
}

function start(name: string, file: string, spec: DecodeSpec): Contender {
  return Contender.node(name, ['decode', file], spec)
}

type Work = Pick<DecodeSpec, 'prompt' | 'answer'>

const prefillSeconds = (report: Report) => report.prefillSeconds!
const decodeSeconds = (report: Report) => report.seconds - report.prefillSeconds!

function resultOf(taken: ReadonlyMap<string, Rounds>, format: GgufType, work: Work): BaseResult {
  const ours = taken.get('ours')!
  const peer = taken.get('llama.cpp')
  if (!peer) return { ours: speeds(ours, work) }
  return {
    ours: speeds(ours, work),
    llamaCpp: { format, ...speeds(peer, work) },
    ratio: {
      prefill: rounded(speedRatio(ours, peer, prefillSeconds)),
      decode: rounded(speedRatio(ours, peer, decodeSeconds)),
    },
    sameTokens: inCommon(ours.reports[0]!.tokens!, peer.reports[0]!.tokens!),
  }
}

function inCommon(a: readonly number[], b: readonly number[]): number {
  const parted = a.findIndex((id, i) => id !== b[i])
  return parted < 0 ? a.length : parted
}

function speeds(rounds: Rounds, { prompt, answer }: Work): DecodeResult {
  return {
    prefillTokensPerSecond: rounded(prompt / medianOf(rounds, prefillSeconds)),
    decodeTokensPerSecond: rounded(answer / medianOf(rounds, decodeSeconds)),
    peakRssBytes: Math.max(...rounds.reports.map((report) => report.peakRssBytes)),
  }
}

function describe(summary: {
  readonly shape: string
  readonly prompt: number
  readonly answer: number
  readonly threads: number
  readonly bases: Readonly<Record<string, BaseResult>>
  readonly leftOut: Readonly<Record<string, string>>
}): string {
  const { shape, prompt, answer, threads, bases, leftOut } = summary
  const row = (name: string, result: DecodeResult) =>
    [
      name.padEnd(16),
      `prefill ${result.prefillTokensPerSecond} tokens/s`.padStart(24),
      `decode ${result.decodeTokensPerSecond} tokens/s`.padStart(23),
      `${Math.round(result.peakRssBytes / 1e6)} MB`.padStart(9),
    ].join('')
  return [
    `${shape}, prompt ${prompt}, ${answer} new tokens, ${threads} threads`,
    ...Object.entries(bases).flatMap(([base, { ours, llamaCpp, ratio, sameTokens }]) => [
      row(`ours ${base}`, ours),
      ...(llamaCpp && ratio
        ? [
            row(`llama.cpp ${llamaCpp.format}`, llamaCpp),
            `  ours is ${ratio.prefill} and ${ratio.decode} times as fast; the first ${sameTokens} tokens are the same`,
          ]
        : []),
    ]),
    ...Object.entries(leftOut).map(([name, reason]) => `${name} left out: ${reason}`),
  ].join('\n')
}
