import { packagePath } from '#base'
import { Contender } from '../contender.ts'
import { findPython } from './find-python.ts'
import type { StepSpec } from './step-spec.ts'

/** A large frozen matrix: what one product of it reaches is what the arithmetic of a step is held against. */
export const MATMUL_SIZE = 2_048

export interface Contenders {
  readonly starts: ReadonlyMap<string, () => Contender>
  /** Why a peer is not among them. */
  readonly leftOut: Readonly<Record<string, string>>
}

/** Ours, ours in float32 at its quickest where the base is another, the large product, and the peers that are here. */
export function stepContenders(
  spec: StepSpec,
  { peers, shape }: { readonly peers: boolean; readonly shape: string },
): Contenders {
  const node = (name: string, file: readonly string[], told: object) =>
    [name, () => Contender.node(name, file, told)] as const
  const ours = ['step', 'run-ours.ts']
  const starts = new Map([
    node('ours', ours, spec),
    node('matmul', ['run-matmul.ts'], { threads: spec.threads, size: MATMUL_SIZE }),
  ])
  const quickest: StepSpec = { ...spec, base: 'float32', recompute: 'none', packWeights: true }
  if (spec.base !== 'float32') starts.set(...node('float32', ours, quickest))
  const leftOut: Record<string, string> = {}
  if (!peers) return { starts, leftOut: { peers: 'not asked for' } }
  const python = findPython()
  const script = packagePath('bench', 'step', 'run_pytorch.py')
  if (python)
    starts.set('pytorch', () => new Contender('pytorch', python, [script, JSON.stringify(spec)]))
  else leftOut.pytorch = 'no python3 has torch'
  if (shape !== '5m') leftOut.tfjs = 'only for the shape 5m'
  else if (spec.trained === 'full') leftOut.tfjs = 'on WebAssembly a lookup has no gradient'
  else starts.set(...node('tfjs', ['step', 'run-tfjs.ts'], spec))
  return { starts, leftOut }
}
