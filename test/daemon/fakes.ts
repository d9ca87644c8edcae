import { sha256Hex, utf8 } from '#base'
import { tensor } from '#engine'
import { encodeAdapter } from '#learning/lora'
import type { AdapterWeights, Scores } from '#learning/tuning'
import type { CloudLink, PublishedVersion, UpdateVerdict } from '../../daemon/rounds/cloud-link.ts'
import type { RoundTerms } from '../../daemon/store/round-store.ts'
import type { Tuner } from '../../daemon/tuner.ts'

export const BASE_DIGEST = sha256Hex('proxy model')
export const RUN_ID = 'run-1'
const OPENED_AT = Date.now()

export function adapter(value: number): AdapterWeights {
  return new Map([['layer.lora_A.weight', tensor(new Float32Array([value, value]), [1, 2])]])
}

function level(weights: AdapterWeights | undefined): number {
  return weights?.get('layer.lora_A.weight')?.data[0] ?? 0
}

/** Learns by adding; counts what it was asked. Scores fall when the shared adapter is negative. */
export class FakeTuner implements Tuner {
  readonly dpmDigest = BASE_DIGEST
  readonly engine = { executor: 'onnxruntime', provider: 'cpu', probes: [] } as const
  readonly calls: string[] = []
  /** Set to hold a job until it is aborted. */
  hang = false

  describe() {
    const model = { family: 'llama', parameters: 1_000, vocabulary: 512 }
    return { slm: { ...model, digest: 'slm' }, dpm: { ...model, digest: BASE_DIGEST } }
  }

  tune: Tuner['tune'] = (init) => this.learn(init)

  protected async learn(init: Parameters<Tuner['tune']>[0]) {
    this.calls.push(`tune ${init.round} from ${level(init.state?.slm)} ${level(init.shared)}`)
    init.onProgress?.({
      phase: 'dst',
      model: 'dpm',
      step: 1,
      steps: 2,
      loss: 2,
      tokensPerSecond: 9,
    })
    if (this.hang) await aborted(init.signal)
    init.onProgress?.({
      phase: 'saml',
      model: 'slm',
      step: 2,
      steps: 2,
      loss: 1,
      tokensPerSecond: 9,
    })
    return {
      state: { slm: adapter(level(init.state?.slm) + 1), domain: adapter(0.5) },
      delta: adapter(init.round / 8),
      examples: init.examples.length,
      metrics: { 'loss.slm': 1 },
    }
  }

  baseline: Tuner['baseline'] = async (init) => {
    this.calls.push(`baseline ${init.rounds}`)
    const step = { step: 7, steps: 7, loss: 1, tokensPerSecond: 9 }
    init.onProgress?.({ phase: 'baseline', model: 'slm', ...step })
    return { state: { slm: adapter(100), domain: new Map() }, slmSteps: 7 }
  }

  evaluate: Tuner['evaluate'] = async (init) => {
    this.calls.push(`evaluate ${init.model} ${level(init.state?.slm)} ${level(init.shared)}`)
    if (this.hang) await aborted(init.signal)
    return scores(level(init.shared) < 0 ? 1 : 50, init.examples.length)
  }

  answer: Tuner['answer'] = async (init) => {
    const pieces = [`${init.model}: `, init.prompt.input, ` ${level(init.state?.slm)}`]
    for (const piece of pieces) init.onToken?.(piece)
    if (this.hang) await aborted(init.signal).finally(() => this.calls.push('answer aborted'))
    return pieces.join('')
  }

  close = async () => {
    this.calls.push('close')
  }
}

export function scores(em: number, examples = 10): Scores {
  return { em, rougeL: em, examples, perplexityPerByte: 2 }
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** A cloud peer that does what the test says. */
export class FakeLink implements CloudLink {
  readonly runId = RUN_ID
  readonly cloudId = 'cloud'
  connected = true
  open: RoundTerms | undefined
  version: PublishedVersion | undefined
  readonly verdicts = new Map<string, UpdateVerdict>()
  readonly contents = new Map<string, Uint8Array>()
  readonly sealedRounds: number[] = []
  readonly offered: string[] = []
  readonly discarded: string[] = []
  /** Accept at once what is offered. */
  accepting = true
  readonly #listeners = new Set<() => void>()

  isConnected = () => this.connected
  openRound = () => this.open
  published = () => this.version
  verdict = (blobId: string) => this.verdicts.get(blobId)
  onChange = (listener: () => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
  seal: CloudLink['seal'] = async (row, _, counter) => {
    this.sealedRounds.push(row.round)
    return { blobId: sha256Hex(`${row.round}/${counter}`), sizeBytes: 99, counter }
  }
  offer: CloudLink['offer'] = async (row, note) => {
    note(utf8(`offer ${row.round}`))
    this.offered.push(row.sealed ?? '')
    if (this.accepting) this.verdicts.set(row.sealed ?? '', { accepted: true, reason: '' })
    this.changed()
  }
  fetchVersion: CloudLink['fetchVersion'] = async (version) => {
    const content = this.contents.get(version.blobId)
    if (!content) throw new Error('nobody has it')
    return content
  }
  discard = async (blobId: string) => {
    this.discarded.push(blobId)
  }

  changed(): void {
    for (const listener of this.#listeners) listener()
  }

  /** Publishes a version whose adapter holds `value`, and opens the next round on it. */
  publish(version: number, value: number): RoundTerms {
    const blobId = `blob-${version}`
    this.contents.set(blobId, encodeAdapter(adapter(value)))
    this.version = { version, blobId }
    const next = terms(version + 1, blobId)
    this.changed()
    return next
  }

  openNext(next: RoundTerms): void {
    this.open = next
    this.changed()
  }
}

export function terms(round: number, startVersion = '', attempt = 1): RoundTerms {
  const openedAt = OPENED_AT + 100 * attempt + round
  return {
    runId: RUN_ID,
    round,
    rounds: 3,
    baseDigest: BASE_DIGEST,
    startVersion,
    openedAt,
    deadline: openedAt + 60_000,
    quorum: 2,
    sealingKey: new Uint8Array(32),
    maxUpdateBytes: 1_000_000,
  }
}
