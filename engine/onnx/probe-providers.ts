import { CotuneError, EXIT, errorMessage } from '#base'
import { add, input, matmul } from '../builders.ts'
import { createProgram } from '../create-program.ts'
import { PROVIDERS, type ProviderName } from '../executor.ts'
import type { ProviderProbe } from '../provider-probe.ts'
import { tensor } from '../tensor.ts'
import { loadOnnxruntime } from './load-onnxruntime.ts'
import { createOnnxruntimeExecutor } from './onnxruntime-executor.ts'

export interface ProviderChoice {
  readonly provider: ProviderName
  /** The providers that were tried, in that order. */
  readonly probes: readonly ProviderProbe[]
}

/**
 * The execution provider to use: the one that is wanted, or with `auto` the first that works, the CPU at the latest. A provider works
 * if this build of ONNX Runtime has it and a small program runs on it and gives the right numbers.
 *
 * @throws ENGINE_PROVIDER_MISSING when the one that is wanted does not work
 */
export async function chooseProvider(wanted: ProviderName | 'auto'): Promise<ProviderChoice> {
  const { listSupportedBackends } = await loadOnnxruntime()
  const listed = listSupportedBackends().map(({ name }) => name)
  const candidates =
    wanted === 'auto' ? PROVIDERS.filter((name) => listed.includes(name)) : [wanted]
  const probes: ProviderProbe[] = []
  for (const name of candidates) {
    const probe = await probeProvider(name, listed)
    probes.push(probe)
    if (probe.works) return { provider: name, probes }
  }
  throw missing(wanted, probes, listed)
}

async function probeProvider(
  name: ProviderName,
  listed: readonly string[],
): Promise<ProviderProbe> {
  if (!listed.includes(name)) {
    return { name, works: false, reason: 'this build of ONNX Runtime does not have it' }
  }
  try {
    const isRight = await runSmallProgram(name)
    return { name, works: isRight, reason: isRight ? '' : 'a small program gave wrong numbers' }
  } catch (error) {
    return { name, works: false, reason: plainReason(error) }
  }
}

/** What the runtime said, without the place in its source. */
function plainReason(error: unknown): string {
  const said = errorMessage(error instanceof CotuneError ? (error.cause ?? error) : error)
  return said.replace(/^.* was false\. /s, '').trim()
}

/** [1 2; 3 4]^2 + [1 2; 3 4] = [8 12; 18 26] */
async function runSmallProgram(provider: ProviderName): Promise<boolean> {
  const x = input('x', [2, 2])
  const program = createProgram({ outputs: { y: add(matmul(x, x), x) } })
  const session = await createOnnxruntimeExecutor({ provider, threads: 1 }).compile(program)
  try {
    const { y } = await session.run({ x: tensor(Float32Array.of(1, 2, 3, 4), [2, 2]) })
    return [8, 12, 18, 26].every((expected, i) => Math.abs((y?.data[i] ?? 0) - expected) < 0.1)
  } finally {
    await session.close()
  }
}

function missing(
  wanted: ProviderName | 'auto',
  probes: readonly ProviderProbe[],
  listed: readonly string[],
): CotuneError {
  const reason = probes.map((probe) => probe.reason).join('; ')
  return new CotuneError(
    'ENGINE_PROVIDER_MISSING',
    `the execution provider ${wanted} cannot be used here: ${reason}`,
    {
      hint: 'Set engine.provider to "cpu", or to "auto" for the best that works; docs/operations.md says what each needs.',
      data: { wanted, listed },
      exit: EXIT.config,
    },
  )
}
