import { existsSync, readdirSync } from 'node:fs'
import { packagePath } from '#base'
import { Contender } from '../contender.ts'
import type { StepSpec } from './step-spec.ts'

/** Loss by loss of a training on text, of our base and of float32 beside it. */
export interface Curve {
  readonly steps: number
  readonly window: number
  /** Every tenth mean of the last ten losses: [step, base, float32]. */
  readonly points: readonly (readonly [step: number, base: number, float32: number])[]
  /** The largest |base - float32| / float32 of these means, over all steps. */
  readonly maxRelativeDifference: number
}

interface CurveInit {
  /** Files; WikiText-2 or these documents unless told. */
  readonly text: readonly string[] | undefined
  readonly onStep: (step: number, losses: readonly number[]) => void
}

const WINDOW = 10

/** Trains on the same text with both bases, a step each in turn. */
export async function trainCurve(
  spec: StepSpec,
  steps: number,
  { text = defaultText(), onStep }: CurveInit,
): Promise<Curve> {
  const bases = [spec.base, 'float32'] as const
  const curves = bases.map((): number[] => [])
  const contenders: Contender[] = []
  try {
    for (const base of bases) {
      const told: StepSpec = { ...spec, base, text: { files: text, steps } }
      const contender = Contender.node(base, ['step', 'run-ours.ts'], told)
      contenders.push(contender)
      await contender.ready()
    }
    for (let step = 1; step <= steps; step++) {
      for (const [index, contender] of contenders.entries())
        curves[index]!.push((await contender.work(1)).loss!)
      onStep(
        step,
        curves.map((losses) => losses.at(-1)!),
      )
    }
  } finally {
    await Promise.all(contenders.map((contender) => contender.stop()))
  }
  return compareCurves(curves[0]!, curves[1]!)
}

/** Means over ten steps, so that no single batch decides. */
export function compareCurves(base: readonly number[], float32: readonly number[]): Curve {
  const [a, b] = [movingMeans(base), movingMeans(float32)]
  const differences = a.map((mean, i) => Math.abs(mean - b[i]!) / b[i]!)
  return {
    steps: base.length,
    window: WINDOW,
    points: a
      .map((mean, i) => [i + WINDOW, mean, b[i]!] as const)
      .filter(([step]) => step % WINDOW === 0),
    maxRelativeDifference: Math.max(...differences),
  }
}

function movingMeans(losses: readonly number[]): readonly number[] {
  const means: number[] = []
  for (let end = WINDOW; end <= losses.length; end++)
    means.push(losses.slice(end - WINDOW, end).reduce((sum, loss) => sum + loss) / WINDOW)
  return means
}

/** WikiText-2 where the folder of fixtures lies beside this one, else these documents. */
function defaultText(): readonly string[] {
  const wiki = packagePath('..', 'shared', 'data', 'corpus', 'eval_wikitext2_valid.txt')
  if (existsSync(wiki)) return [wiki]
  const pages = readdirSync(packagePath('docs')).filter((name) => name.endsWith('.md'))
  return pages.sort().map((name) => packagePath('docs', name))
}
